from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forged_shards import forge, forge_table
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.boxes import relative_boxes, to_pixels
from bboxbench.data_gen import Dataset, DatasetSpec, draw_sample, generate, normalise, open_dataset, to_grey_levels
from bboxbench.data_gen.attributes import columns_of
from bboxbench.data_gen.colours import hexadecimal, luma_of_images
from bboxbench.data_gen.manifest import SCHEMA
from bboxbench.data_gen.splits import split_ranges
from bboxbench.errors import InputError


@given(st.integers(1, 10**8))
def test_the_splits_tile_the_data_set_in_order(n: int) -> None:
    train, validation, test = split_ranges(n).values()
    assert (train.start, train.stop, validation.stop, test.stop) == (0, validation.start, test.start, n)
    assert len(train) == 3 * n // 10
    assert len(train) + len(validation) == n // 2


def test_the_default_count_is_cut_into_12000_8000_20000() -> None:
    assert [len(rows) for rows in split_ranges(40_000).values()] == [12_000, 8_000, 20_000]


def test_all_readers_agree_with_each_other(tiny: Dataset) -> None:
    for name in ("train", "validation", "test"):
        images, grey, boxes = tiny.images(name), tiny.grey(name), tiny.boxes(name)
        x, y = tiny.arrays(name)
        n = len(tiny.split(name))
        assert (images.shape, images.dtype) == ((n, 48, 64, 3), np.uint8)
        assert (grey.shape, grey.dtype) == ((n, 48, 64), np.uint8)
        assert (boxes.shape, boxes.dtype) == ((n, 4), np.int16)
        assert (x.shape, x.dtype, y.shape, y.dtype) == ((n, 48, 64, 1), np.float32, (n, 4), np.float32)
        np.testing.assert_array_equal(grey, luma_of_images(images))
        np.testing.assert_array_equal(x, normalise(grey))
        np.testing.assert_array_equal(to_grey_levels(x), grey)
        np.testing.assert_array_equal(y, relative_boxes(boxes, 64, 48))
        np.testing.assert_array_equal(np.rint(to_pixels(y, 64, 48)), boxes)


def test_samples_come_from_disk_with_all_their_attributes(tiny: Dataset) -> None:
    for sample in tiny.samples(range(990, 1010)):
        drawn = draw_sample(tiny.spec, sample.index)
        np.testing.assert_array_equal(sample.image, drawn.image)
        for name in ("index", "glyph", "font", "size", "ink", "background", "contrast"):
            assert getattr(sample, name) == getattr(drawn, name)


def test_the_table_has_a_row_a_sample(tiny: Dataset) -> None:
    table = tiny.table()
    assert tuple(table.columns) == columns_of(tiny.spec)
    assert len(table) == tiny.n
    for index in (0, 700, 1200, 2299):
        row, sample = table.iloc[index], draw_sample(tiny.spec, index)
        assert row["index"] == index
        assert index in tiny.split(row["split"])
        assert row[["xmin", "ymin", "xmax", "ymax"]].tolist() == sample.box.tolist()
        assert (row["glyph"], row["codepoint"]) == (sample.glyph, ord(sample.glyph))
        assert (row["font"], row["size"], row["contrast"]) == (sample.font, sample.size, sample.contrast)
        assert (row["ink"], row["background"]) == (hexadecimal(sample.ink), hexadecimal(sample.background))


def test_glyphs_that_csv_or_pandas_could_misread_come_back_as_they_were(tmp_path: Path) -> None:
    spec = DatasetSpec.letters(n=60, glyphs=",\"1#'", width=64, height=48, sizes=(16, 24))
    table = generate(spec, tmp_path / "data").table()
    assert table["glyph"].tolist() == [draw_sample(spec, index).glyph for index in range(60)]
    assert set(table["glyph"]) == set(spec.glyphs)


@pytest.mark.slow
def test_tf_data_gives_the_same_numbers_in_batches(tiny: Dataset) -> None:
    x, y = tiny.arrays("validation")
    batches = list(tiny.tf_dataset("validation", batch_size=100).as_numpy_iterator())
    assert [len(pictures) for pictures, _ in batches] == [100] * 4 + [60]
    np.testing.assert_array_equal(np.concatenate([pictures for pictures, _ in batches]), x)
    np.testing.assert_array_equal(np.concatenate([boxes for _, boxes in batches]), y)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_a_batch_size_that_makes_no_sense_is_refused(tiny: Dataset, batch_size) -> None:
    with pytest.raises(InputError, match="batch_size"):
        tiny.tf_dataset("train", batch_size=batch_size)


