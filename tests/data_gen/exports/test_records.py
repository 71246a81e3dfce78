"""What export.json says of an export is held against what is there, and leads nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from folder_content import content

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.exports import FORMATS, export
from bboxbench.data_gen.exports.source import Source
from bboxbench.errors import FolderConflict


def into_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
@pytest.mark.parametrize("harmed", ["train/00000001.png", "annotations/instances_test.json"])
def test_a_pipe_in_a_files_place_is_replaced_and_not_waited_for(harmed: str, few: Dataset, tmp_path: Path) -> None:
    folder = export(few, "coco", tmp_path / "out").folder
    before = content(folder)
    into_a_pipe(folder / harmed)
    export(few, "coco", folder, workers=1)
    assert content(folder) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
def test_a_record_that_is_a_pipe_is_refused_and_not_waited_for(few: Dataset, tmp_path: Path) -> None:
    folder = export(few, "coco", tmp_path / "out").folder
    into_a_pipe(folder / "export.json")
    with pytest.raises(FolderConflict, match="was not written by bboxbench, or was changed"):
        export(few, "coco", folder)


@pytest.mark.parametrize("form", [name for name in FORMATS if name != "tfrecord"])
def test_which_whole_files_there_should_be_is_not_the_records_to_say(form: str, few: Dataset, tmp_path: Path) -> None:
    folder = export(few, form, tmp_path / "out").folder
    before = content(folder)
    record = json.loads(before["export.json"])
    for entry in record["whole"]:
        (folder / entry["file"]).unlink()
    (folder / "export.json").write_text(json.dumps({**record, "whole": []}))
    export(few, form, folder, workers=1)
    assert content(folder) == before


@pytest.mark.parametrize("place", ["../elsewhere", "/elsewhere", "train/00000000.png"])
def test_no_file_is_opened_that_only_the_record_names(place: str, few: Dataset, tmp_path: Path) -> None:
    folder = export(few, "coco", tmp_path / "out").folder
    before = content(folder)
    named = f"{tmp_path}{place}" if place.startswith("/") else place
    if "elsewhere" in place:
        # Whoever opened it would wait for ever.
        os.mkfifo(tmp_path / "elsewhere")
    record = json.loads(before["export.json"])
    record["whole"].append({**record["whole"][0], "file": named})
    (folder / "export.json").write_text(json.dumps(record))
    export(few, "coco", folder, workers=1)
    assert content(folder) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_names_the_whole_files_that_it_writes(form: str, few: Dataset, tmp_path: Path) -> None:
    source = Source(few, ("train", "test"))
    folder = export(few, form, tmp_path / "out", source.splits, workers=1).folder
    of_pieces = {name for piece in source.pieces for name in FORMATS[form].piece_files(source, piece)}
    assert {*FORMATS[form].whole_names(source)} | of_pieces == {*content(folder)} - {"export.json"}


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"kind": "x"}', "{", '{"kind": "bboxbench export"}'])
def test_a_record_of_somebody_else_is_refused(text: str, few: Dataset, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(FolderConflict):
        export(few, "coco", tmp_path)
    assert content(tmp_path) == {"export.json": text.encode()}


def test_a_record_from_a_newer_version_is_refused(few: Dataset, tmp_path: Path) -> None:
    folder = export(few, "coco", tmp_path / "out").folder
    record = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**record, "schema": 2}))
    with pytest.raises(FolderConflict, match="schema 2 instead of 1"):
        export(few, "coco", folder)
