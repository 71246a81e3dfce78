from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Open = Callable[..., Any]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
RUNS = "#runs-table tbody tr"
SHOWN = f"{RUNS}:not([hidden])"
EVERY_VIEW = pytest.mark.parametrize(
    ("width", "scheme"), [(1400, "light"), (1400, "dark"), (400, "light"), (400, "dark")]
)


def complaints(page: Any) -> list[str]:
    """What axe finds wrong, contrast included, each with the first element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")


def until(page: Any, condition: str) -> None:
    """Wait until a condition holds; Playwright's own waiting evaluates text in the page, which its policy forbids."""
    for _ in range(50):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"Expected soon: {condition}")


def column(page: Any, head: str, rows: str = SHOWN) -> list[str]:
    """The texts below a head of the table of runs, from the top."""
    heads = [text.strip().split(" ↕")[0] for text in page.locator("#runs-table thead th").all_inner_texts()]
    return [text.strip() for text in page.locator(f"{rows} > :nth-child({heads.index(head) + 1})").all_inner_texts()]


@EVERY_VIEW
def test_it_opens_without_a_fault_and_nothing_overflows(
    opened: Open, screenshots: Path, width: int, scheme: str
) -> None:
    page = opened(width, scheme)
    page.screenshot(path=screenshots / f"report-{width}-{scheme}.png", full_page=True)
    assert page.evaluate(OVERFLOW) <= 0
    assert complaints(page) == []


@EVERY_VIEW
def test_neither_does_what_was_folded_away(opened: Open, width: int, scheme: str) -> None:
    page = opened(width, scheme)
    unfold(page)
    assert page.evaluate(OVERFLOW) <= 0
    assert complaints(page) == []


def test_the_check_of_contrast_sees_a_faint_text(opened: Open) -> None:
    page = opened()
    page.evaluate("document.querySelector('.lead').style.color = '#ddd'")
    assert any(each.startswith("color-contrast") for each in complaints(page))


def test_on_a_phone_each_square_has_the_whole_width_and_numbers_that_can_be_read(opened: Open) -> None:
    page = opened(400)
    whole = page.locator("#answer .say").bounding_box()["width"]
    squares = [square.bounding_box() for square in page.locator(".grid .square").all()]
    assert len(squares) == 6
    assert all(square["width"] == whole for square in squares)
    assert page.locator(".grid .where").first.is_visible(), "without a head above it a square says its initializer"
    heights = [text.bounding_box()["height"] for text in page.locator(".grid .square svg text").all()]
    assert min(heights) >= 9


def test_squares_that_are_filtered_away_leave_no_hole_on_a_phone_and_keep_their_column_on_a_desk(opened: Open) -> None:
    for width, kept in ((400, False), (1400, True)):
        page = opened(width)
        tools = page.locator("form[data-tools=grid]")
        # A square of its own: which runs diverge after two epochs is chance.
        page.evaluate("document.querySelector('.grid .square').dataset.states = 'failed'")
        page.evaluate("document.querySelector('[data-tools=grid] [name=state]').add(new Option('failed', 'failed'))")
        tools.get_by_label("Show squares").select_option("failed")
        assert page.locator(".grid .square:not(.off)").count() == 1
        beside = page.locator(".grid tbody tr:not([hidden]) .off")
        assert beside.count() == 1
        assert (beside.bounding_box() is not None) == kept
        assert not beside.locator("p").first.is_visible()


def test_on_a_desk_the_grid_is_a_table_under_one_head(opened: Open) -> None:
    page = opened(1400)
    tops = [square.bounding_box()["y"] for square in page.locator(".grid .square").all()]
    assert tops[0] == tops[1] < tops[2] == tops[3]
    assert page.locator(".grid thead").is_visible()
    assert not page.locator(".grid .where").first.is_visible()


def test_on_a_desk_no_table_scrolls_aside_and_the_grid_is_not_cut(opened: Open) -> None:
    page = opened(1400)
    unfold(page)
    wider = "(all) => all.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.ariaLabel)"
    assert page.eval_on_selector_all(".scroll, .gridwrap", wider) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_scheme_of_the_system_is_followed(opened: Open, scheme: str) -> None:
    background, ink = opened(scheme=scheme).evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('svg text')).fill]"
    )
    light, dark = (sum(int(part) for part in each[4:-1].split(",")) for each in (background, ink))
    assert (light > dark) == (scheme == "light")


def test_a_head_sorts_by_size_and_the_other_way_round_and_says_so(opened: Open) -> None:
    page = opened()
    before = sorted(column(page, "loss"))
    button = page.locator("#runs-table thead th", has_text="mean IoU").get_by_role("button")
    for direction, down in (("descending", True), ("ascending", False)):
        button.click()
        values = [float(text) for text in column(page, "mean IoU")]
        assert values == sorted(values, reverse=down)
        assert len(set(values)) > 3
        assert page.locator("#runs-table th[aria-sort]").count() == 1
        assert page.locator("#runs-table th[aria-sort]").get_attribute("aria-sort") == direction
    assert sorted(column(page, "loss")) == before


