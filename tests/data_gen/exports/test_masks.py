"""Where a data set has masks, the formats that have a place for them hold them to the pixel."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from export_readers import READERS, SPLITS, differences, hugging_face
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.exports import FORMATS, export
from bboxbench.data_gen.exports.segments import object_map, run_lengths

Exported = Callable[[str], Path]


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """40 pictures with masks under all that the varied preset does to them."""
    spec = DatasetSpec.from_dict({"preset": "varied", "n": 40, "seed": 5, "masks": True})
    return generate(spec, tmp_path_factory.mktemp("masked") / "data", workers=1)


@pytest.fixture(scope="module")
def exported(masked: Dataset) -> Exported:
    def make(form: str) -> Path:
        return export(masked, form, workers=1).folder

    return make


@pytest.mark.parametrize("form", FORMATS)
def test_varied_pictures_come_back_too(form: str, masked: Dataset, exported: Exported) -> None:
    for split in SPLITS:
        assert list(differences(READERS[form](exported(form), split), masked, split)) == []


def test_pycocotools_decodes_the_mask_its_area_and_its_box(masked: Dataset, exported: Exported) -> None:
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(exported("coco") / "annotations" / "instances_test.json"))
    for sample in masked.samples(masked.split("test")):
        (entry,) = coco.loadAnns(coco.getAnnIds(imgIds=[sample.index]))
        np.testing.assert_array_equal(coco.annToMask(entry), sample.mask)
        run = coco.annToRLE(entry)
        assert coco_mask.area(run) == entry["area"] == sample.mask.sum()
        assert coco_mask.toBbox(run).tolist() == entry["bbox"]


def test_pascals_segmentations_are_the_class_map(masked: Dataset, exported: Exported) -> None:
    folder = exported("voc")
    stems = (folder / "ImageSets" / "Segmentation" / "trainval.txt").read_text("utf-8").split()
    assert stems == [f"{index:08d}" for index in range(20)]
    seen = set()
    for sample in masked.samples(range(20)):
        classes, objects = (
            Image.open(folder / place / f"{sample.index:08d}.png")
            for place in ("SegmentationClass", "SegmentationObject")
        )
        with classes, objects:
            assert (classes.mode, objects.mode) == ("P", "P")
            # Background is black and what is ignored is cream, as everybody draws them.
            assert classes.getpalette()[:3] == [0, 0, 0]
            assert classes.getpalette()[-3:] == [224, 224, 192]
            np.testing.assert_array_equal(np.asarray(classes), sample.class_map)
            np.testing.assert_array_equal(np.asarray(objects), object_map(sample.class_map))
            seen |= set(np.unique(np.asarray(objects)).tolist())
        assert mask_to_box(sample.class_map > 0) == tuple(sample.box.tolist())
    assert seen == {0, 1, 255}
    assert "<segmented>1</segmented>" in (folder / "Annotations" / "00000000.xml").read_text("utf-8")


def test_tfrecords_hold_the_mask_as_png(masked: Dataset, exported: Exported) -> None:
    import tensorflow as tf

    features = {
        "image/object/mask": tf.io.VarLenFeature(tf.string),
        "image/object/area": tf.io.VarLenFeature(tf.float32),
    }
    records = tf.data.TFRecordDataset(str(exported("tfrecord") / "test-00000-of-00001.tfrecord"))
    for record, sample in zip(records, masked.samples(masked.split("test")), strict=True):
        example = tf.io.parse_single_example(record, features)
        (encoded,) = example["image/object/mask"].values.numpy()
        np.testing.assert_array_equal(tf.io.decode_png(encoded, channels=1).numpy()[..., 0], sample.mask)
        assert example["image/object/area"].values.numpy().tolist() == [sample.mask.sum()]


def test_the_image_folder_has_a_column_of_masks(masked: Dataset, exported: Exported) -> None:
    rows = hugging_face(exported("imagefolder"))["validation"]
    for row, sample in zip(rows, masked.samples(masked.split("validation")), strict=True):
        np.testing.assert_array_equal(np.asarray(row["mask"]), sample.mask)


@given(mask=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1)))
def test_run_lengths_are_those_of_pycocotools(mask: np.ndarray) -> None:
    from pycocotools import mask as coco_mask

    mine = run_lengths(mask)
    theirs = coco_mask.frPyObjects(json.loads(json.dumps(mine)), *mask.shape)
    assert theirs == coco_mask.encode(np.asfortranarray(mask))
    np.testing.assert_array_equal(coco_mask.decode(theirs), mask)
