"""A network by import path: what it is called with, and what is said when it cannot be swept."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bboxbench.errors import InputError
from bboxbench.experiments.own_network import OFFERED, OwnNetwork, own_network
from bboxbench.experiments.plan import plan
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.sweep import plan_sweep, run_sweep

HEAD = """
import keras
layers = keras.layers

def net(*hidden, height=100, width=200, units=4, dtype="float32", initializer="zeros"):
    last = layers.Dense(units, kernel_initializer=initializer, dtype=dtype)
    first = [keras.Input((height, width, 1)), layers.AveragePooling2D(20), layers.Flatten()]
    return keras.Sequential([*first, *hidden, last])

"""
GOOD = "def build(initializer, width, height):\n    return net(initializer=initializer('box'))\n"

Writer = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Writes a module with the code of a network and gives the import path of its function."""
    monkeypatch.syspath_prepend(tmp_path)

    def module(code: str) -> str:
        (tmp_path / "written_network.py").write_text(HEAD + code, encoding="utf-8")
        sys.modules.pop("written_network", None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return "written_network:build"

    yield module
    sys.modules.pop("written_network", None)


def build(network: OwnNetwork, seed: int = 0, **changes: Any) -> keras.Model:
    options = {"head": "corners", "start": "wide", "width": 200, "height": 100, "dropout": 0.2, "precision": "float32"}
    return network.build(Recipe("glorot_uniform"), seed, **{**options, **changes})


@pytest.mark.parametrize(
    ("parameters", "takes"),
    [
        ("initializer", ("initializer",)),
        ("start, head, initializer", ("initializer", "head", "start")),
        ("initializer, *, dropout, depth=3", ("initializer", "dropout")),
        ("width=1, **rest", OFFERED),
    ],
)
def test_a_function_is_given_what_it_names(parameters: str, takes: tuple[str, ...], write: Writer) -> None:
    path = write(f"def build({parameters}):\n    print(*sorted(locals().keys()))\n    return net()\n")
    network = own_network(path)
    assert network.takes == takes
    build(network)


def test_what_it_is_given_is_what_the_spec_says(write: Writer) -> None:
    path = write("got = {}\ndef build(**given):\n    got.update(given)\n    return net(height=60, width=80)\n")
    build(own_network(path), head="ordered", start="zeros", width=80, height=60, dropout=0.5)
    got = dict(sys.modules["written_network"].got)
    made = got.pop("initializer")("conv")
    assert got == {"head": "ordered", "start": "zeros", "width": 80, "height": 60, "dropout": 0.5}
    assert isinstance(made, keras.initializers.GlorotUniform)


def test_a_seed_gives_the_same_weights_layers_differ_and_so_do_seeds(write: Writer) -> None:
    code = (
        "def build(initializer):\n"
        "    same = [layers.Dense(50, kernel_initializer=initializer(name)) for name in ('a', 'b')]\n"
        "    return net(*same, layers.Dense(50), layers.Dropout(0.5), initializer=initializer('box'))\n"
    )
    network = own_network(write(code))
    first, again, other = (build(network, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True))
    picture = np.ones((3, 100, 200, 1), np.float32)
    assert np.array_equal(first(picture, training=True), again(picture, training=True))
    assert not np.array_equal(first(picture, training=True), first(picture))
    kernels = [w for w in first.get_weights() if w.ndim == 2]
    assert not np.array_equal(kernels[1], kernels[2])
    changed = [w for w in other.get_weights() if w.ndim == 2]
    assert not any(np.array_equal(a, b) for a, b in zip(kernels, changed, strict=True))


def test_bfloat16_reaches_its_layers_and_leaves_weights_boxes_and_keras_as_they_were(write: Writer) -> None:
    code = "def build(initializer):\n    return net(layers.Dense(8), initializer=initializer('box'))\n"
    network = own_network(write(code))
    before = keras.config.dtype_policy()
    half, full = build(network, precision="bfloat16"), build(network)
    assert [layer.compute_dtype for layer in half.layers] == ["bfloat16", "bfloat16", "bfloat16", "float32"]
    assert {w.dtype for w in half.weights} == {"float32"}
    assert {layer.compute_dtype for layer in full.layers} == {"float32"}
    assert all(np.array_equal(a, b) for a, b in zip(half.get_weights(), full.get_weights(), strict=True))
    assert keras.config.dtype_policy() == before


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def bild(initializer):\n    return net()\n", "has no 'build'. Did you mean 'bild'"),
        ("build = 3\n", "to be a function that returns a keras.Model. Received: 3"),
        ("build = keras.Model\n", "to be a function that returns a keras.Model"),
        ("1 / 0\n", "Cannot import the network 'written_network:build': ZeroDivisionError"),
        ("def build(width, height):\n    return net()\n", "a parameter 'initializer'. Received: width, height."),
        ("def build():\n    return net()\n", "a parameter 'initializer'. Received: none."),
        ("def build(initializer, depth):\n    return net()\n", "among: initializer, width.* Received: depth."),
        ("def build(initializer, /):\n    return net()\n", "among: initializer, width.* Received: initializer."),
    ],
)
def test_what_is_no_network_function_is_refused_by_the_plan(code: str, said: str, write: Writer) -> None:
    spec = SweepSpec.from_preset("quick", network=write(code))
    with pytest.raises(InputError, match=said) as error:
        plan(spec, "data")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('two\\nlines')", "cannot be built: RuntimeError: two lines"),
        ("return layers.Dense(4)", "Expected a keras.Model from .* Received: Dense."),
        ("return None", "Expected a keras.Model from .* Received: NoneType."),
        ("return net(height=200, width=100)", r"shape \(None, 100, 200, 1\). Received: \(None, 200, 100, 1\)"),
        ("return keras.Sequential([keras.Input(batch_shape=(5, 100, 200, 1)), last])", r"Received: \(5, 100, 200, 1\)"),
        (
            "return keras.Sequential([layers.Flatten(), layers.Conv2D(4, 3)])",
            r"cannot read pictures of shape \(batch, 1",
        ),
        ("return net(units=5)", r"boxes of shape \(batch, 4\) .* Received: \(2, 5\) of 2 pictures."),
        ("return keras.Sequential([layers.Identity()])", r"Received: \(2, 100, 200, 1\) of 2 pictures."),
        ("x = keras.Input((100, 200, 1)); return keras.Model(x, {'box': x})", "Received: dict."),
        ("return net(dtype='float16')", "Expected float32 boxes .* dtype='float32'. Received: float16."),
        ("return net(initializer=initializer())", "cannot be built: TypeError"),
        ("return shared", "to make new layers at every call"),
        ("return keras.Sequential([layers.Flatten(), shared.layers[-1]])", "cannot read pictures"),
        ("return keras.Sequential([layers.AveragePooling2D(20), layers.Flatten(), last])", "to make new layers"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_drawn(
    body: str, said: str, write: Writer, empty_folder: Path
) -> None:
    path = write(f"shared = net()\nlast = layers.Dense(4)\ndef build(initializer):\n    {body}\n")
    before = sorted(empty_folder.iterdir())
    spec = SweepSpec.from_preset("quick", network=path)
    for start in (run_sweep, plan_sweep):
        with pytest.raises(InputError, match=said) as error:
            start(spec)
        assert "\n" not in str(error.value)
    assert [each for each in sorted(empty_folder.iterdir()) if each.name != "__pycache__"] == [
        each for each in before if each.name != "__pycache__"
    ]


@pytest.mark.parametrize("shape", ["(100, 200, 1)", "(None, None, 1)"])
def test_networks_of_any_kind_and_of_any_picture_size_are_taken(shape: str, write: Writer) -> None:
    code = (
        "class Own(keras.Model):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.pool, self.last = layers.GlobalAveragePooling2D(), layers.Dense(4)\n"
        "    def call(self, pictures):\n"
        "        return self.last(self.pool(pictures))\n"
        "def functional():\n"
        f"    pictures = keras.Input({shape})\n"
        "    return keras.Model(pictures, Own()(pictures))\n"
        "def build(initializer, head):\n"
        "    return Own() if head == 'corners' else functional()\n"
    )
    network = own_network(write(code))
    for head in ("corners", "ordered"):
        assert len(build(network, head=head).trainable_weights) == 2


def test_every_initializer_head_and_start_is_tried(write: Writer) -> None:
    code = (
        "tried = []\n"
        "def build(initializer, head, start):\n"
        "    tried.append((type(initializer('box')).__name__, head, start))\n"
        "    return net()\n"
    )
    axes = {"initializers": ["he_normal", "zeros"], "heads": ["corners", "ordered", "centre_size"], "starts": ["zeros"]}
    own_network(write(code)).try_out(SweepSpec.from_preset("quick", **axes), 200, 100)
    seen = [set(column) for column in zip(*sys.modules["written_network"].tried, strict=True)]
    assert seen == [{"HeNormal", "Zeros"}, {"corners", "ordered", "centre_size"}, {"zeros"}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": ["corners", "ordered"]}, "Expected heads corners .* 'head'. Received: corners, ordered."),
        ({"starts": ["zeros"]}, "Expected starts wide .* 'start'. Received: zeros."),
        ({"dropout": 0.5}, r"Expected dropout 0.2 .* 'dropout'. Received: 0.5."),
    ],
)
def test_what_the_function_does_not_take_cannot_be_varied(changes: dict[str, Any], said: str, write: Writer) -> None:
    path = write(GOOD)
    assert plan(SweepSpec.from_preset("quick", network=path), "data")
    with pytest.raises(InputError, match=said):
        plan(SweepSpec.from_preset("quick", network=path, **changes), "data")
    takes_it = write("def build(initializer, head, start, dropout):\n    return net()\n")
    assert plan(SweepSpec.from_preset("quick", network=takes_it, **changes), "data")


def test_an_edited_network_is_other_settings_and_other_runs(write: Writer) -> None:
    spec = SweepSpec.from_preset("quick", network=write(GOOD))
    before = (spec.folder(), plan(spec, "data")[0].run_id)
    assert (spec.folder(), plan(spec, "data")[0].run_id) == before
    write("# elsewhere\n" + GOOD)
    assert (spec.folder(), plan(spec, "data")[0].run_id) == before
    write(GOOD.replace("net(", "net(layers.Dense(8), "))
    after = (spec.folder(), plan(spec, "data")[0].run_id)
    assert all(a != b for a, b in zip(before, after, strict=True))


def test_an_own_network_is_another_run_than_ours(write: Writer) -> None:
    spec = SweepSpec.from_preset("quick", network=write(GOOD), engine="fit")
    assert plan(spec, "data")[0].run_id != plan(SweepSpec.from_preset("quick", engine="fit"), "data")[0].run_id
