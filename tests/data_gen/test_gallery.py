from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import Dataset, DatasetSpec, draw_sample, generate, preview
from bboxbench.data_gen.gallery import _framed, box_colour
from bboxbench.errors import InputError


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_the_frame_covers_just_the_box(scale: int) -> None:
    spec = DatasetSpec.letters(n=40)
    for index in range(40):
        sample = draw_sample(spec, index)
        framed = np.asarray(_framed(sample, scale))
        pen = mask_to_box((framed == np.array(box_colour(sample.ink, sample.background))).all(axis=-1))
        assert pen == tuple((sample.box * scale).tolist())


def test_the_pen_can_be_told_from_ink_and_background() -> None:
    spec = DatasetSpec.letters(n=300)
    for index in range(300):
        sample = draw_sample(spec, index)
        pen = np.array(box_colour(sample.ink, sample.background))
        assert min(np.abs(pen - sample.ink).max(), np.abs(pen - sample.background).max()) >= 60


def test_a_gallery_holds_the_pictures_as_they_are_on_disk(tiny: Dataset, tmp_path: Path) -> None:
    path = preview(tiny, tmp_path / "new" / "page.png", count=5, columns=3)
    page = np.asarray(Image.open(path).convert("RGB"))
    colours = {tuple(pixel) for pixel in page.reshape(-1, 3)[::7].tolist()}
    assert all(draw_sample(tiny.spec, index).background in colours for index in range(5))
    assert draw_sample(tiny.spec, 6).background not in colours


@pytest.mark.parametrize(("count", "columns"), [(1, None), (7, 2), (60, 20), (3, 400)])
def test_any_count_and_number_of_columns_makes_a_page(
    tiny: Dataset, tmp_path: Path, count: int, columns: int | None
) -> None:
    path = preview(tiny.folder, tmp_path / "page.png", count, columns)
    with Image.open(path) as page:
        wide = min(columns or 1, count)
        assert page.width > 300 * wide


def test_more_than_there_are_shows_all(tmp_path: Path) -> None:
    data = generate(DatasetSpec.letters(n=2), tmp_path / "two")
    assert preview(data, tmp_path / "page.png", count=24).is_file()


@pytest.mark.parametrize("changes", [{"count": 0}, {"count": 401}, {"count": 2.0}, {"columns": 0}])
def test_numbers_out_of_range_are_refused(tiny: Dataset, tmp_path: Path, changes) -> None:
    with pytest.raises(InputError, match="from 1 to 400"):
        preview(tiny, tmp_path / "page.png", **changes)
    assert not (tmp_path / "page.png").exists()


@pytest.mark.parametrize("name", ["page.jpg", "page", "folder.png"])
def test_a_path_that_is_no_png_is_refused(tiny: Dataset, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"\.png file"):
        preview(tiny, tmp_path / name)
