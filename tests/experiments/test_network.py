from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from bboxbench.boxes import to_pixels
from bboxbench.data_gen import Dataset
from bboxbench.errors import InputError
from bboxbench.experiments.network import HEADS, STARTS, WIDE_BOX, BoxHead, build_network, output_bias
from bboxbench.experiments.outcomes import measure
from bboxbench.experiments.recipe import Recipe

GLOROT = Recipe("glorot_uniform")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build_network(GLOROT, seed=1)


def test_the_network_of_the_case_has_3_105_552_parameters(network: keras.Model) -> None:
    assert network.count_params() == 3_105_552


def test_its_layers_are_those_of_the_case(network: keras.Model) -> None:
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == [
        *("InputLayer", "Conv2D", "LeakyReLU", "MaxPooling2D", "Dropout", "Flatten"),
        *("Dense", "LeakyReLU", "Dense", "LeakyReLU", "Dense", "BoxHead"),
    ]
    conv, pool, dropout = network.layers[1], network.layers[3], network.layers[4]
    assert (conv.filters, conv.kernel_size, conv.padding) == (4, (16, 16), "valid")
    assert (pool.pool_size, pool.strides) == ((3, 3), (2, 2))
    assert dropout.rate == 0.2
    assert [layer.units for layer in network.layers if hasattr(layer, "units")] == [200, 64, 4]
    assert {layer.negative_slope for layer in network.layers if hasattr(layer, "negative_slope")} == {0.2}
    assert network.layers[10].activation is keras.activations.sigmoid


@pytest.mark.parametrize("head", HEADS)
def test_the_wide_start_makes_the_middle_half_the_first_box(head: str) -> None:
    numbers = keras.ops.sigmoid(np.array([output_bias(head, "wide")], np.float32))
    assert np.allclose(BoxHead(head)(numbers), [WIDE_BOX], atol=1e-6)


def test_the_start_of_the_case_is_a_box_without_area_at_the_centre() -> None:
    numbers = keras.ops.sigmoid(np.array([output_bias("corners", "zeros")], np.float32))
    assert np.allclose(BoxHead("corners")(numbers), 0.5)


def test_the_ordered_head_can_neither_invert_nor_leave_the_picture() -> None:
    numbers = np.random.default_rng(0).random((1000, 4), np.float32)
    boxes = np.asarray(BoxHead("ordered")(numbers))
    assert (boxes[:, 2:] >= boxes[:, :2]).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 1


def test_the_centre_size_head_reads_centre_and_size() -> None:
    box = BoxHead("centre_size")(np.array([[0.5, 0.4, 0.2, 0.6]], np.float32))
    assert np.allclose(box, [[0.4, 0.1, 0.6, 0.7]])


def test_the_untrained_network_starts_at_its_first_box_on_a_grey_picture(network: keras.Model) -> None:
    grey = np.zeros((1, 100, 200, 1), np.float32)
    assert np.allclose(network(grey), [WIDE_BOX], atol=1e-6)


def kernels(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(layer.kernel) for layer in model.layers if hasattr(layer, "kernel")]


def test_one_seed_gives_the_same_weights_and_another_seed_others(network: keras.Model) -> None:
    again, other = build_network(GLOROT, seed=1), build_network(GLOROT, seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(kernels(network), kernels(again), strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(kernels(network), kernels(other), strict=True))


def test_weights_do_not_depend_on_head_or_start(network: keras.Model) -> None:
    other = build_network(GLOROT, seed=1, head="ordered", start="zeros")
    assert all(np.array_equal(a, b) for a, b in zip(kernels(network), kernels(other), strict=True))


def test_the_initializer_with_its_parameters_reaches_every_kernel() -> None:
    model = build_network(Recipe("random_uniform", {"minval": -0.02, "maxval": 0.01}), seed=0)
    for kernel in kernels(model):
        assert -0.02 <= kernel.min() < -0.01
        assert 0.005 < kernel.max() <= 0.01


def test_a_saved_network_comes_back_the_same(network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    picture = np.random.default_rng(0).uniform(-1, 1, (2, 100, 200, 1)).astype(np.float32)
    assert np.array_equal(network(picture), loaded(picture))


def test_bfloat16_changes_what_hidden_layers_compute_in_and_no_weight() -> None:
    half, full = build_network(GLOROT, seed=1, precision="bfloat16"), build_network(GLOROT, seed=1)
    computed = {layer.name: layer.compute_dtype for layer in half.layers}
    assert {computed.pop(name) for name in ("picture", "box", "head")} == {"float32"}
    assert set(computed.values()) == {"bfloat16"}
    assert {weight.dtype for weight in half.trainable_weights} == {"float32"}
    assert all(np.array_equal(a, b) for a, b in zip(half.get_weights(), full.get_weights(), strict=True))
    picture = np.random.default_rng(0).uniform(-1, 1, (2, 100, 200, 1)).astype(np.float32)
    boxes = half(picture)
    assert boxes.dtype == "float32"
    assert np.allclose(boxes, full(picture), atol=0.02)
    assert not np.array_equal(boxes, full(picture))


def test_float32_is_what_the_network_computes_in_if_nothing_is_said(network: keras.Model) -> None:
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    assert "bfloat16" not in network.to_json()


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe("glorot_unifrom"), "Did you mean 'glorot_uniform'"),
        (Recipe("random_uniform", {"minvl": 0}), "minval, maxval"),
        (Recipe("random_uniform", {"minval": "low"}), "cannot"),
        (Recipe("identity"), "cannot start this network's layers"),
        (Recipe("random_normal", {"seed": 1}), "mean, stddev"),
    ],
)
def test_an_initializer_that_cannot_be_is_refused_in_one_line(recipe: Recipe, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        build_network(recipe, seed=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("options", "kind"), [({"head": "corner"}, "head"), ({"start": "wid"}, "start")])
def test_an_unknown_head_or_start_is_refused_with_a_guess(options: dict[str, str], kind: str) -> None:
    with pytest.raises(InputError, match=f"Unknown {kind} .*Did you mean"):
        build_network(GLOROT, seed=0, **options)


def test_pictures_too_small_for_the_network_are_refused() -> None:
    assert build_network(GLOROT, seed=0, width=18, height=18).output_shape == (None, 4)
    with pytest.raises(InputError, match="at least 18x18"):
        build_network(GLOROT, seed=0, width=200, height=17)


@pytest.mark.parametrize("initializer", ["glorot_uniform", "random_normal", "he_normal"])
@pytest.mark.parametrize("start", STARTS)
def test_an_untrained_network_is_blind(initializer: str, start: str, small_dataset: Dataset) -> None:
    model = build_network(Recipe(initializer), seed=5, start=start)
    images, _ = small_dataset.arrays("test")
    boxes = to_pixels(model.predict_on_batch(images), 200, 100)
    assert measure(small_dataset.boxes("test"), boxes, 200, 100).outcome == "blind"


def test_heads_and_starts_are_as_documented() -> None:
    assert HEADS == ("corners", "centre_size", "ordered")
    assert STARTS == ("zeros", "wide")