def test_an_unknown_split_is_answered_with_the_nearest(tiny: Dataset) -> None:
    with pytest.raises(InputError, match="Did you mean 'validation'"):
        tiny.boxes("validaton")


def test_indices_beyond_the_data_set_are_refused(tiny: Dataset) -> None:
    with pytest.raises(InputError, match="from 0 to 2299"):
        list(tiny.samples(range(2299, 2301)))


def test_a_data_set_of_one_has_empty_splits_that_can_be_read(tmp_path: Path) -> None:
    data = generate(DatasetSpec.letters(n=1), tmp_path / "one")
    assert data.images("train").shape == (0, 100, 200, 3)
    assert data.arrays("validation")[0].shape == (0, 100, 200, 1)
    assert data.arrays("test")[1].shape == (1, 4)


def test_what_is_not_harmed_can_still_be_read(copy: Path) -> None:
    (copy / "shards" / "00002.npz").unlink()
    assert open_dataset(copy).images("train").shape[0] == 690


def test_a_table_or_shard_that_is_gone_is_bad_input(copy: Path) -> None:
    data = open_dataset(copy)
    (copy / "boxes.csv").unlink()
    with pytest.raises(InputError, match=r"Cannot read .*boxes\.csv: it does not exist\. Restore it: "):
        data.table()
    (copy / "shards" / "00001.npz").unlink()
    with pytest.raises(InputError, match=r"Cannot read .*00001\.npz"):
        _ = data.size_on_disk


def test_a_changed_table_is_refused(copy: Path) -> None:
    path = copy / "boxes.csv"
    path.write_text(path.read_text().replace("train", "test", 1))
    with pytest.raises(InputError, match=r"boxes\.csv was changed"):
        open_dataset(copy).table()


def edit(folder: Path, change: Callable[[dict], None]) -> None:
    path = folder / "dataset.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema=SCHEMA + 1), "newer bboxbench"),
        (lambda m: m.update(kind="x"), "say kind"),
        (lambda m: m.update(sha256="0" * 64), "was changed"),
        (lambda m: m["spec"].update(colour="red"), "Unknown field"),
        (lambda m: m["spec"].update(n=2000), "2 samples|lists 3 shards"),
        (lambda m: m["shards"].pop(), "lists 2 shards"),
        (lambda m: m["shards"].reverse(), "00000"),
        (lambda m: m["shards"][1].update(file="../../secret.npz"), "00001"),
        (lambda m: m["shards"][1]["arrays"].update(boxes="0" * 64), "was changed"),
        (lambda m: m.pop("shards"), "lacks"),
        (lambda m: m.pop("spec"), "spec"),
    ],
)
def test_a_manifest_that_contradicts_itself_or_is_too_new_is_refused(copy: Path, change, message: str) -> None:
    edit(copy, change)
    with pytest.raises(InputError, match=message):
        open_dataset(copy)


def test_the_identity_does_not_depend_on_how_the_manifest_is_written(tiny: Dataset, copy: Path) -> None:
    edit(copy, lambda m: m.update(versions={}))
    assert open_dataset(copy).sha256 == tiny.sha256


def test_a_folder_without_a_data_set_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"which has no dataset\.json\. Draw one: bboxbench generate\.$"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="found nothing"):
        open_dataset(tmp_path / "none")


