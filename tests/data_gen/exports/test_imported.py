"""What was exported as COCO can be imported, and what was imported can be exported in every format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from export_readers import READERS, SPLITS, class_list, differences

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.exports import FORMATS, Export, export
from bboxbench.data_gen.importing import plan_import, write_import
from bboxbench.errors import InputError


@pytest.fixture(scope="module")
def imported(odd: Dataset, exported: Callable[[str], Export], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    size = {"width": odd.spec.width, "height": odd.spec.height}
    plan = plan_import(exported("coco").folder, workers=1, **size)
    return write_import(plan, tmp_path_factory.mktemp("imported") / "data", workers=1)


def known(data: Dataset) -> dict[bytes, tuple[list[int], str]]:
    """Box and class by pixels, since importing deals pictures anew."""
    return {s.image.tobytes(): (s.box.tolist(), s.glyph) for s in data.samples(range(data.n))}


def test_an_export_imported_again_has_the_same_pictures_boxes_and_classes(odd: Dataset, imported: Dataset) -> None:
    assert known(imported) == known(odd)
    assert imported.classes == odd.classes


@pytest.mark.parametrize("form", FORMATS)
def test_imported_pictures_come_back_from_every_format(form: str, imported: Dataset, tmp_path: Path) -> None:
    folder = export(imported, form, tmp_path / form, workers=1).folder
    for split in SPLITS:
        assert list(differences(READERS[form](folder, split), imported, split)) == []
    assert class_list(form, folder) == list(imported.classes)


@pytest.mark.parametrize("name", ["two\nlines", "a\x00b", "\x1b[31m", "\u2028", "\ufffe", ""])
def test_a_class_name_that_not_every_format_can_hold_is_refused(name: str, imported: Dataset, tmp_path: Path) -> None:
    # Importing refuses such names, but a manifest is a file that anybody may write.
    folder = Path(shutil.copytree(imported.folder, tmp_path / "data"))
    manifest = json.loads((folder / "dataset.json").read_text("utf-8"))
    manifest["spec"]["classes"][3] = name
    (folder / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="Expected class names of visible text"):
        export(folder, "coco", tmp_path / "out")
    assert not (tmp_path / "out").exists()
