"""A data set in other tools' formats: the same pixels as PNG, the same boxes by each format's own convention.

>>> from bboxbench.data_gen.exports import FORMATS
>>> list(FORMATS)
['coco', 'yolo', 'voc', 'imagefolder', 'tfrecord', 'csv']
"""

from __future__ import annotations

from bboxbench.data_gen.exports.exporting import Export, default_folder, export
from bboxbench.data_gen.exports.registry import FORMATS

__all__ = ["FORMATS", "Export", "default_folder", "export"]
