from __future__ import annotations

import inspect

import keras
import pytest

from bboxbench.experiments.report.names import DEFAULTS, short


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_is_left_out_is_kerass_default(name: str) -> None:
    parameters = inspect.signature(type(keras.initializers.get(name)).__init__).parameters
    assert {key: str(parameters[key].default) for key in DEFAULTS[name]} == DEFAULTS[name]


@pytest.mark.parametrize(
    ("full", "said"),
    [
        ("random_normal(mean=0.0,stddev=0.0289)", "random_normal(stddev=0.0289)"),
        ("random_normal(mean=0.5,stddev=0.05), start zeros", "random_normal(mean=0.5), start zeros"),
        ("random_uniform(minval=-0.05,maxval=0.05)", "random_uniform"),
        ("my_random_normal(mean=0.0)", "my_random_normal(mean=0.0)"),
        ("centre_point(size_weight=1.0) under he_normal.", "centre_point(size_weight=1.0) under he_normal."),
    ],
)
def test_initializers_are_short_within_any_words(full: str, said: str) -> None:
    assert short(full) == said
    assert short(said) == said
