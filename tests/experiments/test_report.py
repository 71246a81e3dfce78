from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from bboxbench.data_gen import Dataset
from bboxbench.errors import CannotWrite, InputError
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.report import PAGE, render, write_report

WriteSweep = Callable[..., Path]
FATES = {"mse": "good", "iou": "pinned", "iou_unguarded": "diverged", "giou": "failed"}
INITIALIZERS = ("glorot_uniform", "random_normal(stddev=0.0289)")


class Page(HTMLParser):
    """The elements of a page in their order, and the text of each kind of element."""

    VOID = ("meta", "link", "input", "br", "hr", "img", "wbr", "image", "use", "rect", "path")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append((tag, ""))
        if tag not in self.VOID:
            self._open.append(len(self.texts) - 1)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.texts[self._open.pop()][0] == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        for index in self._open:
            tag, text = self.texts[index]
            self.texts[index] = (tag, text + data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [" ".join(text.split()) for name, text in self.texts if name == tag]


@pytest.fixture(scope="module")
def folder(write_sweep: WriteSweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("report") / "results" / "mine", FATES, INITIALIZERS)


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_the_page_stands_in_the_folder_of_results(folder: Path, page: Page) -> None:
    assert (folder / "report" / "index.html").is_file()
    assert folder / PAGE == folder / "report" / "index.html"
    assert page.text("title")[0].startswith("mine: 2 of 8 combinations converged")


def test_the_same_sweep_gives_the_same_page(folder: Path, page: Page) -> None:
    assert write_report(folder).read_text(encoding="utf-8") == page.source


def test_the_answer_comes_first_and_how_it_was_made_last(page: Page) -> None:
    sections = [attributes["id"] for attributes in page.all("section")]
    assert sections == ["answer", "happened", "trap", "curves", "spread", "ranking", "runs", "made"]
    linked = [(a["href"] or "")[1:] for a in page.all("a")]
    assert set(sections) <= set(linked)


def test_nothing_is_loaded_from_anywhere(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
            value = attributes.get(name)
            here = (
                ("#", "data:", "https://") if (tag, name) == ("a", "href") else ("#", "data:")
            )  # a link loads nothing
            assert value is None or value.startswith(here), f"<{tag} {name}={value}>"
    assert "@import" not in page.source
    assert not re.search(r"url\((?!['\"]?#)", page.source)


def test_the_policy_forbids_the_network_and_knows_the_one_script(page: Page) -> None:
    (policy,) = (m["content"] or "" for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    (script,) = re.findall(r"<script>(.*?)</script>", page.source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_headings_go_down_one_level_at_a_time_from_a_single_first(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_all_that_is_pointed_at_exists(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = {value[1:] for _, a in page.elements if (value := a.get("href") or "").startswith("#")}
    pointed |= {a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a}
    pointed |= set(re.findall(r"url\(#([^)]+)\)", page.source))
    assert pointed <= set(ids)


def test_every_picture_has_a_text_and_every_table_a_caption(page: Page) -> None:
    for svg in page.all("svg"):
        assert svg.get("aria-hidden") == "true" or (svg.get("role") == "img" and svg.get("aria-label"))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(page.text("caption"))


def test_what_scrolls_is_reached_by_keyboard_and_has_a_name(page: Page) -> None:
    scrolling = [a for _, a in page.elements if "scroll" in (a.get("class") or "").split()]
    assert scrolling
    assert all(a.get("tabindex") == "0" and a.get("role") == "region" and a.get("aria-label") for a in scrolling)


def test_every_run_and_every_combination_is_there_without_scripts(page: Page) -> None:
    rows = [a for a in page.all("tr") if "data-state" in a]
    assert len(rows) == len(FATES) * len(INITIALIZERS) * 2
    assert {(a["data-loss"], a["data-state"]) for a in rows} == {
        ("mse", "converged"),
        ("iou", "blind"),
        ("iou_unguarded", "diverged"),
        ("giou", "failed"),
    }
    squares = [a for a in page.all("td") if "square" in (a.get("class") or "").split()]
    assert len(squares) == len(FATES) * len(INITIALIZERS)
    hidden = [tag for tag, a in page.elements if "hidden" in a]
    assert set(hidden) == {"form"}, "only what needs scripts waits for them"


def test_each_test_picture_is_stored_once_and_shown_for_each_combination_that_gave_boxes(page: Page) -> None:
    stored = [a["id"] for a in page.all("image")]
    assert len([name for name in stored if name and name.startswith("t")]) == 4
    assert all((a["href"] or "").startswith("data:image/png;base64,") for a in page.all("image"))
    used = [(a["href"] or "")[1:] for a in page.all("use")]
    # One that converges for comparison, and the pinned ones under two initializers. The others gave no box to draw.
    assert used.count(str(stored[0])) == 1 + 2


def test_cells_that_fail_stand_in_the_order_of_the_grid_and_the_legend_shows_the_strokes(page: Page) -> None:
    heads = [text for text in page.text("h4") if "for comparison" not in text]
    assert [text.split()[0] for text in heads] == [loss for loss in list(FATES)[1:] for _ in INITIALIZERS]
    keys = [a for a in page.all("svg") if a.get("class") == "key"]
    assert len(keys) == 2
    assert {"true", "pred"} <= {a.get("class") for a in page.all("rect")}


def test_names_are_short_and_their_full_text_is_at_hand(page: Page) -> None:
    full = "random_normal(mean=0.0,stddev=0.0289)"
    titles = {a.get("title") for a in page.all("abbr")}
    assert titles <= {full}
    assert not any(full in text for kind in ("p", "td", "th", "li", "h3") for text in page.text(kind))


def test_only_tables_that_are_there_are_named(folder: Path, page: Page, tmp_path: Path) -> None:
    assert {"runs.csv", "comparisons.csv", "baselines.csv"} <= set(page.text("code"))
    copy = Path(shutil.copytree(folder, tmp_path / "r"))
    (copy / "baselines.csv").unlink()
    (copy / "comparisons.csv").unlink()
    left = Page(write_report(copy).read_text(encoding="utf-8")).text("code")
    assert "runs.csv" in left
    assert not {"comparisons.csv", "baselines.csv"} & set(left)


def test_words_of_the_page_are_explained(page: Page) -> None:
    assert {"IoU", "interquartile mean", "power", "correlation", "spread", "pinned"} <= set(page.text("dt"))


def test_very_many_pairs_are_cut_and_said_to_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bboxbench.experiments.report.page.MOST_PAIRS", 5)
    cut = Page(render(read_sweep(folder)))
    assert "The first 5 of 16 pairs" in cut.text("summary")
    assert any("The table has the first 5 of 16 pairs, comparisons.csv all of them." in text for text in cut.text("p"))


def test_a_cell_that_failed_shows_its_error_in_place_of_boxes(page: Page) -> None:
    assert page.text("p").count("The run in the middle failed, so it gave no boxes: ValueError: made to fail") == 2
    assert page.text("p").count("No box of the run in the middle is finite, so none can be drawn.") == 2


def test_the_boxes_shown_are_those_of_the_run_in_the_middle(folder: Path, page: Page) -> None:
    pinned = [a for a in page.all("rect") if a.get("class") == "pred" and a.get("width") == "200.0"]
    assert len(pinned) == 2 * 4
    assert {(a["x"], a["y"], a["height"]) for a in pinned} == {("0.0", "0.0", "100.0")}


def test_the_trap_names_the_gap(page: Page) -> None:
    (said,) = (text for text in page.text("p") if "compares which of the four" in text)
    assert re.search(r"iou under \S+, seed \d, reads [01]\.\d\d with a box accuracy of 0\.\d\d", said)
    assert "One and the same box for every picture reads" in said


def test_without_the_pictures_the_page_says_so_and_has_all_else(folder: Path, page: Page) -> None:
    bare = Page(render(read_sweep(folder), None))
    assert not bare.all("image")
    assert any("were not found" in text for text in bare.text("li"))
    assert len(bare.all("section")) == len(page.all("section"))
    assert len(bare.all("tr")) == len(page.all("tr"))


def test_pictures_that_lie_elsewhere_are_taken_from_there(
    folder: Path, small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "results" / "mine"))
    manifest = json.loads((copy / "sweep.json").read_text())
    manifest["spec"]["data"] = "gone"
    (copy / "sweep.json").write_text(json.dumps(manifest))
    monkeypatch.chdir(tmp_path)
    assert "were not found" in write_report(copy).read_text(encoding="utf-8")
    assert "were not found" not in write_report(copy, small_dataset.folder).read_text(encoding="utf-8")


def test_pictures_that_are_damaged_are_said_and_left_out(folder: Path, small_dataset: Dataset, tmp_path: Path) -> None:
    pictures = Path(shutil.copytree(small_dataset.folder, tmp_path / "data"))
    (shard,) = (pictures / "shards").iterdir()
    shard.write_bytes(shard.read_bytes()[:-200])
    copy = Path(shutil.copytree(folder, tmp_path / "results" / "mine"))
    bare = Page(write_report(copy, pictures).read_text(encoding="utf-8"))
    assert not bare.all("image")
    assert any("could not be read" in text for text in bare.text("li"))


def test_names_are_text_whatever_they_hold(write_sweep: WriteSweep, tmp_path: Path) -> None:
    name = "own:<b onclick=x>&\"'"
    folder = write_sweep(tmp_path / "r", {name: "pinned", "mse": "good"})
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert not [a for a in page.all("b") if "onclick" in a]
    assert name in [a.get("data-loss") for a in page.all("tr")]
    assert any(text.startswith(name) for text in page.text("th"))


@pytest.mark.parametrize(
    ("fates", "options", "said"),
    [
        ({"mse": "good"}, {"seeds": 1}, "1 of 1 run converged"),
        ({"mse": "failed"}, {"seeds": 2}, "0 of 2 runs converged"),
        ({"mse": "diverged", "iou": "failed"}, {}, "None of 2 combinations converged, under any seed"),
        ({"mse": "good", "iou": "good"}, {"epochs": 1}, "All 2 combinations converged in most of their seeds"),
    ],
    ids=["one run", "all failed", "nothing finite", "one epoch"],
)
def test_odd_sweeps_have_whole_pages(
    write_sweep: WriteSweep, tmp_path: Path, fates: dict[str, str], options: dict[str, int], said: str
) -> None:
    page = Page(write_report(write_sweep(tmp_path / "r", fates, **options)).read_text(encoding="utf-8"))
    assert page.text("h1") == [said]
    assert len(page.all("section")) == 8


def test_a_sweep_that_has_only_begun_has_a_page(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sweep.json", tmp_path)
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert page.text("h1") == ["No run has finished yet"]
    assert [a["id"] for a in page.all("section")] == ["answer", "made"]


def test_an_unfinished_sweep_says_how_much_is_missing(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "r"))
    lines = (copy / "journal.jsonl").read_text().splitlines(keepends=True)
    (copy / "journal.jsonl").write_text("".join(lines[:5]))
    page = Page(write_report(copy).read_text(encoding="utf-8"))
    assert page.text("h1")[0].startswith("So far: ")
    assert "5 of 16" in page.text("dd")
    assert any(text.startswith("5 of 16 runs are in the journal") for text in page.text("dd"))
    assert any("not run" in text for text in page.text("td"))


def test_losses_are_ordered_by_the_share_that_converged_however_many_cells_have_begun(
    write_sweep: WriteSweep, tmp_path: Path
) -> None:
    folder = write_sweep(tmp_path / "r", {"iou": "good", "mse": "good"}, INITIALIZERS, seeds=1)
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text("".join(lines[:3]))
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    rates = {a["data-loss"]: float(a["data-rate"] or "") for a in page.all("tr") if "data-rate" in a}
    assert set(rates) == {"iou", "mse"}
    assert all(1 <= rate < 1.01 for rate in rates.values())


def test_commands_name_the_folder_as_a_shell_takes_it_and_the_code_they_need(
    write_sweep: WriteSweep, tmp_path: Path
) -> None:
    folder = write_sweep(tmp_path / "my sweep", {"own:Loss": "good", "mse": "good"}, seeds=1)
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "bboxbench plot 'results/my sweep' all" in page.text("code")
    assert any("bboxbench report 'results/my sweep'" in text for text in page.text("code"))
    assert "Typed in a folder with the code of own:Loss, this makes the sweep again:" in page.text("p")


def test_columns_of_more_than_initializers_are_called_conditions(write_sweep: WriteSweep, tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "r", {"mse": "good"}, INITIALIZERS[1:], seeds=2)
    assert "Box accuracy and outcomes, losses by initializer" in Page(render(read_sweep(folder))).text("caption")
    first, second = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text(first + second.replace('"corners"', '"ordered"'))
    assert "Box accuracy and outcomes, losses by conditions" in Page(render(read_sweep(folder))).text("caption")


def test_places_of_sides_are_said_to_be_of_finite_boxes_alone(page: Page) -> None:
    assert any("the sides of all finite boxes of 2 runs together lie" in text for text in page.text("figcaption"))


def test_predictions_that_are_gone_leave_a_word_in_their_place(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "r"))
    for file in (copy / "predictions").glob("iou-*"):
        file.unlink()
    page = Page(write_report(copy).read_text(encoding="utf-8"))
    assert page.text("p").count("The predictions of this run are missing or altered.") == 2


def test_what_is_no_sweep_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected the results folder of a sweep"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_old_page_stays_when_the_new_one_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "r"))
    (copy / PAGE).write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CannotWrite, match="no space is left"):
        write_report(copy)
    assert [(each.name, each.read_text()) for each in (copy / "report").iterdir()] == [("index.html", "old")]


@pytest.mark.slow
def test_320_runs_fit_into_3_megabytes(write_sweep: WriteSweep, tmp_path: Path) -> None:
    four = (*INITIALIZERS, "glorot_normal", "random_uniform(minval=-0.05,maxval=0.05)")
    folder = write_sweep(tmp_path / "r", FATES, four, seeds=20, epochs=8)
    path = write_report(folder)
    assert len(read_sweep(folder).runs) == 320
    assert path.stat().st_size < 3_000_000
