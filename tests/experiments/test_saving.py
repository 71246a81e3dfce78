"""A saved network comes back as it was, by Keras alone and one import, and no file brings code along that is run."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bboxbench.errors import CannotRead, CannotWrite, InputError
from bboxbench.experiments import load_model
from bboxbench.experiments.models.saving import model_bytes, save_model, why_not_loadable
from bboxbench.experiments.network import HEADS, build_network
from bboxbench.experiments.recipe import Recipe


def network(head: str = "corners", **changes: Any) -> Any:
    return build_network(Recipe("glorot_uniform"), 1, head=head, width=40, height=30, **changes)


def small(*layers: Any) -> Any:
    pictures = x = keras.Input((4, 4, 1))
    for layer in (keras.layers.Flatten(), *layers):
        x = layer(x)
    return keras.Model(pictures, x)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_comes_back_with_the_same_boxes(head: str, precision: str, tmp_path: Path) -> None:
    model = network(head, start="wide", precision=precision)
    save_model(model, tmp_path / "m.keras")
    pictures = np.random.default_rng(0).uniform(-1, 1, (3, 30, 40, 1)).astype(np.float32)
    assert np.array_equal(model.predict_on_batch(pictures), load_model(tmp_path / "m.keras").predict_on_batch(pictures))
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_keras_alone_loads_it_in_safe_mode_after_importing_one_module(tmp_path: Path) -> None:
    save_model(network("ordered"), tmp_path / "m.keras")
    load = "import keras, sys\n{}keras.saving.load_model(sys.argv[1], safe_mode=True)\n"
    for line, works in (("import bboxbench.experiments.layers\n", True), ("", False)):
        command = [sys.executable, "-c", load.format(line), str(tmp_path / "m.keras")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == works, done.stderr


def test_what_keras_saves_by_itself_is_loaded_too(tmp_path: Path) -> None:
    model = small(keras.layers.Dense(4))
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    assert np.array_equal(load_model(tmp_path / "m.keras").get_weights()[0], model.get_weights()[0])


def test_a_lambda_layer_is_refused_even_where_keras_was_told_to_trust(tmp_path: Path) -> None:
    small(keras.layers.Lambda(lambda x: x[:, :4])).save(tmp_path / "m.keras")
    code = (
        "import keras, sys\nfrom bboxbench.errors import InputError\nfrom bboxbench.experiments import load_model\n"
        "keras.config.enable_unsafe_deserialization()\n"
        "try: load_model(sys.argv[1])\nexcept InputError as error: print(error)"
    )
    # In a process of its own: Keras has no way back from this trust.
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.keras")], capture_output=True, text=True)
    assert "has a Lambda layer" in done.stdout
    with pytest.raises(InputError, match="has a Lambda layer") as refused:
        load_model(tmp_path / "m.keras")
    assert "safe_mode=False" not in str(refused.value)


class Unregistered(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    def call(self, x: Any) -> Any:
        return x


def test_a_layer_that_is_not_registered_is_named(tmp_path: Path) -> None:
    model = small(Unregistered(), keras.layers.Dense(4))
    model.save(tmp_path / "m.keras")
    with pytest.raises(InputError, match="'Unregistered', which is not registered") as refused:
        load_model(tmp_path / "m.keras")
    assert "\n" not in str(refused.value)
    assert "'Unregistered'" in why_not_loadable(model)
    assert why_not_loadable(network()) == ""


def test_a_file_that_names_a_function_of_the_system_does_not_run_it(tmp_path: Path) -> None:
    config = {
        "module": "os",
        "class_name": "mkdir",
        "config": {"path": str(tmp_path / "made")},
        "registered_name": None,
    }
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(InputError):
        load_model(tmp_path / "m.keras")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "bits", "zip"])
def test_a_damaged_file_is_named_in_one_line(damage: str, tmp_path: Path) -> None:
    content = bytearray(model_bytes(network()))
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(byte ^ 255 for byte in content[middle : middle + 64])
    path = tmp_path / "m.keras"
    contents = {"empty": b"", "text": b"hello", "cut": bytes(content[:middle]), "bits": bytes(content)}
    if damage == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("something", "else")
    else:
        path.write_bytes(contents[damage])
    with pytest.raises(InputError, match=r"m\.keras") as refused:
        load_model(path)
    assert "\n" not in str(refused.value)


def test_a_model_in_another_format_a_missing_one_and_a_folder_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "m.zip"
    other.write_bytes(model_bytes(network()))
    with pytest.raises(InputError, match="Expected a model saved by Keras 3"):
        load_model(other)
    for path in (tmp_path / "missing.keras", tmp_path):
        with pytest.raises(CannotRead):
            load_model(path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite):
        save_model(small(keras.layers.Dense(4)), tmp_path / "no folder" / "m.keras")
