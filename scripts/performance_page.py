"""Writes docs/performance.md from docs/data: python scripts/performance_page.py > docs/performance.md."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from bboxbench.cli.console import duration

DATA = Path(__file__).parent.parent / "docs" / "data"

HEAD = """\
# Performance

## What lockstep does

`lockstep` trains all runs of a seed at once. They see the same pictures in the same order under the same dropout masks, so
R networks are one network whose weights have one axis more. Their R x 4 filters are a single convolution, which reads every
picture once and is large enough to come near the rate of a matrix product; the dense layers are R products in one call.
Each network keeps its own loss, learning rate and optimizer state, and what is differentiated is the sum of the losses, so
that each gets the gradient it has alone. Where the backgrounds are plain, only the window that a glyph can change is
computed; the rest is one number a picture and filter.

Both engines train the same runs: same start, order and masks, and tests hold their weights together to rounding. Rounding is
not nothing: where a loss has kinks, as `iou` and `giou` where boxes part, a last bit can decide the way, and one seed may end
elsewhere under the other engine. Its distribution over seeds is what counts.
"""

GPU = """\
## On a GPU

The same code, unmeasured. TensorFlow's memory growth is on, so that the process takes what it needs and not the whole card.
Pool, activation and optimizer are compiled by XLA there as they are here; convolutions and products are the GPU's own
libraries. The layouts were chosen on CPUs, so nothing on this page tells how fast it is.
"""

LEVERS = """\
## Levers tried

What was tried to make `lockstep` fast, on a batch of 100 pictures and 16 networks, on the machine of the table above.

    python benchmarks/levers.py > docs/data/levers.csv

TABLE
Three more were tried by hand and left out, so no command repeats them:

- the filters' gradient as a forward convolution whose kernel is the gradient at the responses; expected: no copies at all;
  gave a fifth of a product's rate at best;
- huge pages and larger malloc thresholds (`GLIBC_TUNABLES`); expected: fewer page faults in arrays of 400 MB; gave nothing;
- the batch in smaller pieces; expected: they stay in the cache; the products of smaller pieces lost more than that gave.

One was reckoned and not built: a convolution of half the columns three times instead of four (fast FIR) saves a quarter of
its arithmetic, of which sums and copies take back more than half; 5 to 8 % of a step would be left.
"""


def page(data: Path = DATA) -> str:
    """The page as Markdown; a section whose numbers ``data`` does not have is left out."""
    training = _read(data / "training.json")
    estimate = _read(data / "estimate.json")
    losses = _read(data / "losses.json")
    sections = [HEAD]
    if training:
        sections += [_measured(training), _memory(training), _evaluation(training)]
    if estimate:
        sections.append(_estimate(estimate))
    if losses:
        sections += [_losses(losses), _import(losses)]
    sections += _drawing(_read(data / "generate.json"))
    sections += [GPU, _precision(training), _levers(data / "levers.csv")]
    return "\n".join(section for section in sections if section)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no such file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _timed(training: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """The rows that have numbers, and these values."""
    return [row for row in training["rows"] if "ms" in row and wanted.items() <= row.items()]


def _table(head: list[str], rows: list[list[str]], numbers: int = 0) -> str:
    """A Markdown table whose last ``numbers`` columns stand to the right."""
    rule = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, rule, *rows])


def _measured(training: dict[str, Any]) -> str:
    machine, packages = training["environment"], training["environment"]["packages"]
    versions = [f"TensorFlow {packages['tensorflow']}", f"Keras {packages['keras']}"]
    versions += [f"PyTorch {training['torch']}"] if "torch" in training else []
    head = ["how", "networks", "ms", "lowest to highest", "times `fit`", "GFLOP/s", "of the product", "peak memory"]
    return f"""\
## Measured

{machine["device"]}, {machine["cores"]} cores, {", ".join(versions)}; {training["date"]}.
The network is the built-in one, on 200x100 pictures in batches of {training["batch"]}, with Adam and dropout.

    {training["command"]}

{_table(head, [_cells(row) for row in training["rows"]], 7)}
- `ms` is of a picture and a network: a step's time by its pictures and its networks. It is the median over repeats in which
  all rows took turns; each row is a process of its own.
- `times fit` is how many times as fast as `fit` a row trains.
- GFLOP/s count the multiplications and additions of convolution and dense layers, {training["flop"] / 1e6:.0f} million a
  picture and training step. They are left blank where plain backgrounds save most of them.
