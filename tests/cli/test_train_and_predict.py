"""The commands train and predict: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.cli.commands import run
from bboxbench.data_gen import Dataset

OWN = """
import keras

layers = keras.layers


def build(initializer, width, height):
    pictures = keras.Input((height, width, 1))
    x = layers.Flatten()(layers.AveragePooling2D(10)(pictures))
    x = layers.Dense(64, "relu", kernel_initializer=initializer("hidden"))(x)
    return keras.Model(pictures, layers.Dense(4, kernel_initializer=initializer("box"))(x))


def sees_nothing(initializer, width, height):
    pictures = keras.Input((height, width, 1))
    x = layers.Rescaling(0.0)(layers.GlobalAveragePooling2D()(pictures))
    return keras.Model(pictures, layers.Dense(4, kernel_initializer=initializer("box"))(x))
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with networks of one's own."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "trained_network_module.py").write_text(OWN)
    return folder


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workplace)
    return workplace


def words(dataset: Dataset, *more: object, network: str = "build") -> list[str]:
    own = ["--network", f"trained_network_module:{network}", "--data", dataset.folder, "--optimizer", "adam:0.003"]
    return ["train", *map(str, (*own, *more))]


def test_train_and_then_predict(
    small_dataset: Dataset, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words(small_dataset, "--epochs", 2, "--batch-size", 6, "--out", "one")) == 0
    said = capsys.readouterr()
    assert "box accuracy" in said.out
    assert "epoch 2 of 2: loss" in said.err
    for name in ("strip.png", "film.gif", "model.keras", "epochs.csv"):
        assert str(Path("one") / name) in said.out
    pictures = []
    for number, image in enumerate(small_dataset.images("test")[:3]):
        pictures.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(image).save(pictures[-1])
    assert run(["predict", "one/model.keras", *pictures, pictures[0], "--out", str(tmp_path / "drawn")]) == 0
    said = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["picture"] for row in rows] == [*pictures, pictures[0]]
    assert list(rows[0]) == ["picture", "width", "height", "xmin", "ymin", "xmax", "ymax"]
    assert (rows[0]["width"], rows[0]["height"]) == ("200", "100")
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["0-box-2.png", "0-box.png", "1-box.png", "2-box.png"]
    assert run(["predict", "one/model.keras", *pictures, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["box"] * 3
    assert [f"{event['xmin']}" for event in events] == [row["xmin"] for row in rows[:3]]


def test_overfit_ends_with_0_where_it_learned_and_with_1_and_what_it_means_where_not(
    small_dataset: Dataset, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words(small_dataset, "--overfit", 3, "--quiet", "--out", "learned")) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Learned by heart: 3 of 3 boxes")
    assert said.err == ""
    asked = words(small_dataset, "--overfit", 8, "--epochs", 3, "--out", "blind", network="sees_nothing")
    assert run([*asked, "--quiet"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("Not learned by heart (blind")
    assert "\nTry:\n1. " in said.out
    assert said.err.count("\n") == 1
    assert run([*asked, "--json"]) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events][:2] == ["plan", "epoch"]
    done = next(event for event in events if event["event"] == "done")
    assert done["by_heart"]["learned"] is False
    assert done["by_heart"]["count"] == 8


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--loss", "nonsense"], "Unknown loss"),
        (["--loss", "mse,giou"], "Expected a loss"),
        (["--overfit", "0"], "whole number of 1 or more"),
        (["--overfit", "13"], "at most the 12 training pictures"),
        (["--overfit", "3", "--patience", "2"], "Received: patience 2"),
        (["--epochs", "many"], "whole number"),
        (["--preset", "nonsense"], "Unknown preset"),
        (["--data", "nowhere"], "nowhere"),
        (["--losses", "mse"], "No such option"),
    ],
)
def test_a_bad_invocation_of_train_is_one_line_and_2(
    small_dataset: Dataset, here: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert run(["train", "--data", str(small_dataset.folder), "--out", "bad", *more]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (here / "bad").exists()


def test_another_training_in_the_folder_is_refused_with_3(
    small_dataset: Dataset, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "taken").mkdir()
    (here / "taken" / "mine.txt").write_text("keep")
    assert run(words(small_dataset, "--epochs", 1, "--out", "taken")) == 3
    assert "mine.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "picture", "said"),
    [
        ("model.keras", "no.png", "no.png, which is none"),
        ("model.keras", "missing.png", "does not exist"),
        ("no.png", "yes.png", "a .keras file. Received: no.png"),
        ("missing.keras", "yes.png", "does not exist"),
        ("lambda.keras", "yes.png", "has a Lambda layer"),
        ("model.keras", None, "Missing argument"),
    ],
)
def test_a_bad_invocation_of_predict_is_one_line_and_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
    picture: str | None,
    said: str,
) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    pictures = keras.Input((10, 20, 1))
    flat = keras.layers.Flatten()(pictures)
    keras.Model(pictures, keras.layers.Dense(4)(flat)).save("model.keras")
    keras.Model(pictures, keras.layers.Lambda(lambda x: x[:, :4])(flat)).save("lambda.keras")
    Path("no.png").write_text("no picture")
    Image.new("RGB", (20, 10)).save("yes.png")
    assert run(["predict", model, *([picture] if picture else [])]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_network_that_gives_no_number_leaves_its_columns_empty_and_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    pictures = keras.Input((10, 20, 1))
    model = keras.Model(pictures, keras.layers.Dense(4)(keras.layers.Flatten()(pictures)))
    model.set_weights([np.full((200, 4), np.nan), np.zeros(4)])
    model.save(tmp_path / "m.keras")
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    assert run(["predict", str(tmp_path / "m.keras"), str(tmp_path / "a.png"), "--out", str(tmp_path / "d")]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].endswith("a.png,20,10,,,,")
    assert captured.err.startswith("Warning: No box in")


def test_no_picture_of_yours_is_overwritten_and_the_same_command_renews_its_drawings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    pictures = keras.Input((10, 20, 1))
    keras.Model(pictures, keras.layers.Dense(4)(keras.layers.Flatten()(pictures))).save("m.keras")
    Path("drawn").mkdir()
    yours = [Path(name) for name in ("a.png", "a-box.png", "b.png", "drawn/b-box.png")]
    for path in yours:
        Image.new("RGB", (20, 10)).save(path)
    Path("c.png").write_bytes(yours[0].read_bytes())
    Path("c-box.png").write_text("no picture at all")
    yours += [Path("c.png"), Path("c-box.png")]
    before = [path.read_bytes() for path in yours]

    def drawn(folder: str) -> set[str]:
        return {path.name for path in Path(folder).glob("*-box*.png") if path not in yours}

    for _ in range(2):
        assert run(["predict", "m.keras", "a.png", "a-box.png", "c.png", "--out", "."]) == 0
        assert run(["predict", "m.keras", "b.png", "--out", "drawn"]) == 0
        assert [path.read_bytes() for path in yours] == before
        assert drawn(".") == {"a-box-2.png", "a-box-box.png", "c-box-2.png"}
        assert drawn("drawn") == {"b-box-2.png"}
    # A drawing that is asked about is a picture like any other.
    asked = Path("a-box-2.png").read_bytes()
    assert run(["predict", "m.keras", "a.png", "a-box-2.png", "--out", "."]) == 0
    assert Path("a-box-2.png").read_bytes() == asked
    assert Path("a-box-3.png").exists()


def test_a_layer_of_your_own_is_known_by_importing_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("layer_of_my_own.py").write_text(
        "import keras\n@keras.saving.register_keras_serializable(package='mine')\n"
        "class FirstFour(keras.layers.Layer):\n    def call(self, x): return x[:, :4]\n"
        "    def compute_output_shape(self, shape): return (shape[0], 4)\n"
    )
    import keras

    module = importlib.import_module("layer_of_my_own")
    pictures = keras.Input((10, 20, 1))
    keras.Model(pictures, module.FirstFour()(keras.layers.Flatten()(pictures))).save("m.keras")
    keras.saving.get_custom_objects().pop("mine>FirstFour")
    monkeypatch.delitem(importlib.sys.modules, "layer_of_my_own")  # type: ignore[attr-defined]  # it imports sys
    Image.new("RGB", (20, 10)).save("a.png")
    assert run(["predict", "m.keras", "a.png"]) == 2
    assert "'FirstFour', which is not registered" in capsys.readouterr().err
    assert run(["predict", "m.keras", "a.png", "--import", "layer_of_my_own"]) == 0
    assert run(["predict", "m.keras", "a.png", "--import", "no_such_module"]) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send another Ctrl-C there")
def test_ctrl_c_ends_with_130_and_leaves_what_was_seen(small_dataset: Dataset, here: Path) -> None:
    command = [sys.executable, "-m", "bboxbench", *words(small_dataset, "--epochs", 29, "--out", "stopped")]
    process = subprocess.Popen(command, cwd=here, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 2 of 29"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Interrupted; what was seen of the network is kept. The same command begins anew."
    assert "Traceback" not in err
    assert out == ""
    names = {path.name for path in (here / "stopped").iterdir()}
    assert {"strip.png", "film.gif", "epochs.csv"} <= names
    assert "model.keras" not in names