@pytest.mark.parametrize("heavy", ["tensorflow", "keras", "pandas", "matplotlib"])
def test_drawing_and_reading_import_nothing_heavy(heavy: str, tiny: Dataset) -> None:
    code = (
        "import sys; from bboxbench.data_gen import open_dataset, verify, preview;"
        f"open_dataset({str(tiny.folder)!r}).grey('train'); print({heavy!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_data_set_shows_its_place_and_sizes(tiny: Dataset) -> None:
    assert repr(tiny) == f"<Dataset {tiny.folder}: 2,300 pictures of 64x48; train 690, validation 460, test 1,150>"


def test_the_classes_are_the_glyphs_in_the_specs_order(tiny: Dataset) -> None:
    assert tiny.classes == tuple(tiny.spec.glyphs)
    assert {sample.glyph for sample in tiny.samples(range(60))} <= set(tiny.classes)


def forged_everywhere(folder: Path, change: Callable[[dict[str, np.ndarray]], object]) -> Dataset:
    """Shard, table and every hash say the same wrong thing."""
    forge(folder, change)
    forge_table(folder)
    return open_dataset(folder)


@pytest.mark.parametrize(
    "box",
    [
        *((-1, 0, 20, 20), (0, -1, 20, 20), (40, 5, 65, 20), (5, 40, 20, 49), (20, 5, 10, 20), (5, 20, 20, 10)),
        *((5, 5, 5, 20), (5, 5, 20, 5), (-5, -5, 500, 900), (70, 5, 80, 9)),
    ],
    ids=str,
)
def test_a_box_that_is_not_inside_its_picture_is_refused_whatever_the_hashes_say(copy: Path, box: tuple[int]) -> None:
    data = forged_everywhere(copy, lambda arrays: np.copyto(arrays["boxes"][7], box))
    told = re.escape(str(box))
    for read in (data.boxes, data.arrays):
        with pytest.raises(InputError, match=rf"00001\.npz holds .* at sample 1007 \(the box {told} in .* 64x48\)"):
            read("test")
    with pytest.raises(InputError, match=rf"00001\.npz holds .* at sample 1007 \(the box {told} in .* 64x48\)"):
        list(data.samples([1500]))
    with pytest.raises(InputError, match=rf"boxes\.csv holds .* \(sample 1007: the box {told}\).*Restore it: "):
        data.table()
    assert data.images("test").shape[0] == 1150


def test_boxes_that_fill_their_picture_or_are_one_pixel_are_read(copy: Path) -> None:
    boxes = [(0, 0, 64, 48), (0, 0, 1, 1), (63, 47, 64, 48)]
    data = forged_everywhere(copy, lambda arrays: np.copyto(arrays["boxes"][200:203], boxes))
    assert data.boxes("test")[50:53].tolist() == [list(box) for box in boxes]
    assert data.table().loc[1200:1202, ["xmin", "ymin", "xmax", "ymax"]].to_numpy().tolist() == list(map(list, boxes))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("codepoints", ord("1"), r"the codepoint 49, which is none of its glyphs"),
        ("codepoints", 0x110000, r"the codepoint 1114112, which is none of its glyphs"),
        ("fonts", 2, r"the font number 2, not from 0 to 1"),
        ("sizes", 15, r"the size 15, not from 16 to 24"),
        ("sizes", 25, r"the size 25, not from 16 to 24"),
    ],
)
def test_a_sample_that_its_spec_cannot_have_is_refused_by_name(copy: Path, name: str, value: int, message: str) -> None:
    forge(copy, lambda arrays: np.copyto(arrays[name][7:8], value))
    data = open_dataset(copy)
    with pytest.raises(InputError, match=rf"00001\.npz holds .* at sample 1007 \({message}\).*Restore it: ") as caught:
        list(data.samples([1007]))
    assert "\n" not in str(caught.value)
    assert len(list(data.samples([999]))) == 1


def test_a_table_of_another_class_or_another_form_is_refused(copy: Path) -> None:
    forge(copy, lambda arrays: np.copyto(arrays["codepoints"][7:8], ord("1")))
    forge_table(copy)
    with pytest.raises(InputError, match=r"boxes\.csv holds .*\(sample 1007: the class '1'\)"):
        open_dataset(copy).table()
    path = copy / "boxes.csv"
    whole = path.read_text()
    for text in ("", "a,b\n1,2\n", whole.replace("xmin", "x", 1), whole + whole[-60:], '"' + whole, "1,2\n1,2,3\n"):
        path.write_text(text)
        edit(copy, lambda m: m["boxes_csv"].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
        with pytest.raises(InputError, match=r"boxes\.csv holds .*Restore it: ") as caught:
            open_dataset(copy).table()
        assert "\n" not in str(caught.value)