def test_names_sort_as_words_by_keyboard(opened: Open) -> None:
    page = opened()
    page.locator("#runs-table thead th", has_text="loss").get_by_role("button").focus()
    page.keyboard.press("Enter")
    names = column(page, "loss")
    assert names == sorted(names)
    assert names[0] == "giou"


def test_runs_are_filtered_by_any_of_their_words_together(opened: Open) -> None:
    page = opened()
    tools = page.locator("form[data-tools=runs]")
    tools.get_by_label("Loss").select_option("iou_unguarded")
    assert set(column(page, "loss")) == {"iou_unguarded"}
    assert tools.locator("output").inner_text() == "4 of 12 runs"
    tools.get_by_label("Initializer").select_option("glorot_uniform")
    assert page.locator(SHOWN).count() == 2
    tools.get_by_label("Outcome").select_option("diverged")
    assert set(column(page, "outcome")) == {"diverged"}
    tools.get_by_label("Find").fill("NO SUCH RUN")
    assert page.locator(SHOWN).count() == 0
    assert tools.locator("output").inner_text() == "nothing matches"
    assert not page.locator("#runs-table").is_visible()
    tools.get_by_role("button", name="Clear").click()
    until(page, f"document.querySelectorAll('{SHOWN}').length === 12")
    assert tools.locator("output").inner_text() == ""


def test_filtered_rows_stay_filtered_when_they_are_sorted(opened: Open) -> None:
    page = opened()
    page.locator("form[data-tools=runs]").get_by_label("Loss").select_option("mse")
    page.locator("#runs-table thead th", has_text="box accuracy").get_by_role("button").click()
    assert set(column(page, "loss")) == {"mse"}
    assert page.locator(SHOWN).count() == 4


def test_the_grid_shows_the_losses_asked_for_and_ranks_them(opened: Open) -> None:
    page = opened()
    tools = page.locator("form[data-tools=grid]")
    rows = page.locator(".grid tbody tr:not([hidden]) > th")
    original = rows.all_inner_texts()
    assert original == ["mse", "giou", "iou_unguarded"]
    tools.get_by_label("Order").select_option("worst")
    rates = [float(row.get_attribute("data-rate")) for row in page.locator(".grid tbody tr").all()]
    assert rates == sorted(rates)
    tools.get_by_label("Order").select_option("")
    assert rows.all_inner_texts() == original
    tools.get_by_label("Loss").fill("GIOU")
    assert rows.all_inner_texts() == ["giou"]
    assert tools.locator("output").inner_text() == "2 of 6 squares"
    tools.get_by_label("Loss").fill("")
    tools.get_by_label("Show squares").select_option("diverged")
    left = page.locator(".grid .square:not(.off)")
    assert left.count() >= 2
    assert all("diverged" in (each.get_attribute("data-states") or "") for each in left.all())


def test_pairs_are_found_by_name(opened: Open) -> None:
    page = opened()
    unfold(page)
    every = page.locator("#pairs tbody tr").count()
    page.locator("form[data-tools=pairs]").get_by_label("Find").fill("giou")
    shown = page.locator("#pairs tbody tr:not([hidden])").all_inner_texts()
    assert 0 < len(shown) < every
    assert all("giou" in text for text in shown)


def test_everything_is_there_without_scripts(opened: Open, screenshots: Path) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator(RUNS).count() == 12
    assert page.locator(".grid .square svg").count() == 6
    assert page.locator("#cases ~ article .shot").count() >= 4
    assert page.locator(".verdicts li").count() > 3
    assert not page.locator("form").first.is_visible(), "what does nothing is not shown"
    assert page.locator("th button").count() == 0
    summary = page.locator("#answer summary", has_text="The same in numbers")
    summary.click()
    assert page.locator("#answer .numbers").is_visible()
    page.screenshot(path=screenshots / "report-without-scripts.png")


def test_the_first_key_leads_past_the_head_of_the_page(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    until(page, "location.hash === '#answer'")
    assert page.evaluate("document.activeElement.id") == "answer"


def test_wide_tables_scroll_inside_themselves_by_keyboard(opened: Open) -> None:
    page = opened(400)
    region = page.get_by_role("region", name="Every run, a row each")
    region.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('[aria-label^=\"Every run\"]').scrollLeft > 0")
    assert page.evaluate("window.scrollX") == 0


def test_on_paper_all_is_unfolded_in_ink_on_white(opened: Open, screenshots: Path) -> None:
    page = opened(703, "dark")  # the width of A4 between margins
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(OVERFLOW) <= 0
    assert not page.locator("nav").is_visible()
    assert not page.locator("form").first.is_visible()
    assert page.locator("#answer details .numbers").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('svg text')).fill") == "rgb(0, 0, 0)"
    path = screenshots / "report.pdf"
    page.pdf(path=path, format="A4", print_background=True)
    assert path.read_bytes().startswith(b"%PDF")


def test_the_policy_stops_whatever_would_be_loaded(browser: Any, report: Path) -> None:
    # Not by `opened`: here the console complains, as it should.
    page = browser.new_page()
    failures: list[str | None] = []
    page.on("requestfailed", lambda request: failures.append(request.failure))
    page.goto(report.as_uri())
    stopped = page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
            new Image().src = 'https://example.invalid/x.png';
        })"""
    )
    page.close()
    assert stopped == "img-src"
    assert failures == ["csp"]
