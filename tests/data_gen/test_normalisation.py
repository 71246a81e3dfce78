from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bboxbench.data_gen import normalise, to_grey_levels
from bboxbench.errors import InputError


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))
def test_grey_levels_survive_the_way_there_and_back(grey: np.ndarray) -> None:
    x = normalise(grey)
    assert (x.shape, x.dtype) == ((*grey.shape, 1), np.float32)
    np.testing.assert_array_equal(to_grey_levels(x), grey)


def test_the_levels_are_those_of_the_formula() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(normalise(levels)[:, 0], ((np.arange(256) - 127.5) / 127.5).astype(np.float32))
    assert (normalise(levels).min(), normalise(levels).max()) == (-1, 1)


@given(hnp.arrays(np.float32, (6, 1), elements=st.floats(-10, 10, width=32)))
def test_values_beyond_the_range_are_cut(x: np.ndarray) -> None:
    np.testing.assert_array_equal(to_grey_levels(x), to_grey_levels(np.clip(x, -1, 1)))


def test_pictures_of_another_type_or_shape_are_refused() -> None:
    with pytest.raises(InputError, match="uint8"):
        normalise(np.zeros((2, 2)))
    with pytest.raises(InputError, match="one channel"):
        to_grey_levels(np.zeros((2, 2, 3)))
