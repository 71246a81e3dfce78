from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from forged_shards import forge
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import Dataset, DatasetSpec, draw_sample, verify
from bboxbench.data_gen.packing import pack
from bboxbench.data_gen.verification import ink_from_pixels
from bboxbench.errors import InputError


@pytest.mark.parametrize("workers", [1, 2])
def test_every_box_of_a_sound_data_set_is_exact(tiny: Dataset, workers: int) -> None:
    calls: list[tuple[int, int]] = []
    found = verify(tiny.folder, workers, lambda done, total: calls.append((done, total)))
    assert (found.total, found.exact, found.problems) == (2300, 2300, [])
    assert calls[0] == (0, 2300)
    assert calls[-1] == (2300, 2300)


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("by", [-1, 1])
def test_a_side_that_is_off_by_one_is_found_even_with_matching_hashes(copy: Path, side: int, by: int) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays["boxes"][7, side] += by

    forge(copy, change)
    found = verify(copy, workers=1)
    assert found.exact == 2299
    assert any("00001.npz: sample 1007: recorded the box" in problem for problem in found.problems)


def test_a_stray_pixel_moves_the_box_that_the_pixels_show(copy: Path) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        box = arrays["boxes"][0]
        x, y = (0 if box[0] > 0 else 63), (0 if box[1] > 0 else 47)
        arrays["images"][0, y, x] ^= 1

    forge(copy, change)
    assert verify(copy, workers=1).exact == 2299


def test_a_wrong_background_or_contrast_is_found(copy: Path) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays["backgrounds"][3] = arrays["inks"][3]

    forge(copy, change)
    problems = "\n".join(verify(copy, workers=1).problems)
    assert "sample 1003: recorded the background" in problems
    assert "sample 1003: contrast 0, expected 64 or more" in problems


def test_a_changed_row_of_the_table_is_found(copy: Path) -> None:
    path = copy / "boxes.csv"
    lines = path.read_text().split("\n")
    lines[1501] = lines[1501].replace(",", ",9", 2)
    path.write_text("\n".join(lines))
    found = verify(copy, workers=1)
    assert found.exact == 2299
    assert found.problems[0].startswith("boxes.csv: sample 1500: expected ")


@pytest.mark.parametrize("harm", ["gone", "short", "long", "columns", "no text", "one line"])
def test_a_table_that_is_not_as_it_was_is_found(copy: Path, harm: str) -> None:
    path = copy / "boxes.csv"
    text = path.read_text()
    if harm == "gone":
        path.unlink()
    else:
        harmed = {
            "short": text[: text.rindex("\n", 0, -1) + 1],
            "long": text + "2300\n",
            "columns": text.replace("xmin", "x", 1),
            "no text": text.replace("train", "tr\udcffin", 1),
            "one line": text.replace("\n", " "),
        }[harm]
        path.write_text(harmed, errors="surrogateescape")
    found = verify(copy, workers=1)
    assert found.problems
    assert "boxes.csv" in found.problems[0]
    exact = {"gone": 0, "short": 2299, "long": 2300, "columns": 2300, "no text": 0, "one line": 0}
    assert found.exact == exact[harm]


def test_a_table_that_is_gone_is_one_problem_and_not_one_a_row(copy: Path) -> None:
    (copy / "boxes.csv").unlink()
    assert len(verify(copy, workers=1).problems) == 1


def test_a_missing_and_an_altered_shard_are_named_and_the_rest_is_still_checked(copy: Path) -> None:
    (copy / "shards" / "00000.npz").unlink()
    path = copy / "shards" / "00002.npz"
    with np.load(path) as shard:
        arrays = dict(shard)
    arrays["sizes"][0] += 1
    path.write_bytes(pack(arrays))
    found = verify(copy, workers=2)
    assert found.exact == 1299
    assert "00000.npz is missing" in found.problems[0]
    assert "00002.npz: its sizes are not those that were written" in found.problems[1]


def test_a_folder_without_a_finished_data_set_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        verify(tmp_path)


@given(st.integers(0, 10**6))
def test_the_box_of_the_pixels_is_the_one_that_was_drawn(seed: int) -> None:
    sample = draw_sample(DatasetSpec.letters(n=1, seed=seed), 0)
    ink, background = ink_from_pixels(sample.image)
    assert ink is not None
    assert (mask_to_box(ink), background) == (tuple(sample.box.tolist()), sample.background)


def test_a_picture_of_one_colour_has_no_ink() -> None:
    ink, background = ink_from_pixels(np.full((10, 20, 3), 7, np.uint8))
    assert ink is not None
    assert not ink.any()
    assert background == (7, 7, 7)


def test_a_picture_without_a_majority_has_no_background() -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    image[:, :10] = 200
    assert ink_from_pixels(image) == (None, None)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32), st.sampled_from([0.05, 0.3, 0.5, 0.6]))
def test_the_background_is_what_more_than_half_of_the_pixels_have_wherever_they_are(
    height: int, width: int, seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = rng.integers(0, 2, 3)
    ink = rng.random((height, width)) < share
    image[ink] = rng.integers(0, 3, (int(ink.sum()), 3))
    counts = Counter(map(tuple, image.reshape(-1, 3).tolist()))
    colour, most = counts.most_common(1)[0]
    if 2 * most > height * width:
        seen, background = ink_from_pixels(image)
        np.testing.assert_array_equal(seen, (image != colour).any(axis=2))
        assert background == colour
    else:
        assert ink_from_pixels(image) == (None, None)
