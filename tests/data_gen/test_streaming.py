"""What is drawn on the fly is what the folder holds, in every form, epoch and kind of worker."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loaded_scripts import loaded

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen import Dataset, DatasetSpec, draw_sample, generate, stream
from bboxbench.data_gen.draws import ORDER, random_order
from bboxbench.data_gen.fonts import font_path
from bboxbench.data_gen.imported import ImportedSpec
from bboxbench.data_gen.streaming import FORMS
from bboxbench.errors import InputError

SMALL = DatasetSpec.letters(n=97, seed=5, width=32, height=28, sizes=(12, 20))


def gathered(batches: Any) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(np.asarray(x), np.asarray(y)) for x, y in batches]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


def network() -> Any:
    import keras

    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((28, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("adam", "mse")
    return model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(SMALL, tmp_path_factory.mktemp("small") / "data", workers=1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("batch_size", [7, 100])
def test_a_stream_is_the_folders_split_bit_by_bit_in_every_epoch(
    small: Dataset, form: str, split: str, batch_size: int
) -> None:
    batches = stream(SMALL, split=split, batch_size=batch_size, form=form)
    x, y = small.arrays(split)
    assert len(batches) == -(-len(x) // batch_size)
    for _ in range(2):
        pictures, boxes = gathered(batches)
        assert (pictures.dtype, boxes.dtype) == (np.float32, np.float32)
        assert np.array_equal(pictures, x)
        assert np.array_equal(boxes, y)


def test_a_stream_has_the_element_spec_of_the_folder(small: Dataset) -> None:
    assert stream(SMALL).element_spec == small.tf_dataset("train").element_spec


@pytest.mark.parametrize("form", FORMS)
def test_without_a_split_all_samples_come(small: Dataset, form: str) -> None:
    pictures, boxes = gathered(stream(SMALL, form=form, batch_size=10))
    parts = [small.arrays(split) for split in ("train", "validation", "test")]
    assert np.array_equal(pictures, np.concatenate([x for x, _ in parts]))
    assert np.array_equal(boxes, np.concatenate([y for _, y in parts]))


def test_a_seed_takes_the_place_of_the_specs(small: Dataset) -> None:
    other = gathered(stream(SMALL.changed(seed=9), 5, split="train"))
    assert np.array_equal(other[0], small.arrays("train")[0])
    assert not np.array_equal(gathered(stream(SMALL, 6, split="train"))[0], other[0])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("workers", [1, 3])
def test_fit_on_a_stream_gives_the_weights_of_fit_on_the_arrays(small: Dataset, form: str, workers: int) -> None:
    expected, model = network(), network()
    expected.fit(*small.arrays("test"), batch_size=10, epochs=3, shuffle=False, verbose=0)
    batches = stream(SMALL, split="test", batch_size=10, form=form, workers=workers)
    model.fit(batches, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(expected.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.slow
def test_fit_with_worker_processes_gives_the_same_weights(small: Dataset) -> None:
    code = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
        "import numpy as np\n"
        "from test_streaming import SMALL, network\n"
        "from bboxbench.data_gen.streaming import stream\n"
        "weights = []\n"
        "for processes in (False, True):\n"
        "    model = network()\n"
        "    batches = stream(SMALL, split='test', batch_size=10, form='keras', shuffle=True, repeat=True, workers=2,\n"
        "                     use_multiprocessing=processes)\n"
        "    model.fit(batches, steps_per_epoch=3, epochs=4, shuffle=False, verbose=0)\n"
        "    weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))\n"
        "print(np.array_equal(*weights))\n"
    )
    # In a process of its own: Keras forks, which a process with threads of the other tests should not.
    path = json.dumps([str(Path(__file__).parent), *sys.path])
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=300)
    assert done.stdout.split()[-1:] == ["True"], done.stderr


FORTY = SMALL.changed(n=40)
"""In four batches of ten, whose boxes all differ."""


def keras_stream(**changes: Any) -> Any:
    return stream(FORTY, batch_size=10, shuffle=True, **{"form": "keras", **changes})


@pytest.fixture(scope="module")
def names() -> dict[bytes, tuple[int, int]]:
    """Which epoch and batch some targets are of, by their bytes."""
    found = {}
    for epoch in range(5):
        for place, (_, boxes) in enumerate(keras_stream(epoch=epoch)):
            found[boxes.tobytes()] = (epoch, place)
    assert len(found) == 20
    return found


def watched(names: dict[bytes, tuple[int, int]]) -> tuple[Any, list[tuple[int, int]]]:
    """A network, and a list to which the batches are added that it trains on or is measured by."""
    import keras

    seen: list[tuple[int, int]] = []

    def loss(boxes: Any, predicted: Any) -> Any:
        seen.append(names[np.asarray(boxes).tobytes()])
        return keras.ops.mean((boxes - predicted) ** 2, axis=-1)

    model = network()
    model.compile("adam", loss, run_eagerly=True)
    return model, seen


def passes(first: int, batches: int) -> list[tuple[int, int]]:
    """So many batches from the first of a pass on."""
    return [(first + number // 4, number % 4) for number in range(batches)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("steps", "epochs"), [(4, 3), (2, 6), (3, 4), (7, 2)])
def test_a_stream_that_repeats_gives_fit_whole_passes_each_in_its_own_order_however_long_an_epoch_is(
    names: dict[bytes, tuple[int, int]], form: str, workers: int, steps: int, epochs: int
) -> None:
    model, seen = watched(names)
    batches = keras_stream(form=form, workers=workers, repeat=True, epoch=1)
    # Another call gives the same again.
    for _ in range(2):
        model.fit(batches, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=0)
        assert seen == passes(1, steps * epochs)
        seen.clear()


@pytest.mark.parametrize("workers", [1, 2])
def test_whole_epochs_of_fit_keep_to_one_order_without_repeat(
    names: dict[bytes, tuple[int, int]], workers: int
) -> None:
    model, seen = watched(names)
    model.fit(keras_stream(workers=workers, epoch=2), epochs=3, shuffle=False, verbose=0)
    assert seen == 3 * passes(2, 4)


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_evaluate_and_predict_change_no_order(names: dict[bytes, tuple[int, int]], workers: int, repeat: bool) -> None:
    model, seen = watched(names)
    batches = keras_stream(workers=workers, repeat=repeat)
    steps = 4 if repeat else None
    for _ in range(2):
        model.fit(batches, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
        model.evaluate(batches, steps=steps, verbose=0)
        model.predict(batches, steps=steps, verbose=0)
    assert seen == 4 * passes(0, 4)


def test_the_orders_of_two_passes_are_kept_and_no_more() -> None:
    batches = keras_stream(repeat=True)
    expected = {number: batches[number][1].tobytes() for number in range(20)}
    for number in (3, 4, 3, 19, 0, 8):
        assert batches[number][1].tobytes() == expected[number]
        assert len(batches._orders._kept) <= 2


def test_len_counts_the_batches_of_a_pass_of_a_stream_that_repeats() -> None:
    assert len(keras_stream(repeat=True)) == 4


def test_nothing_cannot_be_repeated() -> None:
    assert len(stream(SMALL.changed(n=1), split="train")) == 0
    with pytest.raises(InputError, match="samples to repeat, received 'train' of 1, which has none"):
        stream(SMALL.changed(n=1), split="train", repeat=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_shuffled_stream_has_every_sample_once_and_its_own_box(small: Dataset, form: str) -> None:
    x, y = small.arrays("test")
    pictures, boxes = gathered(stream(SMALL, split="test", batch_size=8, form=form, shuffle=True))
    order = random_order(len(x), SMALL.seed, ORDER, 0)
    assert sorted(order.tolist()) == list(range(len(x)))
    assert np.array_equal(pictures, x[order])
    assert np.array_equal(boxes, y[order])
    assert not np.array_equal(order, random_order(len(x), SMALL.seed, ORDER, 1))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 300), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 1000))
def test_an_order_is_a_permutation_and_a_function_of_its_numbers(n: int, seed: int, epoch: int) -> None:
    order = random_order(n, seed, ORDER, epoch)
    assert sorted(order.tolist()) == list(range(n))
    assert np.array_equal(order, random_order(n, seed, ORDER, epoch))


def test_an_order_is_the_same_on_every_machine() -> None:
    assert random_order(10, 7, ORDER, 2).tolist() == GOLDEN


GOLDEN = [8, 6, 1, 5, 9, 0, 3, 4, 2, 7]


def test_a_large_bound_costs_nothing_until_it_is_drawn() -> None:
    endless = stream(SMALL.changed(n=100_000_000), batch_size=4)
    assert len(endless) == 25_000_000
    pictures, _ = next(iter(endless))
    assert pictures.shape == (4, 28, 32, 1)


def test_keras_streams_can_be_sent_to_processes_that_are_spawned() -> None:
    batches = keras_stream(repeat=True, epoch=3)
    again = pickle.loads(pickle.dumps(batches))
    assert len(again) == len(batches)
    for number in (1, 6):
        for one, other in zip(batches[number], again[number], strict=True):
            assert np.array_equal(one, other)


def test_a_batch_beyond_the_last_is_an_index_error() -> None:
    batches = stream(SMALL, split="train", batch_size=10, form="keras")
    with pytest.raises(IndexError, match="from 0 to 2, received 3"):
        batches[3]


@pytest.mark.parametrize("preset", ["varied", "hard"])
def test_every_preset_streams_what_its_folder_holds(preset: str, tmp_path: Path) -> None:
    spec = DatasetSpec(preset=preset, n=12, width=64, height=48, sizes=(12, 20))
    data = generate(spec, tmp_path / "data", workers=1)
    for mine, folders in zip(gathered(stream(spec, split="test", batch_size=4)), data.arrays("test"), strict=True):
        assert np.array_equal(mine, folders)


def test_a_font_that_is_gone_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    font = Path(shutil.copy(font_path("DejaVuSans"), tmp_path / "Own.ttf"))
    spec = SMALL.changed(fonts=(str(font),))
    assert len(stream(spec)) == 1
    font.unlink()
    with pytest.raises(InputError, match=r"Own\.ttf"):
        stream(spec)


@pytest.mark.parametrize("form", FORMS)
def test_masks_and_class_maps_are_those_of_the_samples(form: str) -> None:
    spec = DatasetSpec(preset="varied", n=9, masks=True, width=48, height=40, sizes=(12, 20))
    samples = [draw_sample(spec, index) for index in range(9)]
    batches = list(stream(spec, batch_size=4, form=form, targets=("box", "mask", "class_map")))
    assert [set(found) for _, found in batches] == [{"box", "mask", "class_map"}] * 3
    found = {name: np.concatenate([np.asarray(each[name]) for _, each in batches]) for name in batches[0][1]}
    assert np.array_equal(found["mask"], np.stack([sample.mask for sample in samples]))
    assert np.array_equal(found["class_map"], np.stack([sample.class_map for sample in samples]))
    assert np.array_equal(found["box"], relative_boxes(np.stack([sample.box for sample in samples]), 48, 40))
    _, alone = next(iter(stream(spec, batch_size=9, form=form, targets="mask")))
    assert np.array_equal(np.asarray(alone), found["mask"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "torch"}, "Unknown form of a stream 'torch'"),
        ({"split": "tests"}, "Unknown split 'tests'. Did you mean 'test'"),
        ({"batch_size": 0}, "batch_size to be a whole number of 1 or more, received 0"),
        ({"batch_size": 2.0}, "received 2.0"),
        ({"workers": True}, "workers to be a whole number of 1 or more"),
        ({"epoch": -1}, "epoch to be a whole number of 0 or more"),
        ({"targets": "boxes"}, "Unknown target 'boxes'. Did you mean 'box'"),
        ({"targets": ()}, "one target or more"),
        ({"targets": ("box", "mask")}, r"spec\.changed\(masks=True\)"),
        ({"use_multiprocessing": True}, "use_multiprocessing with form='keras'"),
        ({"seed": -1}, "seed"),
        ({"shuffle": 100}, "shuffle to be true or false, received 100"),
        ({"repeat": 3}, "repeat to be true or false"),
    ],
)
def test_what_cannot_be_streamed_is_refused_in_words(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        stream(SMALL, **changes)


@pytest.mark.parametrize("other", ["data/letters", ImportedSpec(9, 0, 200, 100, "pad", ("cat",), "0" * 64, 5)])
def test_something_else_than_a_spec_to_draw_is_refused_with_the_way_to_read_it(other: Any) -> None:
    with pytest.raises(InputError, match=rf"received {type(other).__name__}; read .* open_dataset\(folder\)"):
        stream(other)


def test_importing_streams_imports_neither_tensorflow_nor_keras() -> None:
    code = "import sys, bboxbench.data_gen.streaming; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark() -> Any:
    """The command that measures streams, as a module."""
    return loaded("benchmarks/streaming.py")


def parts(text: str) -> tuple[str, str, str]:
    """The page up to its measured block, that block, and the rest."""
    before, _, rest = text.partition("<!-- measured: letters -->\n")
    block, _, after = rest.partition("\n<!-- end of letters -->\n")
    assert block
    assert after
    return before, block, after


def without_numbers(block: str) -> str:
    return re.sub(r"\d[\d,.]*\d|\d", "#", re.sub(r"(streaming\.py)[^`]*", r"\1", block))


def test_all_that_the_page_says_in_measured_numbers_is_written_by_the_benchmark(benchmark: Any) -> None:
    page = (ROOT / "docs" / "streaming.md").read_text("utf-8")
    turns = tuple(benchmark.Turn(rate, cpu) for rate, cpu in ((1000, 7), (1234.5, 0.5), (9000, 0.1)))
    rows = dict.fromkeys(benchmark.ROWS, turns)
    drawing = {"letters": 0.09, "varied": 1.6, "hard": 1.7}
    run = benchmark.Found("python benchmarks/streaming.py", "letters", 2, 4000, 5, drawing, 0.5, rows, rows)
    before, block, after = parts(benchmark.replaced(page, "letters", benchmark.block(run)))
    assert (before, after) == parts(page)[::2]
    assert block.count(" | 1,234 | 0.50 | 0.5 |\n") == len(benchmark.ROWS)
    assert "the slowest had 1,000, the fastest 9,000 pictures" in block
    assert without_numbers(block) == without_numbers(parts(page)[1])
    assert re.findall(r"[\d.,]+ (?:ms|s|seconds|pictures a second)\b", before + after) == []


def test_a_page_without_a_place_for_what_is_measured_is_refused(benchmark: Any) -> None:
    with pytest.raises(SystemExit, match="Expected <!-- measured: hard --> and <!-- end of hard -->"):
        benchmark.replaced("<!-- measured: hard -->\n", "hard", "")


@pytest.mark.slow
def test_the_benchmark_measures_every_row_of_the_page() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "streaming.py"), "--n=20", "--repeats=1", "--print"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    page = (ROOT / "docs" / "streaming.md").read_text("utf-8")
    assert without_numbers(done.stdout.rstrip("\n")) == without_numbers(parts(page)[1])
    assert "`python benchmarks/streaming.py --n=20 --repeats=1`" in done.stdout
