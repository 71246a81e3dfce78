"""A manifest, or the mark of an unfinished data set, that says anything: refused in one line, and never a traceback."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bboxbench.cli import main
from bboxbench.data_gen import DatasetSpec, generate, open_dataset, verify
from bboxbench.errors import FolderConflict, InputError

SPEC = DatasetSpec.letters(n=4, seed=3, width=40, height=32, sizes=(12, 16))
HUGE = 10**400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished data set, whose manifest each example replaces."""
    return generate(SPEC, tmp_path_factory.mktemp("manifest") / "data", workers=1).folder


@pytest.fixture(scope="module")
def manifest(folder: Path) -> str:
    return (folder / "dataset.json").read_text(encoding="utf-8")


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a JSON value, the whole first."""
    yield before
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*before, key))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([HUGE, -HUGE, 2**63, -1, 0, 1e308, float("inf"), float("nan"), 0.5])
    | st.text(max_size=8)
    | st.sampled_from(["../../../etc/passwd", "/dev/zero", "shards/00001.npz", "\n", "\ud800", "A" * 100_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """The text with one to three things in it replaced, removed, added or put one level deeper."""
    content = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(content))))
        if not place:
            continue
        owner = content
        for key in place[:-1]:
            owner = owner[key]
        how = draw(st.sampled_from(["replace", "remove", "deeper", "add", "of another"]))
        if how == "replace":
            owner[place[-1]] = draw(ANYTHING)
        elif how == "remove":
            del owner[place[-1]]
        elif how == "deeper":
            owner[place[-1]] = [owner[place[-1]]]
        elif how == "of another":
            other = content
            for key in draw(st.sampled_from(list(places(content)))):
                other = other[key]
            owner[place[-1]] = copy.deepcopy(other)
        elif isinstance(owner, list):
            owner.insert(place[-1], draw(ANYTHING))
        else:
            owner[draw(st.text(max_size=6))] = draw(ANYTHING)
    return json.dumps(content)


def assert_refused_or_true(folder: Path) -> None:
    """What opens reads as what was drawn, or is refused then; always in one line, always as bad input."""
    try:
        found = open_dataset(folder)
        boxes = found.boxes("test")
        list(found.samples(range(found.n)))
    except InputError as error:
        said = str(error)
    else:
        assert boxes.shape[1] == 4
        said = ""
    assert "\n" not in said
    assert len(said) < 1500, said[:3000]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_a_manifest_that_says_anything_is_refused_in_one_line(folder: Path, manifest: str, data: st.DataObject) -> None:
    (folder / "dataset.json").write_text(data.draw(mutated(manifest)), encoding="utf-8")
    assert_refused_or_true(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_a_manifest_cut_or_altered_anywhere_is_refused_in_one_line(
    folder: Path, manifest: str, data: st.DataObject
) -> None:
    content = bytearray(manifest.encode())
    place = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["cut", "byte", "insert"]))
    if how == "cut":
        del content[place:]
    elif how == "byte":
        content[place] = data.draw(st.integers(0, 255))
    else:
        content[place:place] = data.draw(st.binary(min_size=1, max_size=6))
    (folder / "dataset.json").write_bytes(content)
    assert_refused_or_true(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_a_mark_of_an_unfinished_data_set_that_says_anything_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("unfinished")
    mark = {"kind": "unfinished bboxbench dataset", "schema": 2, "spec": SPEC.to_dict()}
    (folder / "unfinished.json").write_text(data.draw(mutated(json.dumps(mark))), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        open_dataset(folder)
    assert "\n" not in str(refused.value)
    try:
        generate(SPEC, folder, workers=1)
    except (FolderConflict, InputError) as error:
        said = str(error)
    else:
        assert verify(folder, workers=1).problems == []
        said = ""
    assert "\n" not in said


def rewritten(folder: Path, tmp_path: Path, text: str) -> Path:
    made = Path(shutil.copytree(folder, tmp_path / "data"))
    (made / "dataset.json").write_text(text, encoding="utf-8")
    return made


TEXTS = {
    "a newer schema": lambda m: m.replace('"schema": 2', '"schema": 3', 1),
    "a schema of words": lambda m: m.replace('"schema": 2', '"schema": "2"', 1),
    "no schema": lambda m: m.replace('"schema": 2,', "", 1),
    "a schema that is true": lambda m: m.replace('"schema": 2', '"schema": true', 1),
    "a schema below the first": lambda m: m.replace('"schema": 2', '"schema": -5', 1),
    "a shard elsewhere": lambda m: m.replace('"file": "shards/00000.npz"', '"file": "../../elsewhere.npz"', 1),
    "a shard at an absolute path": lambda m: m.replace('"file": "shards/00000.npz"', '"file": "/etc/passwd"', 1),
    "a key twice": lambda m: m.replace('"kind"', '"seed": 9, "kind"', 1),
    "a spec twice": lambda m: m.replace('"spec": {', '"spec": {"n": 4}, "spec": {', 1),
    "a key twice further in": lambda m: m.replace('"min_contrast"', '"seed": 9, "min_contrast"', 1),
    "a huge number": lambda m: m.replace('"n": 4', f'"n": {"9" * 5000}', 1),
    "a number that is huge": lambda m: m.replace('"n": 4', f'"n": {"9" * 300}', 1),
    "not a number": lambda m: m.replace('"n": 4', '"n": NaN', 1),
    "an exponent": lambda m: m.replace('"n": 4', '"n": 1e999', 1),
    "100 million samples": lambda m: m.replace('"n": 4', '"n": 100000000', 1),
    "deep lists": lambda m: "[" * 100_000,
    "deep objects": lambda m: '{"a":' * 100_000,
    "deep inside": lambda m: m.replace('"versions": {', '"deep": ' + "[" * 5000 + "]" * 5000 + ', "versions": {', 1),
    "no JSON": lambda m: "kind = 'bboxbench dataset'",
    "nothing": lambda m: "",
    "a list": lambda m: f"[{m}]",
    "a code": lambda m: m.replace('"n": 4', '"n": __import__("os")', 1),
    "long": lambda m: m.replace('"glyphs": "', '"glyphs": "' + "A" * 1_000_000, 1),
}
"""Manifests that no example needs to be found for."""


@pytest.mark.parametrize("name", TEXTS)
def test_a_manifest_like_this_is_refused_with_2_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = generate(SPEC, tmp_path / "whole", workers=1).folder
    text = (whole / "dataset.json").read_text(encoding="utf-8")
    changed = TEXTS[name](text)
    assert changed != text
    folder = rewritten(whole, tmp_path, changed)
    for command in ("verify", "preview"):
        with pytest.raises(SystemExit) as ended:
            main([command, str(folder), "--quiet"])
        out, err = capsys.readouterr()
        assert (ended.value.code, out, err.count("\n")) == (2, "", 1), err[:1000]
        assert err.startswith("Error: ")
        assert "dataset.json" in err
        assert len(err) < 1500
