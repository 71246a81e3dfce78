"""What stands in the place of a shard and is not the one that was drawn: refused by name, and nothing of it is run."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damaged_shards import DAMAGES, MARKER
from disturbed_sweeps import last_error

from bboxbench.cli import main
from bboxbench.data_gen import Dataset, DatasetSpec, generate, open_dataset, verify
from bboxbench.errors import CannotWrite, InputError

READERS: dict[str, Callable[[Dataset], object]] = {
    "images": lambda data: data.images("train"),
    "grey": lambda data: data.grey("validation"),
    "boxes": lambda data: data.boxes("test"),
    "arrays": lambda data: data.arrays("train")[0],
    "samples": lambda data: list(data.samples(range(data.n))),
}


@pytest.fixture(scope="module")
def spec() -> DatasetSpec:
    """Two shards, the second of three rows."""
    return DatasetSpec.letters(n=1003, seed=3, width=64, height=48, sizes=(16, 24))


@pytest.fixture(scope="module")
def whole(spec: DatasetSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(spec, tmp_path_factory.mktemp("whole") / "data", workers=1).folder


@pytest.fixture(scope="module")
def other(spec: DatasetSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first shard of a data set that differs in its seed alone."""
    made = generate(spec.changed(seed=4), tmp_path_factory.mktemp("other") / "data", workers=1)
    return made.folder / "shards" / "00000.npz"


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, whole: Path, other: Path, tmp_path: Path) -> Path:
    """The folder of a data set whose first shard is harmed."""
    folder = Path(shutil.copytree(whole, tmp_path / "data"))
    DAMAGES[request.param](folder / "shards" / "00000.npz", other)
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_every_reader_names_it_and_nothing_is_run(
    damaged: Path, whole: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = []
    for name, read in READERS.items():
        try:
            found = read(open_dataset(damaged))
        except InputError as error:
            told.append(str(error))
        else:
            # It looked at an array that is not harmed.
            assert name != "samples"
            for one, drawn in zip(np.atleast_1d(found), np.atleast_1d(read(open_dataset(whole))), strict=True):
                np.testing.assert_array_equal(one, drawn)
    assert len(told) >= 2
    for said in told:
        assert re.search(r"00000\.npz.* Restore it: bboxbench generate ", said), said
        assert "\n" not in said
    found = verify(damaged, workers=1)
    assert (found.total, found.exact <= 3 or "00000.npz" in found.problems[0]) == (1003, True)
    assert "00000.npz" in found.problems[0]
    assert not [problem for problem in found.problems if "\n" in problem]
    code, out, err = run(capsys, "verify", str(damaged), "--workers", "1", "--quiet")
    assert (code, "00000.npz" in out) == (2, True)
    assert "Restore it: bboxbench generate " in last_error(err)
    for words, made in ((["preview"], "made.png"), (["export", "--format", "coco"], "made")):
        code, out, err = run(capsys, *words, str(damaged), "--out", str(tmp_path / made), "--quiet")
        assert (code, out) == (2, ""), err
        assert "00000.npz" in last_error(err)
        assert err.count("\n") == 1
    assert not (tmp_path / MARKER).exists()


@pytest.mark.slow
def test_a_sweep_on_it_is_refused_before_anything_is_written(
    damaged: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["sweep", "--preset", "quick", "--seeds", "1", "--isolation", "none", "--quiet"]
    code, out, err = run(capsys, *words, "--data", str(damaged), "--out", str(tmp_path / "r"))
    assert (code, out) == (2, ""), err
    assert "00000.npz" in last_error(err)
    assert not (tmp_path / "r").exists()
    assert not (tmp_path / MARKER).exists()


def test_generate_draws_it_again(damaged: Path, spec: DatasetSpec, whole: Path, tmp_path: Path) -> None:
    if (damaged / "shards" / "00000.npz").is_dir():
        # A folder may hold anything: it is not removed for its name.
        with pytest.raises(CannotWrite, match=r"00000\.npz"):
            generate(spec, damaged, workers=1)
        (damaged / "shards" / "00000.npz").rmdir()
    generate(spec, damaged, workers=1)
    assert verify(damaged, workers=1).problems == []
    assert (damaged / "dataset.json").read_bytes() == (whole / "dataset.json").read_bytes()
    assert (damaged / "shards" / "00000.npz").read_bytes() == (whole / "shards" / "00000.npz").read_bytes()
    assert not (tmp_path / MARKER).exists()


def refused(folder: Path, truth: dict[str, np.ndarray]) -> bool:
    """Whether the second shard is refused; else what was read must be what was drawn."""
    try:
        for row, sample in enumerate(open_dataset(folder).samples(range(1000, 1003))):
            np.testing.assert_array_equal(sample.image, truth["images"][row])
            np.testing.assert_array_equal(sample.box, truth["boxes"][row])
            assert (ord(sample.glyph), sample.size) == (truth["codepoints"][row], truth["sizes"][row])
    except InputError as error:
        said = str(error)
    else:
        return False
    assert "00001.npz" in said
    assert "\n" not in said
    return True


@pytest.fixture
def shard(whole: Path, tmp_path: Path) -> Path:
    """The small shard of a copy."""
    return Path(shutil.copytree(whole, tmp_path / "data")) / "shards" / "00001.npz"


@pytest.fixture
def truth(shard: Path) -> dict[str, np.ndarray]:
    with np.load(shard) as arrays:
        return dict(arrays)


def test_a_shard_cut_anywhere_is_refused(shard: Path, truth: dict[str, np.ndarray]) -> None:
    data = shard.read_bytes()
    assert not refused(shard.parents[1], truth)
    for length in range(len(data)):
        shard.write_bytes(data[:length])
        assert refused(shard.parents[1], truth), length


@pytest.mark.slow
def test_a_shard_with_any_byte_altered_is_refused_or_gives_what_was_drawn(
    shard: Path, truth: dict[str, np.ndarray]
) -> None:
    """A few bytes of an archive mean nothing, as its dates; all others are seen."""
    rng = random.Random(5)
    data = shard.read_bytes()
    unseen = 0
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 1 << rng.randrange(8)
        shard.write_bytes(altered)
        unseen += not refused(shard.parents[1], truth)
    # Versions, dates, attributes and the like: some thirty bytes a member, in two places.
    assert unseen < 60 * len(truth), unseen


@pytest.mark.parametrize("name", ["dataset.json", "boxes.csv"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "nowhere"])
def test_what_is_no_file_in_the_place_of_manifest_or_table_is_refused(
    name: str, kind: str, whole: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "data"))
    harm = {"folder": "a folder", "pipe": "a pipe", "device": "a link to a device", "nowhere": "a link to nowhere"}
    DAMAGES[harm[kind]](folder / name, folder)
    if name == "dataset.json":
        with pytest.raises(InputError, match=r"has no dataset\.json"):
            open_dataset(folder)
        return
    with pytest.raises(InputError, match=r"Cannot read .*boxes\.csv.* Restore it: "):
        open_dataset(folder).table()
    found = verify(folder, workers=1)
    assert (found.exact, len(found.problems)) == (0, 1)
    assert found.problems[0].startswith("boxes.csv: cannot be read: ")


PEAK = """
import resource, sys
from bboxbench.data_gen import open_dataset, verify
from bboxbench.errors import InputError
data = open_dataset(sys.argv[1])
readers = [lambda: data.images("train"), lambda: data.grey("test"), lambda: list(data.samples(range(3)))]
for read in (*readers, lambda: verify(sys.argv[1], workers=1)):
    try:
        read()
    except InputError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
"""Reads a data set in every way and says how much memory that took at its most, in kB."""


def peak(folder: Path) -> float:
    done = subprocess.run([sys.executable, "-c", PEAK, str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts in other units")
def test_no_damaged_shard_takes_more_memory_than_a_whole_one(whole: Path, other: Path, tmp_path: Path) -> None:
    sound = peak(whole)
    for number, name in enumerate(DAMAGES):
        if any(word in name for word in ("bomb", "huge", "members", "device")):
            folder = Path(shutil.copytree(whole, tmp_path / str(number)))
            DAMAGES[name](folder / "shards" / "00000.npz", other)
            # The arrays' own 9 MB are among what a whole one takes.
            assert peak(folder) < sound + 15, name