- `of the product` is the share of what this machine reaches in a large float32 matrix product.
- lockstep trains its networks under a mix of the default sweep's losses, all others under `mse`.
"""


def _cells(row: dict[str, Any]) -> list[str]:
    of_networks = row["kind"] != "matrix"
    how = [row["how"], str(row["networks"]) if of_networks else ""]
    if "ms" not in row:
        return [*how, row["said"], *[""] * 5]
    return [
        *how,
        f"{row['ms']:.3f}" if of_networks else "",
        f"{row['ms_low']:.3f} to {row['ms_high']:.3f}" if of_networks else "",
        f"{row['ratio']:.2f}" if row["ratio"] else "",
        f"{row['gflops']:.0f}" if row["gflops"] else "",
        f"{row['share']:.0%}" if row["share"] else "",
        f"{row['peak_bytes'] / 1e9:.2f} GB" if of_networks else "",
    ]


def _memory(training: dict[str, Any]) -> str:
    """Memory over the number of networks: the line through its ends, and how far the others lie from it."""
    lines = []
    for window, what in ((False, "any background"), (True, "plain backgrounds")):
        rows = _timed(training, kind="lockstep", window=window, precision="float32", evaluate=False)
        points = sorted((row["networks"], row["peak_bytes"] / 1e9) for row in rows)
        if len(points) > 1:
            (few, low), (many, high) = points[0], points[-1]
            each = (high - low) / (many - few)
            off = max(abs(memory - low - each * (networks - few)) for networks, memory in points)
            lines.append(
                f"- {what}: {low - each * few:.2f} GB and {1000 * each:.0f} MB a network, the line through {few} and {many} "
                f"networks;\n  no measurement between is further than {off:.2f} GB from it"
            )
    if not lines:
        return ""
    said = "The peak of the process. A sweep trains as many networks at once as the memory holds."
    return f"## Memory\n\n{said}\n\n" + "\n".join(lines) + "\n"


def _evaluation(training: dict[str, Any]) -> str:
    shares, sizes = training["evaluation"]["shares"], training["evaluation"]
    lines = [f"- {each['how']}, {each['networks']} networks: {each['share']:.1%}" for each in shares]
    if not lines:
        return ""
    said = f"Predicting {sizes['pictures']:,} test pictures, as a share of training on {sizes['trained']:,} pictures"
    return f"## Evaluation\n\n{said} for {sizes['epochs']} epochs:\n\n" + "\n".join(lines) + "\n"


def _estimate(estimate: dict[str, Any]) -> str:
    estimated, real = estimate["estimated_seconds"], estimate["real_seconds"]
    return f"""\
## The estimate against reality

`{estimate["command"]}` was estimated at {duration(estimated)} and took {duration(real)}:
{real / estimated:.2f} times as long.
"""


def _losses(losses: dict[str, Any]) -> str:
    """A row for each loss, the cheapest first, then torchvision's."""
    machine, packages = losses["environment"], losses["environment"]["packages"]
    versions = [f"TensorFlow {packages['tensorflow']}", f"Keras {packages['keras']}"]
    if "torchvision" in losses:
        versions += [f"PyTorch {losses['torch']}", f"torchvision {losses['torchvision']}"]
    by_way = {(row["loss"], row["how"]): row for row in losses["rows"]}
    names = [row["loss"] for row in losses["rows"] if row["how"] == "XLA"]
    names.sort(key=lambda name: by_way[name, "XLA"].get("ms", float("inf")))
    # torchvision's are eager alone, and take the columns of what is compared with them.
    ways = [(f"`{name}`", by_way[name, "XLA"], by_way[name, "graph"]) for name in names]
    ways += [
        (f"torchvision's `{row['loss']}`, eager", row, {}) for row in losses["rows"] if row["library"] == "torchvision"
    ]
    head = ["loss", "XLA, ms", "times `mse`", "middle half", "of torchvision's"]
    head += ["graph, ms", "times `mse`", "of torchvision's"]
    rows = [[name, *_loss_cells(row), *_loss_cells(graph, middle_half=False)] for name, row, graph in ways]
    return f"""\
## Losses

What the losses of [`bboxbench.losses`](losses.md) cost: the mean over {losses["boxes"]:,} boxes and its gradient at the predicted
ones, in float32. {machine["device"]}, {machine["cores"]} cores, {", ".join(versions)}; {losses["date"]}.

    {losses["command"]}

{_table(head, rows, 7)}
- `XLA` is `tf.function(jit_compile=True)`, `graph` is `tf.function` alone; each library is a process of its own.
- ms is the median over {losses["repeats"]} repeats in which all rows took turns. Other work on the machine makes it longer, and the
  ratios less so: the load average before was {losses["load_before"]:.1f}.
- `times mse` is the ratio to `mse` of this library in the same repeat, compiled alike, and for torchvision's to `mse`
  under XLA: the median over the repeats. `middle half` is where half of the repeats' ratios lie.
- `of torchvision's` is the time as a share of torchvision's eager function of the same loss, in the same repeat, run
  with `OMP_WAIT_POLICY=PASSIVE`, without which other work on the machine makes it several times slower. It wants an
  interpreter that has torchvision: `--torch-python PATH`.
"""


def _loss_cells(row: dict[str, Any], middle_half: bool = True) -> list[str]:
    blank = [""] * (3 + middle_half)
    if "ms" not in row:
        return [row.get("said", ""), *blank[1:]]
    ratio, half = "", ""
    if "ratio" in row:
        ratio, half = f"{row['ratio']:.1f}", f"{row['ratio_low']:.1f} to {row['ratio_high']:.1f}"
    theirs = "" if row["of_torchvision"] is None else f"{row['of_torchvision']:.0%}"
    return [f"{row['ms']:.1f}", ratio, *([half] if middle_half else []), theirs]


