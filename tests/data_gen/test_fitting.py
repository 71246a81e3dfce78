"""Pictures of any size brought to one: the box goes where the object goes, nothing is invented beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bboxbench.data_gen.fitting import FITS, Fitting, fit_picture

sides = st.integers(1, 400)
sizes = st.tuples(sides, sides)
fits = st.sampled_from(FITS)


@st.composite
def pictures_with_an_object(draw: st.DrawFn) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A picture with one white rectangle on black, and the rectangle."""
    width, height = draw(sizes)
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[top:bottom, left:right] = 255
    return Image.fromarray(pixels), (left, top, right, bottom)


def seen_edges(profile: np.ndarray) -> tuple[int, int]:
    """Where a profile of grey levels rises above half of its peak and falls below it."""
    bright = np.flatnonzero(profile >= profile.max() / 2)
    return int(bright[0]), int(bright[-1]) + 1


@given(pictures_with_an_object(), sizes, fits)
def test_the_box_covers_the_object_in_the_fitted_pixels(
    drawn: tuple[Image.Image, tuple[int, int, int, int]], size: tuple[int, int], fit: str
) -> None:
    picture, box = drawn
    place = Fitting.of(picture.size, size, fit)
    exact, rounded = place.exact(box), place.rounded(box)
    inside = place.inside(fit_picture(picture, size, fit))[..., 0].astype(int)
    found = (*seen_edges(inside.max(axis=0)), *seen_edges(inside.max(axis=1)))
    for low, high, start, many in ((0, 1, place.left, place.width), (2, 3, place.top, place.height)):
        axis = (0, 2) if low == 0 else (1, 3)
        for edge, seen in zip(axis, (found[low], found[high]), strict=True):
            # Rounding moves an edge by half a pixel at most, or to the pixel that a vanishing side becomes.
            vanishes = exact[axis[1]] - exact[axis[0]] < 1
            assert abs(rounded[edge] - exact[edge]) <= (1 if vanishes else 0.5) + 1e-9
            # A side of less than four pixels, before or after, has no plateau to tell half of the peak from.
            if min(exact[axis[1]] - exact[axis[0]], box[axis[1]] - box[axis[0]]) >= 4:
                # Half a pixel, and a little where the border of the picture bends the profile.
                assert abs(start + seen - exact[edge]) <= 0.6
                assert abs(start + seen - rounded[edge]) <= 1
        assert start <= rounded[axis[0]] < rounded[axis[1]] <= start + many


@given(sizes, sizes)
def test_padding_keeps_proportions_and_fills_one_side(source: tuple[int, int], size: tuple[int, int]) -> None:
    place = Fitting.of(source, size, "pad")
    assert place.width == size[0] or place.height == size[1]
    assert place.width <= size[0]
    assert place.height <= size[1]
    factor = min(size[0] / source[0], size[1] / source[1])
    assert abs(place.width - source[0] * factor) <= max(0.5, 1 - source[0] * factor) + 1e-9
    assert abs(place.height - source[1] * factor) <= max(0.5, 1 - source[1] * factor) + 1e-9
    # In the middle, an odd pixel to the right or below.
    assert (size[0] - place.width) - 2 * place.left in (0, 1)
    assert (size[1] - place.height) - 2 * place.top in (0, 1)


@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_padding_has_the_mean_colour_of_the_picture_and_is_recognised(
    source: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (source[1], source[0], 3), np.uint8)
    fitted = fit_picture(Image.fromarray(pixels), size, "pad")
    place = Fitting.of(source, size, "pad")
    assert place.padding_is_plain(fitted)
    outside = np.ones(fitted.shape[:2], bool)
    outside[place.top : place.top + place.height, place.left : place.left + place.width] = False
    if outside.any():
        mean = place.inside(fitted).reshape(-1, 3).mean(axis=0)
        assert np.abs(fitted[outside] - mean).max() <= 0.5
        row, column = np.argwhere(outside)[-1]
        fitted[row, column, 1] ^= 1
        assert not place.padding_is_plain(fitted)


@given(sizes, fits, st.data())
def test_a_picture_that_has_its_size_keeps_pixels_and_box(size: tuple[int, int], fit: str, data: st.DataObject) -> None:
    pixels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert (fit_picture(Image.fromarray(pixels), size, fit) == pixels).all()
    left, top = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    box = (left, top, data.draw(st.integers(left + 1, size[0])), data.draw(st.integers(top + 1, size[1])))
    assert Fitting.of(size, size, fit).rounded(box) == box


@given(sizes, sizes, fits, st.lists(st.floats(-1, 402), min_size=4, max_size=4))
def test_every_box_comes_inside_the_picture_with_a_pixel_at_least(
    source: tuple[int, int], size: tuple[int, int], fit: str, numbers: list[float]
) -> None:
    box = (*sorted(numbers[:2]), *sorted(numbers[2:]))
    place = Fitting.of(source, size, fit)
    left, top, right, bottom = place.rounded((box[0], box[2], box[1], box[3]))
    assert place.left <= left < right <= place.left + place.width
    assert place.top <= top < bottom <= place.top + place.height


def test_a_wide_picture_is_padded_above_and_below() -> None:
    place = Fitting.of((400, 100), (200, 100), "pad")
    assert (place.left, place.top, place.width, place.height) == (0, 25, 200, 50)
    assert place.rounded((100, 20, 200, 60)) == (50, 35, 100, 55)


def test_a_stretched_picture_has_a_factor_for_each_side() -> None:
    place = Fitting.of((400, 50), (200, 100), "stretch")
    assert (place.left, place.top, place.width, place.height) == (0, 0, 200, 100)
    assert place.rounded((100, 20, 200, 30)) == (50, 40, 100, 60)


@pytest.mark.parametrize(("box", "rounded"), [((0.5, 0, 2.5, 1), (1, 0, 3, 1)), ((1.49, 0, 2.49, 1), (1, 0, 2, 1))])
def test_edges_are_rounded_to_nearest_and_halves_up(
    box: tuple[float, float, float, float], rounded: tuple[int, int, int, int]
) -> None:
    assert Fitting.of((4, 1), (4, 1), "pad").rounded(box) == rounded


def test_an_object_too_small_for_a_pixel_becomes_the_pixel_of_its_middle() -> None:
    place = Fitting.of((1000, 10), (10, 10), "stretch")
    assert place.rounded((540, 0, 550, 10)) == (5, 0, 6, 10)
    assert place.rounded((998, 0, 1000, 10)) == (9, 0, 10, 10)
