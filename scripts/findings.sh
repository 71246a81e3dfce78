#!/bin/sh
# Trains what docs/findings.md reports, and copies its tables into docs/findings: sh scripts/findings.sh .venv [NAME ...]
# Hours on 2 cores; stopped, the same command goes on. Pictures and runs that are there are taken as they are.
# Only `tuning` decides a default (bboxbench/experiments/learning_rates.py): it has pictures and seeds of its own.
set -eu
bin=$1/bin; shift
all="tuning full_size as_posted rescue white twenty_seeds"
four="mse,iou,giou,centre_point(size_weight=1)"
two="glorot_uniform,random_normal(stddev=0.0289)"

sweep() {
    name=$1; shift
    "$bin/bboxbench" sweep --out "results/findings/$name" "$@"
    mkdir -p "docs/findings/$name"
    for table in runs distribution comparisons epochs baselines; do
        cp "results/findings/$name/$table.csv" "docs/findings/$name/"
    done
}

for name in ${*:-$all}; do
    case $name in
    tuning) # another data seed, seeds of its own, the whole validation split
        sweep tuning --data-seed 1 --validation 8000 --seeds 100-100 --losses "$four" --initializers "$two" \
            --optimizers adam:0.0001,adam:0.0002,adam:0.0003,adam:0.0005,adam:0.001 ;;
    full_size) # the default sweep, three of its seeds
        sweep full_size --seeds 3 ;;
    as_posted) # the case word for word, under two of its initializers
        sweep as_posted --preset as_posted --seeds 1 --initializers "glorot_uniform,random_uniform(minval=-0.05,maxval=0.05)" ;;
    rescue) # what else decides whether a loss of overlap learns
        sweep rescue --n 4000 --batch-sizes 50 --validation 200 --seeds 3 --losses iou,giou --initializers "$two" --optimizers adam:0.0002,adam:0.001 \
            --starts zeros,wide --heads corners,centre_size,ordered ;;
    white) # black letters on white, every input +1 but the glyph
        "$bin/bboxbench" generate --n 4000 --background white --out data/findings-white --quiet
        sweep white --data data/findings-white --batch-sizes 50 --validation 200 --seeds 3 --losses mse,iou,giou --starts zeros,wide \
            --initializers glorot_uniform,he_normal --optimizers adam:0.0005 ;;
    twenty_seeds) # the default sweep on fewer pictures, all its seeds; smaller batches, for as many steps as that allows
        sweep twenty_seeds --n 4000 --batch-sizes 50 --validation 200 --seeds 20 ;;
    *) echo "Expected one of: $all. Received: $name." >&2; exit 2 ;;
    esac
done
"$bin/python" scripts/ceiling.py > docs/findings/ceiling.csv
