from __future__ import annotations

import numpy as np
import pytest
from without_glyphs import without_glyph

from bboxbench.data_gen import DatasetSpec, draw_sample
from bboxbench.data_gen.noise import add_noise, sensor_noise


def test_noise_is_normal_with_the_deviation_it_says_independent_for_every_pixel_and_channel() -> None:
    spec = DatasetSpec.letters(noise=40, background="gradient", n=100)
    deviations = []
    for index in range(40):
        deviation, noise = sensor_noise(spec, index)
        assert noise is not None
        deviations.append(deviation)
        assert noise.shape == (100, 200, 3)
        # Of less, rounding to whole levels is a large part.
        if deviation > 8:
            assert noise.std() == pytest.approx(deviation, rel=0.03)
            assert abs(noise.mean()) < 4 * deviation / noise.size**0.5
            # Of a normal distribution 4.55 % lie beyond two standard deviations.
            assert (np.abs(noise) > 2 * deviation + 0.5).mean() == pytest.approx(0.0455, abs=0.01)
            flat = noise.reshape(-1, 3).astype(float)
            for other in (flat[:, 1], np.roll(flat[:, 0], 1)):
                assert abs(np.corrcoef(flat[:, 0], other)[0, 1]) < 0.04
    assert min(deviations) < 8
    assert max(deviations) > 32


def test_a_spec_without_noise_adds_none() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert sensor_noise(DatasetSpec.letters(), 0) == (0.0, None)
    assert add_noise(image, None) is image


def test_noise_is_cut_to_what_an_octet_holds() -> None:
    image = np.array([[[0, 100, 255]]], np.uint8)
    noise = np.array([[[-9, -9, 9]]], np.int16)
    assert add_noise(image, noise).tolist() == [[[0, 91, 255]]]


def test_outside_of_its_glyph_a_picture_is_just_the_same_picture_without_it() -> None:
    spec = DatasetSpec.letters(noise=20, background=("texture", "noise"), blur=1, n=100)
    for index in range(20):
        sample = draw_sample(spec, index)
        xmin, ymin, xmax, ymax = sample.box.tolist()
        outside = np.ones(sample.image.shape[:2], bool)
        outside[ymin:ymax, xmin:xmax] = False
        np.testing.assert_array_equal(sample.image[outside], without_glyph(spec, sample)[outside])
