"""A loss of the user's own: what is refused, what is a warning, and that the plan says so before anything is drawn."""

from __future__ import annotations

import importlib
import linecache
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bboxbench import losses
from bboxbench.errors import InputError
from bboxbench.experiments import resolve
from bboxbench.experiments.own_loss import AWKWARD, ORDINARY, boxes_of, examine
from bboxbench.experiments.plan import plan
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.sweep import plan_sweep, run_sweep

HEAD = """
import keras
from keras import ops

def iou(y_true, y_pred):
    l, t = (ops.maximum(y_true[..., i], y_pred[..., i]) for i in (0, 1))
    r, b = (ops.minimum(y_true[..., i], y_pred[..., i]) for i in (2, 3))
    shared = ops.maximum(r - l, 0) * ops.maximum(b - t, 0)
    areas = [(x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]) for x in (y_true, y_pred)]
    return shared / (areas[0] + areas[1] - shared)

"""

Writer = Callable[[str], Recipe]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Writes a module in which ``own(y_true, y_pred)`` is a loss, of its body or of the whole code."""
    monkeypatch.syspath_prepend(tmp_path)

    def module(code: str) -> Recipe:
        code = code if "\n" in code else f"def own(y_true, y_pred):\n    {code}\n"
        (tmp_path / "written_loss.py").write_text(HEAD + code, encoding="utf-8")
        sys.modules.pop("written_loss", None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return Recipe("written_loss:own")

    yield module
    sys.modules.pop("written_loss", None)


SQUARES = "ops.mean(ops.square(y_true - y_pred), axis=-1)"
REFUSED = [
    ("raise RuntimeError('two\\nlines')", r"raises on 6 overlapping pairs of shape \(6, 4\): RuntimeError: two lines"),
    ("pass", "it gives None, as if it had no 'return'"),
    ("return ops.mean(ops.square(y_true - y_pred))", r"shape \(\), one number for the whole batch: .* needs axis=-1"),
    ("return ops.norm(y_true - y_pred)", r"shape \(\), one number for the whole batch"),
    ("return ops.square(y_true - y_pred)", r"shape \(6, 4\), four values a box: take their mean or sum"),
    ("return ops.mean(ops.square(y_true - y_pred), axis=0)", r"shape \(4,\), one value a coordinate"),
    ("return ops.mean(ops.square(y_true - y_pred), axis=-1, keepdims=True)", r"\(6, 1\), leave out keepdims"),
    ("return ops.mean(ops.abs(y_true[:, None] - y_pred), axis=-1)", r"\(6, 6\), every box against every other"),
    (
        "return ops.log(iou(y_true, y_pred) - 1)",
        r"finite where boxes overlap. Received: value nan, gradient .* for true",
    ),
    (f"return 0 * {SQUARES} / 0", "finite where boxes overlap. Received: value nan"),
    ("return ops.sqrt(ops.relu(y_true - y_pred)[..., 0])", r"finite where boxes overlap. Received: value 0, gradient"),
    ("return ops.cast(ops.argmax(y_pred, axis=-1), 'float32')", "a gradient for the predicted boxes. Received: none"),
    ("return ops.mean(ops.abs(ops.round(y_pred) - y_true), axis=-1)", "a gradient for the predicted boxes"),
    ("return ops.sum(y_true, axis=-1)", "a gradient for the predicted boxes"),
    (f"return 0 * {SQUARES}", "a gradient where boxes overlap. Received: 0 for each"),
    ("return ops.relu(-1 - iou(y_true, y_pred))", "a gradient where boxes overlap. Received: 0 for each"),
    ("d = ops.abs(y_true - y_pred); return ops.sum(d, -1) / ops.norm(d)", "the same value in any batch. Received: "),
    (f"d = {SQUARES}; return d - ops.mean(d)", "the same value in any batch"),
    ("return iou(y_true, y_pred) / ops.max(y_pred)", "the same value in any batch"),
    (f"return {SQUARES} * float(ops.max(y_true).numpy() > 0)", "cannot become a graph, in which networks train"),
]


@pytest.mark.parametrize(("body", "said"), REFUSED, ids=[body for body, _ in REFUSED])
def test_what_cannot_be_trained_is_refused_in_one_line(body: str, said: str, write: Writer) -> None:
    recipe = write(body)
    with pytest.raises(InputError, match=said) as error:
        resolve.loss(recipe)
    assert "\n" not in str(error.value)
    assert "written_loss:own" in str(error.value)
    assert resolve.examined(recipe).fault == str(error.value)


WARNED = [
    (f"return {SQUARES}", []),
    ("return 1 - iou(y_true, y_pred)", ["gradient 0 where boxes do not overlap"]),
    (
        "return -ops.log(iou(y_true, y_pred))",
        [r"not finite where boxes do not overlap \(value inf, gradient nan\), where the prediction is inverted"],
    ),
    ("return -iou(y_true, y_pred)", ["negative values, as -1", "gradient 0 where boxes do not overlap"]),
    (f"return ops.sqrt({SQUARES})", [r"not finite where the boxes are identical \(value finite, gradient nan\)"]),
    (f"return {SQUARES} * keras.random.uniform(())", ["gives other values when it is called again"]),
    (
        f"if y_pred.shape[0] == 1: raise KeyError('one')\n    return {SQUARES}",
        ["raises where the prediction is inverted: KeyError: 'one'", "raises where the boxes are identical"],
    ),
]


@pytest.mark.parametrize(("body", "said"), WARNED, ids=[body for body, _ in WARNED])
def test_what_is_dangerous_is_a_warning_each_in_one_line(body: str, said: list[str], write: Writer) -> None:
    recipe = write(f"def own(y_true, y_pred):\n    {body}\n")
    found = resolve.loss_warnings(recipe)
    assert len(found) == len(said), found
    for text, pattern in zip(found, said, strict=True):
        assert re.search(pattern, text), text
        assert "\n" not in text
    assert plan(SweepSpec.from_preset("quick", losses=[str(recipe)], seeds=1), "data")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return ops.abs(y_true[:, 0] - y_pred[:, 0])", r"Boxes of shape \(2, 3, 4\) give values of shape \(2, 4\)"),
        (f"return ops.reshape({SQUARES}, (y_pred.shape[0],))", r"Boxes of shape \(batch, n, 4\) raise"),
        (f"return {SQUARES} * ops.ones((1,), 'float32')", "Boxes in float64 raise InvalidArgumentError"),
    ],
)
def test_what_a_sweep_does_not_mind_is_a_note(body: str, said: str, write: Writer) -> None:
    found = resolve.examined(write(body))
    assert (found.fault, found.warnings) == ("", ())
    assert len(found.notes) == 1
    assert re.search(said, found.notes[0])


def test_a_class_is_tried_as_a_function_is_and_parameters_reach_it(write: Writer) -> None:
    recipe = write(
        "class own(keras.losses.Loss):\n"
        "    def __init__(self, power=2, reduction='sum_over_batch_size', name='own'):\n"
        "        super().__init__(name=name, reduction=reduction)\n"
        "        self.power = power\n"
        "    def call(self, y_true, y_pred):\n"
        "        return ops.mean(ops.abs(y_true - y_pred) ** self.power, axis=-1 if self.power else None)\n"
    )
    assert resolve.loss_warnings(recipe) == []
    with pytest.raises(InputError, match=r"'written_loss:own\(power=0\)'"):
        resolve.loss(Recipe(recipe.name, {"power": 0}))


def test_what_is_returned_was_not_tried(write: Writer) -> None:
    recipe = write(
        "class own(keras.losses.Loss):\n"
        "    calls = 0\n"
        "    def call(self, y_true, y_pred):\n"
        "        self.calls += 1\n"
        f"        return {SQUARES}\n"
    )
    assert resolve.loss(recipe).calls == 0


@pytest.mark.parametrize("name", losses.names())
def test_every_loss_of_the_catalogue_passes(name: str) -> None:
    assert examine(name, losses.get(name)).fault == ""


def test_the_losses_of_the_catalogue_are_warned_of_as_their_cards_say() -> None:
    def said(name: str) -> str:
        return " ".join(examine(name, losses.get(name)).warnings)

    assert "not finite where boxes do not overlap" in said("iou_unguarded")
    assert "gradient 0 where boxes do not overlap, where the prediction is inverted" in said("iou")
    assert said("giou").startswith("The loss 'giou' has gradient 0 where the prediction is inverted")
    assert said("mse") == ""


def test_registered_names_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise AssertionError

    monkeypatch.setattr(resolve, "examine", fail)
    assert type(resolve.loss(Recipe("iou_unguarded"))) is losses.UnguardedIoULoss
    assert resolve.loss_warnings(Recipe("iou_unguarded")) == []


def test_ordinary_boxes_overlap_and_the_awkward_ones_are_what_they_are_called() -> None:
    from bboxbench.boxes import area, iou

    true, pred = boxes_of(ORDINARY)
    assert ((iou(true, pred) > 0.05) & (iou(true, pred) < 1)).all()
    kinds = {where: boxes_of(pairs) for where, pairs in AWKWARD.items()}
    assert (iou(*kinds["where boxes do not overlap"]) == 0).all()
    assert (area(kinds["where boxes do not overlap"][1]) > 0).all()
    assert (
        kinds["where the prediction is inverted"][1][:, 2:] < kinds["where the prediction is inverted"][1][:, :2]
    ).all()
    assert (area(kinds["where the prediction has no area"][1]) == 0).all()
    assert (iou(*kinds["where the boxes are identical"]) == 1).all()


def test_a_sweep_refuses_it_before_anything_is_drawn(write: Writer, empty_folder: Path) -> None:
    spec = SweepSpec.from_preset("quick", losses=["mse", str(write("return ops.mean(y_true - y_pred)"))])
    before = sorted(empty_folder.rglob("*"))
    for start in (run_sweep, plan_sweep):
        with pytest.raises(InputError, match="one number for the whole batch"):
            start(spec)
    assert [
        path for path in sorted(empty_folder.rglob("*")) if path.suffix != ".pyc" and path.name != "__pycache__"
    ] == [path for path in before if path.suffix != ".pyc" and path.name != "__pycache__"]
