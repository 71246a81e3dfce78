"""The rules of the house: which way imports run, what stays light, what lies where."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bboxbench"
HEAVY = ("tensorflow", "keras", "pandas", "matplotlib", "sklearn", "scipy")

GROUND = {
    "bboxbench",
    *(f"bboxbench.{name}" for name in ("errors", "boxes", "files", "jsonl", "durations", "figure_style")),
}
MAY_IMPORT = {
    "errors": {"bboxbench"},
    "boxes": {"bboxbench", "bboxbench.errors"},
    "jsonl": set(),
    "durations": set(),
    "figure_style": set(),
    "files": {"bboxbench", "bboxbench.errors"},
    "data_gen": GROUND | {"bboxbench.data_gen"},
    "losses": {"bboxbench.losses"},
    "metrics": {"bboxbench.losses"},
    "gradients": set(),
    "experiments": GROUND
    | {f"bboxbench.{name}" for name in ("data_gen", "losses", "metrics", "gradients", "experiments")},
    "cli": GROUND | {f"bboxbench.{name}" for name in ("data_gen", "losses", "gradients", "experiments", "cli")},
    "__init__": set(),
    "__main__": {"bboxbench.cli"},
}
"""What each room may import of the others: errors, boxes, files -> data_gen, losses -> experiments -> cli."""


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def forbidden_imports(source: str, where: str) -> list[str]:
    """The imports in ``source`` that a module of the room ``where`` may not have."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from bboxbench import losses` imports the room bboxbench.losses, `... import __version__` only the root.
            base = node.module or ""
            names = [f"bboxbench.{a.name}" if is_room(a.name) else base for a in node.names]
            names = names if base == "bboxbench" else [base]
            names = ["bboxbench.?"] if node.level else names
        for name in names:
            top = ".".join(name.split(".")[:2])
            if name.split(".")[0] == "bboxbench" and top not in MAY_IMPORT[where]:
                found.append(name)
    return found


def is_room(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    assert forbidden_imports(path.read_text(encoding="utf-8"), room(path)) == []


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("from bboxbench.experiments.plan import plan", "data_gen"),
        ("import bboxbench.cli", "experiments"),
        ("from bboxbench.errors import InputError", "losses"),
        ("def f():\n    from bboxbench import experiments", "losses"),
        ("from . import geometry", "losses"),
    ],
)
def test_the_import_check_sees_an_import_against_the_way(source: str, where: str) -> None:
    assert forbidden_imports(source, where)


def test_every_module_stays_below_400_lines() -> None:
    long = {str(path): count for path in modules() if (count := len(path.read_text("utf-8").splitlines())) > 400}
    assert long == {}


def loaded(code: str, cwd: Path) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after ``code``."""
    tail = f"\nimport sys\nprint('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, cwd=cwd, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def command(*words: str) -> str:
    return (
        "from bboxbench.cli import main\n"
        "if __name__ == '__main__':\n"
        f"    try: main({list(words)!r})\n"
        "    except SystemExit as end: assert end.code == 0, end.code"
    )


@pytest.mark.parametrize(
    "code",
    [
        "import bboxbench",
        "import bboxbench.data_gen",
        "import bboxbench.boxes, bboxbench.errors, bboxbench.files",
        command("--help"),
        command("sweep", "--help"),
        command("generate", "--n", "5", "--workers", "1", "--quiet"),
    ],
    ids=["bboxbench", "data_gen", "ground", "help", "sweep help", "generate"],
)
def test_light_work_imports_nothing_heavy(code: str, tmp_path: Path) -> None:
    assert loaded(code, tmp_path) == set()


def test_the_light_check_sees_what_is_heavy(tmp_path: Path) -> None:
    assert "pandas" in loaded("import bboxbench\nimport pandas", tmp_path)


def test_the_losses_bring_keras_and_nothing_of_the_other_rooms(tmp_path: Path) -> None:
    code = (
        "import bboxbench.losses, sys\n"
        "ours = {m.split('.')[1] for m in sys.modules if m.startswith('bboxbench.')}\n"
        "assert ours == {'losses'}, ours"
    )
    assert "keras" in loaded(code, tmp_path)


@pytest.mark.parametrize("name", ["data_gen", "losses", "experiments"])
def test_the_links_at_the_root_show_the_rooms(name: str) -> None:
    link = ROOT / name
    assert link.is_symlink()
    assert link.readlink() == Path("bboxbench") / name
    assert link.resolve() == PACKAGE / name


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_the_lock_pins_every_package_with_a_hash_and_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip() and entry[0] != "#"]
    assert len(entries) > 30
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    for name in ("hatchling", "editables", "tensorflow", "keras"):
        assert any(entry.startswith(f"{name}==") for entry in entries)
