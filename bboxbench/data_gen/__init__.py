"""Pictures of one letter with an exact box: what to draw, drawing it, reading it, checking it, looking at it.

>>> from bboxbench.data_gen import DatasetSpec, draw_sample
>>> sample = draw_sample(DatasetSpec.letters(n=10, seed=0), index=0)
>>> sample.image.shape, sample.glyph, sample.box.tolist()
((100, 200, 3), 'q', [82, 39, 112, 84])
"""

from __future__ import annotations

from bboxbench.data_gen.alphabets import parse_glyphs
from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.gallery import preview
from bboxbench.data_gen.generation import generate
from bboxbench.data_gen.normalisation import normalise, to_grey_levels
from bboxbench.data_gen.samples import Sample, draw_sample
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.spec_file import read_spec
from bboxbench.data_gen.streaming import stream
from bboxbench.data_gen.verification import Verification, verify

__all__ = [
    "Dataset",
    "DatasetSpec",
    "Sample",
    "Verification",
    "draw_sample",
    "generate",
    "normalise",
    "open_dataset",
    "parse_glyphs",
    "preview",
    "read_spec",
    "stream",
    "to_grey_levels",
    "verify",
]
