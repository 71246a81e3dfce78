from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bboxbench.experiments.environment import environment, git_state

CHECKOUT = Path(__file__).parents[2]


def git(folder: Path, *words: str) -> str:
    whose = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *whose, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "code.py").write_text("one = 1\n")
    git(folder, "add", "code.py")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


def test_a_checkout_is_known_by_its_commit_and_by_whether_it_was_changed(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD").strip()
    assert git_state(checkout) == {"commit": commit, "changed": False}
    (checkout / "results").mkdir()  # what a sweep leaves is no change of the code
    (checkout / "results" / "runs.csv").write_text("")
    assert git_state(checkout) == {"commit": commit, "changed": False}
    (checkout / "code.py").write_text("one = 2\n")
    assert git_state(checkout) == {"commit": commit, "changed": True}


def test_a_package_inside_somebody_elses_checkout_is_no_checkout(checkout: Path, tmp_path: Path) -> None:
    installed = checkout / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    assert git_state(installed) is None
    assert git_state(tmp_path) is None


def test_no_git_is_no_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(checkout) is None


def test_asking_for_the_state_writes_nothing_into_the_checkout(checkout: Path) -> None:
    os.utime(checkout / "code.py", (1, 1))  # git would note in its index that the file is as it was
    index = (checkout / ".git" / "index").read_bytes()
    git_state(checkout)
    assert (checkout / ".git" / "index").read_bytes() == index


def test_the_record_says_what_decides_the_last_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_cpu_global_jit")
    found = environment(3, True)
    assert json.loads(json.dumps(found)) == found
    assert (found["threads"], found["deterministic"]) == (3, True)
    assert found["flags"]["TF_XLA_FLAGS"] == "--tf_xla_cpu_global_jit"
    assert found["device"]
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 1e8
    assert {"bboxbench", "tensorflow", "keras", "numpy"} <= set(found["packages"])
    if sys.platform == "linux":
        assert found["instructions"]


def test_the_record_names_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("TF_", "KERAS_"))]:
        monkeypatch.delenv(name)
    said = json.dumps(environment())
    assert str(CHECKOUT) not in said
    assert str(Path.home()) not in said or Path.home() == Path("/")
