"""What one sees of a network that learns: boxes where they are, the same pictures in every frame, no frame lost."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bboxbench.data_gen import Dataset
from bboxbench.experiments.models.film import Film, Frame, Scene, choose_scenes, early_first, evenly
from bboxbench.experiments.models.overlay import PREDICTED, TRUE, draw_box, enlarged


def painted(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """The tightest half-open box round all pixels of a colour."""
    mask = (np.asarray(picture) == colour).all(-1)
    return Image.fromarray(mask).getbbox()


def grey_page(width: int = 100, height: int = 60) -> Image.Image:
    return Image.new("RGB", (width, height), (90, 90, 90))


def test_a_box_is_drawn_centred_on_its_sides() -> None:
    page = grey_page()
    draw_box(page, (20, 10, 70, 40), colour=TRUE, line=2)
    assert painted(page, TRUE) == (19, 9, 71, 41)


@pytest.mark.parametrize("dashed", [False, True])
def test_a_box_on_the_edge_is_seen_and_one_beyond_it_is_not(dashed: bool) -> None:
    page = grey_page()
    draw_box(page, (0, 0, 100, 60), colour=PREDICTED, dashed=dashed, line=2)
    assert painted(page, PREDICTED) == (0, 0, 100, 60)
    page = grey_page()
    draw_box(page, (-1e6, -1e6, 1e6, 1e6), colour=PREDICTED, dashed=dashed, line=2)
    assert painted(page, PREDICTED) is None


def test_a_box_with_exchanged_corners_is_drawn_and_one_without_area_is_a_dot() -> None:
    page = grey_page()
    draw_box(page, (70, 40, 20, 10), colour=TRUE, line=2)
    assert painted(page, TRUE) == (19, 9, 71, 41)
    page = grey_page()
    draw_box(page, (50, 30, 50, 30), colour=TRUE, line=2)
    found = painted(page, TRUE)
    assert found is not None
    assert (found[2] - found[0], found[3] - found[1]) == (2, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_box_that_is_no_number_draws_nothing(bad: float) -> None:
    page = grey_page()
    draw_box(page, (20, 10, bad, 40), colour=TRUE)
    assert np.array_equal(np.asarray(page), np.asarray(grey_page()))


def test_an_enlarged_picture_keeps_every_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    large = np.asarray(enlarged(picture, 3))
    assert large.shape == (15, 21, 3)
    assert np.array_equal(large[1::3, 1::3], picture)


def test_the_scenes_lie_in_different_quarters_and_are_those_of_the_split(small_dataset: Dataset) -> None:
    scenes = choose_scenes(small_dataset, "test")
    centres = [((s.box[0] + s.box[2]) / 2 >= 100, (s.box[1] + s.box[3]) / 2 >= 50) for s in scenes]
    assert len(set(centres)) == len(scenes) == 4
    boxes, grey = small_dataset.boxes("test").tolist(), small_dataset.grey("test")
    for scene in scenes:
        assert np.array_equal(scene.grey, grey[boxes.index(scene.box.tolist())])


def test_scenes_can_be_chosen_among_the_first_alone(small_dataset: Dataset) -> None:
    first = small_dataset.boxes("train")[:2].tolist()
    assert all(scene.box.tolist() in first for scene in choose_scenes(small_dataset, "train", 2))


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 61, 301])
@pytest.mark.parametrize("choose", [early_first, evenly])
def test_chosen_epochs_have_the_first_and_the_last_and_none_twice(count: int, choose: object) -> None:
    chosen = choose(count, 10)  # type: ignore[operator]  # one of two functions
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(count, 10)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    if count <= 10:
        assert chosen == list(range(count))


def scene(number: int) -> Scene:
    image = np.full((20, 40, 3), (20 + 30 * number, 200, 40), np.uint8)
    return Scene(image, image[..., 0], np.array([5, 5, 15, 15], np.int16))


def film(epochs: int, scenes: int = 4) -> Film:
    made = Film(
        "a title that is quite long, glorot_uniform, adam 0.0005, seed 0", list(map(scene, range(scenes))), epochs
    )
    for epoch in range(epochs + 1):
        box = [epoch, 2, epoch + 10, 12] if epoch != 1 else [np.nan] * 4
        made.add(Frame(epoch, np.tile(np.array(box, np.float64), (scenes, 1)), ("mean IoU 0.41",)))
    return made


@pytest.mark.parametrize("scenes", [1, 2, 3, 4])
def test_an_animation_has_a_frame_an_epoch_and_the_last_one_stays(scenes: int) -> None:
    gif = Image.open(io.BytesIO(film(5, scenes).animation()))
    assert gif.n_frames == 6
    times = []
    for frame in range(gif.n_frames):
        gif.seek(frame)
        times.append(gif.info["duration"])
    assert min(times) == times[0]
    assert times[-1] > 2 * times[0]
    assert gif.info["loop"] == 0


def test_paper_and_boxes_keep_their_colours_in_a_palette() -> None:
    gif = Image.open(io.BytesIO(film(5).animation()))
    for frame in (0, 1, 5):
        gif.seek(frame)
        colours = {colour for _, colour in gif.convert("RGB").getcolors(1 << 20) or []}
        assert {(255, 255, 255), TRUE} <= colours
        assert (PREDICTED in colours) or frame == 1
    strip = Image.open(io.BytesIO(film(5).strip())).convert("RGB")
    assert strip.getpixel((1, 1)) == (255, 255, 255)


def test_a_long_training_gives_a_strip_that_can_be_looked_at() -> None:
    long, short = (Image.open(io.BytesIO(film(epochs).strip())) for epochs in (300, 9))
    assert long.size == short.size
    assert Image.open(io.BytesIO(film(300).animation())).n_frames == 60
