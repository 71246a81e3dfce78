"""Losses that installed packages offer, from real distributions: a module and its dist-info on the search path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from bboxbench import losses
from bboxbench.losses import registry

MODULE = """
import keras

def taxicab(y_true, y_pred, weight=1.0):
    return weight * keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)

class Own(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.sum(keras.ops.square(y_true - y_pred), axis=-1)
"""
BUILT_IN = losses.names()

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path, monkeypatch) -> Install:
    """Puts a distribution on the search path: its module, and its dist-info with the entry points given."""

    def put(package: str, entries: str, module: str = MODULE) -> Path:
        folder = tmp_path / package
        info = folder / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{package}_module.py").write_text(module)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[bboxbench.losses]\n{entries}\n")
        monkeypatch.syspath_prepend(folder)
        return folder

    yield put
    for name in [name for name in sys.modules if name.endswith("_module")]:
        del sys.modules[name]


def message_of(call):
    with pytest.raises(ValueError, match=r"\w") as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_offered_loss_is_listed_and_made_by_its_name(install):
    install("offer", "taxi = offer_module:taxicab\nown = offer_module:Own [extra]")
    assert losses.names() == sorted([*BUILT_IN, "taxi", "own"])
    true, pred = np.zeros((2, 4), "float32"), np.ones((2, 4), "float32")
    assert float(losses.get("taxi", weight=3.0)(true, pred)) == 12
    assert float(losses.get("own")(true, pred)) == 4
    assert "has no parameter 'wait'. Did you mean 'weight'?" in message_of(lambda: losses.get("taxi", wait=1))
    assert "Did you mean 'taxi'?" in message_of(lambda: losses.get("taxy"))
    assert registry.own_path("own") == "offer_module:Own"
    assert registry.own_path("a.b:C") == "a.b:C"
    assert registry.own_path("mse") is registry.own_path("taxy") is None


def test_a_package_is_imported_when_its_loss_is_asked_for_and_not_before(install):
    install("lazy", "lazy = lazy_module:Own")
    assert "lazy" in losses.names()
    assert registry.offered() == {"lazy": ("lazy_module:Own", "lazy")}
    assert registry.loss_class("lazy") is keras.losses.Loss
    assert "lazy" not in losses.bases()
    losses.get("mse")
    assert "lazy_module" not in sys.modules
    losses.get("lazy")
    assert "lazy_module" in sys.modules


def test_a_broken_one_is_named_when_asked_for_and_breaks_no_other(install):
    install(
        "broken", "b_import = nowhere_module:X\nb_name = broken_module:Onw\nb_kind = broken_module:keras\nb_form = 3"
    )
    install("whole", "good = whole_module:Own")
    assert {"b_import", "b_name", "b_kind", "b_form", "good"} < set(losses.names())
    losses.get("good")
    for name, said in {
        "b_import": "No module named 'nowhere_module'",
        "b_name": "has no 'Onw'. Did you mean 'Own'?",
        "b_kind": "to be a keras.losses.Loss subclass or a function",
        "b_form": "Cannot import the loss '3'",
    }.items():
        message = message_of(lambda name=name: losses.get(name))
        assert message.startswith(f"The loss '{name}' of the package 'broken' is broken. ")
        assert said in message


def test_a_list_that_cannot_be_read_breaks_no_other(install):
    folder = install("odd", "good = odd_module:Own")
    (folder / "odd-1.0.dist-info" / "entry_points.txt").write_text("[bboxbench.losses]\nno equals sign\n")
    install("whole", "good = whole_module:Own")
    assert losses.names() == sorted([*BUILT_IN, "good"])


def test_a_built_in_name_wins_and_the_clash_is_named(install):
    install("clash", "giou = clash_module:Own\nBad-Name = clash_module:Own")
    assert type(losses.get("giou")) is losses.GIoULoss
    assert losses.names() == BUILT_IN
    assert registry.own_path("giou") is None
    found = registry.clashes()
    assert set(found) == {"giou", "Bad-Name"}
    assert "'clash' offers a loss 'giou'" in found["giou"]
    assert "Ask for the other as 'clash_module:Own'" in found["giou"]
    assert "lower-case letters" in found["Bad-Name"]
    assert not any("\n" in text for text in found.values())


def test_two_packages_with_one_name_have_to_be_told_apart(install):
    install("one", "same = one_module:Own\nfirst = one_module:Own")
    install("two", "same = two_module:Own")
    assert "same" in losses.names()
    message = message_of(lambda: losses.get("same"))
    assert "'one_module:Own' of 'one', 'two_module:Own' of 'two'" in message
    assert registry.clashes() == {"same": message}
    losses.get("first")


def test_importing_the_losses_asks_for_no_entry_points():
    code = (
        "import importlib.metadata as m\n"
        "def fail(*a, **k): raise AssertionError\n"
        "import keras\n"
        "m.entry_points = m.distributions = fail\n"
        "import bboxbench.losses\n"
        "bboxbench.losses.get('mse')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
