from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bboxbench import losses
from bboxbench.boxes import iou
from bboxbench.cli import main
from bboxbench.cli.losses_card import explained_arguments
from bboxbench.cli.losses_compare import SIDES, TELLING
from bboxbench.cli.losses_list import PROPERTIES
from bboxbench.cli.losses_show import describe
from bboxbench.losses.registry import loss_class

OWN = """
import keras
from keras import ops

def square(y_true, y_pred, weight=1.0):
    '''A weighted square.

    Args:
        y_true: true boxes.
        y_pred: predicted boxes.
        weight: above 0, how much
            it counts.
    '''
    return weight * ops.mean(ops.square(y_true - y_pred), axis=-1)

def root(y_true, y_pred):
    return ops.sqrt(square(y_true, y_pred))

def single(y_true, y_pred):
    return square(y_true, y_pred) * ops.ones((1,), "float32")

def whole(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))

class Own(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return square(y_true, y_pred)
"""

Run = Callable[..., tuple[int, str, str]]


def events(out: str) -> list[str]:
    """The kinds of the events on stdout, one a line."""
    return [json.loads(line)["event"] for line in out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``bboxbench losses ...`` and gives the exit code, stdout and stderr."""

    def command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["losses", *words])
        return (int(end.value.code or 0), *capsys.readouterr())

    return command


@pytest.fixture
def own(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of somebody's own losses in the current folder, and a package that offers one of them."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (empty_folder / "losses_of_mine.py").write_text(OWN)
    info = empty_folder / "site" / "mine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    entries = ["square_loss = losses_of_mine:square", "giou = losses_of_mine:Own", "gone = nowhere_at_all:Own"]
    (info / "entry_points.txt").write_text("[bboxbench.losses]\n" + "\n".join(entries) + "\n")
    monkeypatch.syspath_prepend(empty_folder / "site")
    yield
    sys.modules.pop("losses_of_mine", None)


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_has_every_loss_whole_and_fits_the_terminal(
    width: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = run()
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= width
    for name in losses.names():
        (row,) = (line for line in lines if line.startswith(f"{name} "))
        card = loss_class(name).card  # type: ignore[attr-defined]  # every loss of the catalogue has one
        assert row.split()[1] == loss_class(name).__name__
        assert row.split()[-3:-1] == [card.inverted, card.point]
        assert card.family in lines
    assert ("value of a box" in out) == (width == 120)
    assert ("1 - I/U + (C - U)/C" in out) == (width == 120)
    assert max(map(len, err.splitlines())) < 80
    assert f"{len(losses.names())} losses." in err
    assert run("list")[1] == out


def test_the_words_of_every_property_have_a_column_that_holds_them(run: Run) -> None:
    _, out, _ = run()
    words = {word for column in PROPERTIES.values() for word in column}
    shown = {word for line in out.splitlines() for word in line.split()[-4:]}
    assert words - {"16.1"} <= shown


@pytest.mark.parametrize("asked", ["Gaussian", "gaussian", "gau"])
def test_one_family_by_its_name_or_its_beginning(asked: str, run: Run) -> None:
    code, out, _ = run("list", "--family", asked, "--json")
    assert code == 0
    *events, done = (json.loads(line) for line in out.splitlines())
    assert {event["family"] for event in events} == {"Gaussian"}
    assert {"nwd", "gwd", "kld"} <= {event["name"] for event in events}
    assert done == {"event": "done", "losses": len(events)}
    assert run("--family", asked, "--json")[1] == out


def test_json_says_everything_of_every_loss(run: Run) -> None:
    _, out, err = run("--json")
    *events, _ = (json.loads(line) for line in out.splitlines())
    assert err == ""
    assert sorted(event["name"] for event in events) == losses.names()
    for event in events:
        card = loss_class(event["name"]).card  # type: ignore[attr-defined]
        said = {key: value for key, value in vars(card).items() if key != "wrong_elsewhere"}
        assert {key: event[key] for key in said} == json.loads(json.dumps(said))


@pytest.mark.usefixtures("own")
def test_what_packages_offer_is_listed_apart_and_not_imported(run: Run) -> None:
    code, out, err = run()
    assert code == 0
    assert "Offered by installed packages\ngone" in out
    assert "losses_of_mine:square" in out
    assert "losses_of_mine" not in sys.modules
    (warning,) = (line for line in err.splitlines() if line.startswith("Warning"))
    assert "'mine' offers a loss 'giou', which is the name of a registered one" in warning
    _, out, _ = run("list", "--family", "offered", "--json")
    assert json.loads(out.splitlines()[1])["path"] == "losses_of_mine:square"


@pytest.mark.parametrize("name", losses.names())
def test_everything_is_shown_and_the_snippet_runs_and_prints_what_it_says(name: str) -> None:
    values = describe(name)
    cls = loss_class(name)
    assert values["class"] == cls.__name__
    assert values["function"] == cls.function.__name__  # type: ignore[attr-defined]
    assert {key: values[key] for key in vars(cls.card)} == vars(cls.card)  # type: ignore[attr-defined]
    every = {"bounding_box_format", "reduction", "name", "dtype", *cls().own_parameters()}  # type: ignore[attr-defined]
    assert {each["name"] for each in values["parameters"]} == every
    assert [each["name"] for each in values["parameters"] if not each["meaning"]] == []
    assert len(values["properties"]) == 8
    assert printed(values["snippet"]) == values["snippet"].rpartition("# ")[2]
    assert values["import"] in values["snippet"]


def printed(snippet: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(snippet, "snippet", "exec"), {})
    return out.getvalue().strip()


def test_a_page_a_loss_with_its_parameters_as_given(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run("show", "giou", "nwd(constant=0.1)")
    assert (code, err) == (0, "")
    assert "constant = 0.1 (default 12.8)  C, at least 1e-6, in the unit of the boxes.\n" in out
    assert "Properties at the default parameters, which are not these" in out.partition("\nnwd(constant=0.1)")[2]
    for text in (
        "\n  1 - I/U + (C - U)/C\n",
        "\nKnown wrong or differing elsewhere\n  -  KerasCV's",
        "arXiv:1902.09630",
    ):
        assert text in out
    prose = [line for line in out.splitlines() if "np.array" not in line]
    assert max(map(len, prose)) <= 80
    assert not any(line != line.rstrip() for line in out.splitlines())
    _, out, _ = run("show", "giou", "mse", "--json")
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["giou", "mse"]


@pytest.mark.usefixtures("own")
def test_a_loss_of_ones_own_is_shown_with_what_was_found(run: Run) -> None:
    code, out, err = run("show", "losses_of_mine:square(weight=2.0)", "square_loss", "losses_of_mine:root", "mse")
    assert (code, err) == (0, "")
    own, offered, root, mse = _pages(out)
    assert "weight = 2.0 (default 1.0)  above 0, how much it counts." in own
    assert "A weighted square." in own
    assert "nothing to object to, on 12 pairs" in own
    assert "from losses_of_mine import square" in offered
    assert "not finite where the boxes are identical" in " ".join(root.split())
    assert "Found when it was tried" not in mse
    for text in ("losses_of_mine:square(weight=2.0)", "losses_of_mine:square(reduction='none')", "losses_of_mine:Own"):
        snippet = describe(text)["snippet"]
        assert printed(snippet) == snippet.rpartition("# ")[2]


def _pages(out: str) -> list[str]:
    """Each ends with the line that prints."""
    pages, page = [], ""
    for line in out.splitlines(keepends=True):
        page += line
        if line.startswith("  print("):
            pages.append(page)
            page = ""
    return pages


def test_the_arguments_of_a_docstring_are_found() -> None:
    text = "A loss.\n\nArgs:\n    eps: 0 < eps.\n        In `squares`.\n    a, b: both.\n\nRaises:\n    E: no.\n"
    assert explained_arguments(text) == {"eps": "0 < eps. In squares.", "a": "both.", "b": "both."}
    assert explained_arguments("") == {}


def values_of(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_values_and_gradients_are_those_of_the_formulas(run: Run) -> None:
    true, pred = (0.0, 0.0, 4.0, 4.0), (2.0, 0.0, 4.0, 4.0)
    code, out, err = run(
        "compare", "mse", "l1", "--true", "0,0,4,4", "--pred", "2,0,4,4", "--pred", "-1,0,4,3", "--json"
    )
    assert (code, err) == (0, "")
    found = values_of(out)
    assert [(each["loss"], each["pred"]) for each in found[:2]] == [("mse", list(pred)), ("l1", list(pred))]
    assert found[0]["true"] == list(true)
    assert [each["value"] for each in found] == [1.0, 0.5, 0.5, 0.5]
    assert [each["gradient"] for each in found] == [
        [1, 0, 0, 0],
        [0.25, 0, 0, 0],
        [-0.5, 0, 0, -0.5],
        [-0.25, 0, 0, -0.25],
    ]


def test_without_boxes_the_telling_pairs_are_what_they_are_called(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run("compare", "mse", "giou", "centre_point(size_weight=0)", "iou_unguarded")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    for label, true, pred in TELLING:
        line = f"{label}: true {','.join(f'{x:g}' for x in true)}, predicted {','.join(f'{x:g}' for x in pred)}\n"
        assert line in out
    assert "centre_point(size_weight=0) " in out
    assert out.count("inf") == 5
    assert out.count("nan") == 16
    pairs = {label: (true, pred) for label, true, pred in TELLING}
    assert 0 < iou(*pairs["overlapping"]) < 1
    assert [float(iou(*pairs[label])) for label in ("touching", "disjoint", "far", "inverted")] == [0, 0, 0, 0]
    assert float(iou(*pairs["identical"])) == 1


def test_csv_has_every_digit_and_what_is_not_finite(run: Run) -> None:
    _, out, _ = run("compare", "giou,iou_unguarded", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 2 * len(TELLING)
    far = {row["loss"]: row for row in rows if row["label"] == "far"}
    assert float(far["iou_unguarded"]["value"]) == math.inf
    assert math.isnan(float(far["iou_unguarded"]["gradient_xmax"]))
    boxes = [np.array(box)[None] for box in TELLING[4][1:]]
    assert float(far["giou"]["value"]) == float(losses.giou_loss(*boxes)[0])
    _, out, _ = run("compare", "iou_unguarded", "--json")
    found = {each["label"]: each for each in values_of(out)}
    assert (found["far"]["value"], found["far"]["finite"]) == (None, False)
    assert found["inside"]["finite"]


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("box_format", losses.BOX_FORMATS)
def test_boxes_of_every_format_give_the_same_values(box_format: str, run: Run) -> None:
    words = ("compare", "diou", "losses_of_mine:square", "losses_of_mine:Own", "--json")
    expected, found = (values_of(run(*words, "--format", name)[1]) for name in ("xyxy", box_format))
    assert [each["value"] for each in found] == pytest.approx([each["value"] for each in expected])
    assert {each["format"] for each in found} == {box_format}
    # The gradient is by the numbers of the format: a step of the centre moves both edges.
    index = {side: number for number, side in enumerate(SIDES[box_format.removeprefix("rel_")])}
    for each, corners in zip(found, expected, strict=True):
        for low, high, centre in ((0, 2, "x"), (1, 3, "y")):
            moved = corners["gradient"][low] + corners["gradient"][high]
            mine = index.get(centre, index.get(f"{centre}min"))
            ours = each["gradient"][mine]
            both = ours + each["gradient"][index[f"{centre}max"]] if f"{centre}max" in index else ours
            assert both == pytest.approx(moved, abs=1e-9)


def test_boxes_come_from_a_file_with_labels_or_without(run: Run, empty_folder: Path) -> None:
    path = empty_folder / "boxes.csv"
    path.write_text("label,a,b,c,d,e,f,g,h\nfirst,0,0,4,4,2,0,4,4\n\n0,0,4,4,0,0,4,3\n")
    code, out, _ = run("compare", "l1", "--boxes", str(path), "--json")
    assert code == 0
    assert [(each["label"], each["value"]) for each in values_of(out)] == [("first", 0.5), ("", 0.25)]


@pytest.mark.usefixtures("own")
def test_a_loss_of_ones_own_is_compared_with_its_warnings_and_in_float32_where_it_must(run: Run) -> None:
    code, out, err = run("compare", "mse", "losses_of_mine:root", "losses_of_mine:single", "square_loss", "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    by_loss = {name: [float(row["value"]) for row in rows if row["loss"] == name] for name in {r["loss"] for r in rows}}
    assert by_loss["mse"] == by_loss["square_loss"] == pytest.approx(by_loss["losses_of_mine:single"])
    warnings = err.splitlines()
    assert len(warnings) == 2
    assert "'losses_of_mine:root' is not finite where the boxes are identical" in warnings[0]
    assert "'losses_of_mine:single' does not take float64, so it is computed in float32" in warnings[1]


WRONG = [
    (["lst"], "No such command 'lst'. Did you mean 'list'?"),
    (["--family", "gausian"], "Unknown family 'gausian'. Did you mean 'Gaussian'?"),
    (["--family", "c"], "which begins 'Centre and size' and 'Coordinates'"),
    (["--json", "show", "mse"], "expected the options of 'show' behind it"),
    (["show"], "Missing argument"),
    (["show", "mse", "giuo"], "Unknown loss 'giuo'. Did you mean 'giou'?"),
    (["show", "nwd(cnstant=1)"], "Did you mean 'constant'?"),
    (["show", "mse("], "name(key=value,...)"),
    (["show", "nowhere:Loss"], "No module named 'nowhere'"),
    (["show", "losses_of_mine:whole"], "one number for the whole batch"),
    (["show", "gone"], "The loss 'gone' of the package 'mine' is broken."),
    (["compare"], "Missing argument"),
    (["compare", ","], "Received none"),
    (["compare", "mse", "losses_of_mine:whole"], "one number for the whole batch"),
    (["compare", "mse", "--format", "xyx"], "Did you mean 'yxyx'?"),
    (["compare", "mse", "--true", "0,0,4", "--pred", "0,0,1,1"], "Received: '0,0,4'."),
    (["compare", "mse", "--true", "0,0,4,x", "--pred", "0,0,1,1"], "Received: '0,0,4,x'."),
    (["compare", "mse", "--true", "0,0,nan,4", "--pred", "0,0,1,1"], "four finite numbers"),
    (["compare", "mse", "--true", "0,0,4,4"], "1 --true, 0 --pred"),
    (["compare", "mse", "--pred", "0,0,4,4"], "0 --true, 1 --pred"),
    (["compare", "mse", "--boxes", "nowhere.csv"], "Cannot read nowhere.csv"),
    (["compare", "mse", "--boxes", "short.csv"], "8 finite numbers in line 2 of short.csv"),
    (["compare", "mse", "--boxes", "empty.csv"], "a pair of boxes a row in empty.csv"),
    (["compare", "mse", "--boxes", "short.csv", "--pred", "0,0,4,4"], "Received both"),
    (["compare", "mse", "--csv", "--json"], "received both"),
    (["compare", "giou(bounding_box_format='xywh')"], "--format xyxy. Received: 'xywh'"),
]


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(("words", "said"), WRONG, ids=lambda each: str(each)[:40])
def test_wrong_usage_is_one_line_and_code_2(words: list[str], said: str, run: Run, empty_folder: Path) -> None:
    (empty_folder / "short.csv").write_text("a,b\n1,2,3\n")
    (empty_folder / "empty.csv").write_text("a,b,c,d,e,f,g,h\n")
    code, out, err = run(*words)
    assert (code, events(out)) == (2, ["error"] if "--json" in words else [])
    assert said in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("own")
def test_a_sweep_refuses_a_loss_on_arrival_and_warns_of_another(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def sweep(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["sweep", "--preset", "quick", *words])
        return (int(end.value.code or 0), *capsys.readouterr())

    before = sorted(Path().rglob("*.*"))
    for words in ((), ("--dry-run",), ("--dry-run", "--json")):
        code, out, err = sweep("--losses", "mse,losses_of_mine:whole", *words)
        assert (code, events(out), err.count("\n")) == (2, ["error"] if "--json" in words else [], 1)
        assert "one number for the whole batch: a mean, sum or norm needs axis=-1" in err
    code, out, err = sweep("--losses", "losses_of_mine:root,mse", "--seeds", "1", "--quiet", "--dry-run", "--json")
    assert code == 0
    assert err.startswith("Warning: The loss 'losses_of_mine:root' is not finite where the boxes are identical")
    assert err.count("\n") == 1
    assert events(out) == ["warning", "plan"]
    assert [path for path in sorted(Path().rglob("*.*")) if path.suffix != ".pyc"] == [
        path for path in before if path.suffix != ".pyc"
    ]


@pytest.mark.parametrize("words", [[], ["list"], ["show"], ["compare"]], ids=lambda words: " ".join(words) or "group")
def test_help_has_examples_and_loads_no_tensorflow(words: list[str]) -> None:
    code = (
        "import sys\nfrom bboxbench.cli import main\n"
        f"try: main(['losses', *{words!r}, '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'tensorflow', 'keras', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("bboxbench losses ") >= 3
