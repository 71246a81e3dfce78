"""A data set of glyphs that formats stumble over, and each format's export of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.exports import Export, export

# Before any test imports Hugging Face's library: nothing here needs the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ODD = "A1/\\,;:\"'`<>&%#{}[]!?*|~=-@é\u0301\u0416ß\U0001f600"
"""Quotes, separators, markup and comments of every format; beyond ASCII an accent without its letter, and an emoji."""


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Ten pictures: 3, 2 and 5 in the splits."""
    return generate(
        DatasetSpec.letters(n=10, seed=4, width=64, height=48, sizes=(16, 24)),
        tmp_path_factory.mktemp("few") / "data",
        workers=1,
    )


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """130 small pictures, every glyph of `ODD` among them."""
    spec = DatasetSpec.letters(
        n=130, seed=2, width=64, height=48, sizes=(16, 24), glyphs=ODD, fonts=("DejaVuSans", "DejaVuSans-Bold")
    )
    return generate(spec, tmp_path_factory.mktemp("odd") / "data", workers=1)


@pytest.fixture(scope="session")
def exported(odd: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Export]:
    """The export of `odd` in a format, made once."""
    made: dict[str, Export] = {}
    place: Path = tmp_path_factory.mktemp("exports")

    def make(form: str) -> Export:
        if form not in made:
            made[form] = export(odd, form, place / form, workers=1)
        return made[form]

    return make