def _import(losses: dict[str, Any]) -> str:
    found = losses["import"]
    lines = []
    for clock, name in (("wall", "by the wall clock"), ("cpu", "of CPU")):
        each = found[clock]
        lines.append(
            f"- {name}: {each['share']:.2%}, {each['losses_ms']:.0f} ms on {each['keras_ms']:,.0f} ms "
            f"(lowest to highest share: {each['share_low']:.2%} to {each['share_high']:.2%})"
        )
    these = "\n".join(lines)
    return f"""\
## Importing the losses

What `import bboxbench.losses` adds to `import keras`: both are timed in one fresh process, and this is the median over
{found["processes"]} processes, by the command above.

{these}

The goal is at most {found["goal"]:.0%}: it is {"met" if found["met"] else "not met"}.
"""


def _drawing(generate: dict[str, Any]) -> list[str]:
    """Ways to draw pictures and to read them, then the memory of large data sets."""
    if not generate:
        return []
    machine, packages = generate["environment"], generate["environment"]["packages"]
    versions = f"NumPy {packages['numpy']}, Pillow {packages['pillow']}"
    head = ["how", "pictures", "seconds", "a second", "ours is so many times as fast", "lowest to highest"]
    drawn = [_drawing_cells(row) for row in generate["rows"]]
    memory = [
        [
            row["how"],
            f"{row['n']:,}",
            "" if row["exact"] is None else f"{row['exact']:,}",
            f"{row['seconds']:.0f}",
            _megabytes([row["driver_mb"]]),
            _megabytes(row["workers_mb"]),
        ]
        for row in generate["memory"]
    ]
    sections = [
        f"""\
## Drawing and reading pictures

{machine["device"]}, {machine["cores"]} cores, {versions}; {generate["date"]}. Pictures of 200x100.

    {generate["command"]}

{_table(head, drawn, 5)}
- Seconds are from a command's start to its end, files written; `bboxbench` syncs them to the disk, the others do not. Of
  reading they are without the start. They are the median over {generate["repeats"]} repeats in which all rows took turns.
- Ours is `bboxbench generate`, `Dataset.grey` or `bboxbench verify` of the preset `letters`, each picture against each
  picture, in the same repeat. Other work on the machine makes both longer: the load average before was
  {generate["load_before"]:.1f}.
- The loop draws the same pictures with `ImageDraw`, keeps its fonts open and saves PNG files. Its boxes are those of
  `textbbox`, which are the ink's for few letters.
- TextRecognitionDataGenerator 1.8.0 draws single letters on white and saves PNG files and boxes. It needs Pillow 9, for it
  asks for `getsize`, which is gone since Pillow 10.
"""
    ]
    if memory:
        sections.append(f"""\
## Memory of large data sets

The most resident memory of each process, while the preset `letters` is drawn and verified, by the command above. No row of
`boxes.csv` and no shard is held longer than it is worked on; the manifest alone grows, by some 4 kB for 1,000 pictures.

{_table(["command", "pictures", "boxes exact", "seconds", "itself", "each worker"], memory, 5)}""")
    return sections


def _drawing_cells(row: dict[str, Any]) -> list[str]:
    if row["said"]:
        return [row["how"], f"{row['n']:,}", row["said"], "", "", ""]
    ratios = [f"{row['ratio']:.1f}", f"{row['ratio_low']:.1f} to {row['ratio_high']:.1f}"]
    return [row["how"], f"{row['n']:,}", f"{row['seconds']:.2f}", f"{row['rate']:,.0f}", *ratios]


def _megabytes(peaks: list[float]) -> str:
    return f"{max(peaks):.0f} MB" if peaks else ""


def _precision(training: dict[str, Any]) -> str:
    said = """\
## Precision

`--precision bfloat16` pays only where the processor computes with bfloat16 itself, by AVX-512-BF16 or AMX. Elsewhere every
number is converted there and back, and it is slower than float32.
"""
    if not training:
        return said
    found = []
    for row in _timed(training, kind="lockstep", precision="bfloat16"):
        like = {name: row[name] for name in ("networks", "window", "evaluate")}
        for exact in _timed(training, kind="lockstep", precision="float32", **like):
            times = f"{row['ms'] / exact['ms']:.1f} times as long as in float32"
            found.append(f"{exact['how']} with {row['networks']} networks took {times}")
    if not found:
        return said
    native = {True: "has such instructions", False: "has none", None: "does not say whether it has any"}
    these = ";\n".join(found)
    return f"{said}\nThe machine of the table {native[training['native_bfloat16']]}:\n{these}.\n"


def _levers(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [
            [
                row["lever"],
                row["expected"],
                f"{float(row['before_ms']):.0f}",
                f"{float(row['tried_ms']):.0f}",
                f"{float(row['before_ms']) / float(row['tried_ms']):.1f}",
                row["kept"],
            ]
            for row in csv.DictReader(stream)
        ]
    table = _table(["lever", "expected", "before, ms", "tried, ms", "times as fast", "kept"], rows)
    return LEVERS.replace("TABLE", table)


if __name__ == "__main__":
    print(page(), end="")
