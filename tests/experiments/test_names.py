from __future__ import annotations

import pytest

from bboxbench.experiments.names import short


@pytest.mark.parametrize(
    ("full", "said"),
    [
        ("random_normal(mean=0.0,stddev=0.0289)", "random_normal(stddev=0.0289)"),
        ("random_normal(mean=0.5,stddev=0.05), start zeros", "random_normal(mean=0.5,stddev=0.05), start zeros"),
        ("truncated_normal(mean=0.0,stddev=1e-05)", "truncated_normal(stddev=1e-05)"),
        ("random_uniform(minval=-0.05,maxval=0.05)", "random_uniform(±0.05)"),
        ("random_uniform(minval=-0.05,maxval=0.055)", "random_uniform(minval=-0.05,maxval=0.055)"),
        ("random_uniform(minval=-0.05,maxval=0.1)", "random_uniform(minval=-0.05,maxval=0.1)"),
        ("my_random_normal(mean=0.0,stddev=1.0)", "my_random_normal(mean=0.0,stddev=1.0)"),
        ("centre_point(size_weight=1.0) under he_normal.", "centre_point(size_weight=1.0) under he_normal."),
    ],
)
def test_initializers_are_short_within_any_words_and_keep_their_spread(full: str, said: str) -> None:
    assert short(full) == said
    assert short(said) == said
