"""The page and the docstrings say what is so: their examples run and print what stands there."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
from pathlib import Path

import pytest

import bboxbench.losses
from bboxbench import losses, metrics

PAGE = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
BUILT_IN = [name for name in losses.names() if type(losses.get(name)).__module__.startswith("bboxbench.losses.")]
MODULES = [
    "bboxbench.metrics",
    "bboxbench.losses",
    *(f"bboxbench.losses.{module.name}" for module in pkgutil.iter_modules(bboxbench.losses.__path__)),
]


def same_within_rounding(printed, stated):
    """The same words; numbers within a twentieth, for trained networks differ between processors."""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", stated):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(stated), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=0.05, abs=0.05) for a, b in pairs)


def test_the_comparison_of_outputs_can_fail():
    assert same_within_rounding("loss 0.17, 99%\n", "loss 0.18, 98%\n")
    assert not same_within_rounding("loss 0.17, 89%\n", "loss 0.17, 99%\n")
    assert not same_within_rounding("lost 0.17, 99%\n", "loss 0.17, 99%\n")


def test_every_block_of_the_page_runs_and_prints_what_stands_below_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    namespace, printed, compared = {}, "", 0
    for block in BLOCK.finditer(PAGE):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"])
        elif block["kind"] == "python":
            assert printed == "", "an example printed what the page does not show"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(block["text"], "docs/losses.md", "exec"), namespace)
            printed = out.getvalue()
        else:
            assert same_within_rounding(printed, block["text"]), printed
            printed, compared = "", compared + 1
    assert printed == ""
    assert compared == 6


def test_the_page_lists_every_loss_with_its_class_and_function():
    sections = {part.split("`")[1]: part for part in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]}
    for name in BUILT_IN:
        cls = type(losses.get(name))
        assert sections[name].startswith(f"`{name}`: `{cls.__name__}`\n")
        assert f"\n- **Function**: `{cls.function.__name__}`\n" in sections[name]
        assert f"(images/losses/{name}.png)" in sections[name]
        rows = [line for line in PAGE.splitlines() if line.startswith(f"| [`{name}`](") and line.count("|") == 12]
        assert len(rows) == 1, name
    assert sorted(sections) == BUILT_IN
    for box_format in ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"):
        assert f"`{box_format}`" in PAGE


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_print_what_they_say(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0


def test_every_public_loss_has_an_example():
    public = [getattr(losses, name) for name in losses.__all__]
    for thing in public:
        if inspect.isfunction(thing) and thing.__name__.endswith("_loss"):
            assert ">>>" in thing.__doc__, thing
    for name in losses.names():
        assert ">>>" in type(losses.get(name)).__doc__, name
    assert ">>>" in metrics.__doc__


def test_public_names_exist_and_are_sorted():
    for module in (losses, metrics):
        assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name))
        assert all(hasattr(module, name) for name in module.__all__)
