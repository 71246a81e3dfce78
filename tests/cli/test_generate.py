from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.cli import main
from bboxbench.data_gen import DatasetSpec, open_dataset
from bboxbench.data_gen.alphabets import GLYPH_SETS
from bboxbench.data_gen.fonts import FONT_NAMES, font_path
from bboxbench.data_gen.manifest import unfinished_json
from bboxbench.data_gen.presets import PRESETS
from bboxbench.data_gen.spec_checks import BACKGROUNDS
from bboxbench.errors import InputError


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["generate", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_draws_into_a_folder_that_tells_what_it_holds(capsys, tmp_path: Path) -> None:
    code, out, err = run(capsys, "--n", "12", "--seed", "5")
    folder = tmp_path / "data" / "letters-n12-seed5"
    assert code == 0
    assert out.startswith("Drew 12 pictures with exact boxes into data/letters-n12-seed5: ")
    assert "bboxbench verify data/letters-n12-seed5" in err
    assert (open_dataset(folder).n, open_dataset(folder).spec.seed) == (12, 5)


def test_the_second_time_it_says_that_nothing_was_drawn(capsys) -> None:
    run(capsys, "--n", "12")
    code, out, _ = run(capsys, "--n", "12")
    assert code == 0
    assert "already holds these 12 pictures, complete; nothing was drawn" in out


def test_json_gives_events_on_stdout_and_quiet_leaves_stderr_empty(capsys) -> None:
    code, out, err = run(capsys, "--n", "7", "--out", "d", "--json", "--quiet")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert err == ""
    assert [event["event"] for event in events] == ["progress", "progress", "done"]
    assert events[-1]["sha256"] == open_dataset("d").sha256
    assert events[-1]["drawn"] is True


def test_sizes_other_than_the_presets_get_a_folder_of_their_own(capsys) -> None:
    code, _, _ = run(capsys, "--n", "5", "--sizes", "40-44")
    (folder,) = Path("data").iterdir()
    assert code == 0
    assert folder.name.startswith("letters-n5-seed0-")
    assert open_dataset(folder).spec.sizes == (40, 44)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", "0"], "'--n': expected a whole number of 1 or more, received '0'"),
        (["--n", "-4"], "received '-4'"),
        (["--n", "many"], "received 'many'"),
        (["--n", "1e3"], "received '1e3'"),
        (["--n", "999999999999"], "100000000 or less"),
        (["--seed", "-1"], "'--seed': expected a whole number from 0"),
        (["--seed", "x"], "received 'x'"),
        (["--workers", "0"], "'--workers': expected a whole number of 1 or more"),
        (["--size", "40"], "No such option: --size (Possible options: --sizes)"),
        (["--output", "d"], "No such option: --output (Possible options: --out)"),
        (["--count", "4"], "No such option: --count. Try"),
        (["--preset", "leters"], "Did you mean 'letters'?"),
        (["--glyphs", "latin-uper"], "Did you mean 'latin-upper'?"),
        (["--glyphs", ""], "glyphs between commas"),
        (["--glyphs", "greek digits"], "a comma between sets of glyphs, as 'greek,digits'"),
        (["--glyphs", "ABA"], "'A' twice"),
        (
            ["--glyphs", "\u4e2d\u6587"],
            "(U+4E2D), which DejaVuSansMono lacks, and 1 more of the 2. No built-in font has all of them",
        ),
        (["--glyphs", "e\u0301"], "U+0301 (COMBINING ACUTE ACCENT)"),
        (["--font", "DejaVuSan"], "Did you mean 'DejaVuSans'?"),
        (["--font", "DejaVuSans", "--font", "DejaVuSans"], "DejaVuSans twice"),
        (["--font", "DejaVuSans,STIXGeneral"], "fonts one by one, received 'DejaVuSans,STIXGeneral' as one"),
        (["--pictures", "."], "with the background plain; add --background pictures"),
        (["--font", "nowhere/My.ttf"], "nowhere/My.ttf: it does not exist"),
        (["--font", "./file"], "TrueType or OpenType font, received"),
        (["--background", "plane"], "Did you mean 'plain'?"),
        (["--background", "plain,"], "background"),
        (["--background", "pictures"], "a folder of pictures"),
        (["--background", "pictures", "--pictures", "nowhere"], "nowhere"),
        (["--rotation", "-3"], "'--rotation': expected degrees, 0 or more, received '-3'"),
        (["--scale", "2-1"], "scale"),
        (["--shift", "3"], "shift"),
        (["--ink-threshold", "256"], "64 or less"),
        (["--spec", "nowhere.toml"], "nowhere.toml: it does not exist"),
        (["--spec", "file"], "Expected TOML in file"),
        (["--resume", "nowhere"], "found nothing"),
        (["--resume", "file"], "found a file"),
        (["--resume", ".", "--seed", "3"], "--resume alone, since the folder says what it holds, or with"),
        (["--resume", ".", "--out", "d"], "Received --out"),
        (["--resume", "."], "has no dataset.json"),
        (["--sizes", "32..64"], "as 32-64, received '32..64'"),
        (["--sizes", "64-32"], "received 64 before 32"),
        (["--sizes", "32-164"], "choose a glyph size that fits"),
        (["--out", "file"], "received the file file"),
        (["--out", "file/below"], "received the file file"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(capsys, arguments: list[str], message: str) -> None:
    Path("file").write_text("precious")
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert message.lower() in err.lower()
    assert [path.name for path in Path().iterdir()] == ["file"]
    assert Path("file").read_text() == "precious"


def test_an_option_given_twice_drops_nothing_of_the_first(capsys) -> None:
    twice = ["--glyphs", "=AB,", "--glyphs", "digits", "--background", "plain", "--background", "noise,white"]
    code, out, _ = run(capsys, *twice, "--dry-run")
    assert code == 0
    assert 'glyphs = "=AB,0123456789"' in out
    assert 'background = ["plain", "noise", "white"]' in out


def test_another_data_set_in_the_folder_is_3_with_the_difference(capsys) -> None:
    run(capsys, "--n", "5", "--out", "d")
    before = Path("d/dataset.json").read_bytes()
    code, _, err = run(capsys, "--n", "6", "--out", "d")
    assert code == 3
    assert "n 5 instead of 6" in err
    assert Path("d/dataset.json").read_bytes() == before


def test_an_effect_that_the_folder_has_not_is_named_with_both_values(capsys) -> None:
    run(capsys, "--n", "5", "--out", "d")
    code, _, err = run(capsys, "--n", "5", "--rotation", "10", "--background", "plain,noise", "--out", "d")
    assert code == 3
    assert "background 'plain' instead of ['plain', 'noise']; rotation 0.0 instead of 10.0" in err.replace(
        ", rot", "; rot"
    )


def test_something_else_in_the_folder_is_3(capsys) -> None:
    Path("d").mkdir()
    Path("d/notes").touch()
    code, _, err = run(capsys, "--n", "6", "--out", "d")
    assert code == 3
    assert "holds notes" in err
    assert [path.name for path in Path("d").iterdir()] == ["notes"]


@pytest.mark.parametrize("place", ["/proc/bboxbench", "x" * 300])
def test_a_place_where_no_folder_can_be_made_is_4(capsys, place: str) -> None:
    code, _, err = run(capsys, "--n", "6", "--out", place)
    assert code == 4
    assert err.count("\n") == 1
    assert "Cannot write" in err


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of this kind are POSIX's")
def test_a_folder_without_permission_is_4() -> None:
    # Root may write anywhere, so it becomes somebody else, once a first run has imported all that is imported late.
    child = (
        "import os, sys\nfrom bboxbench.cli import main\n"
        "try: main(['generate', '--n', '1', '--out', sys.argv[1] + '/first', '--quiet'])\n"
        "except SystemExit as end: assert not end.code\n"
        "os.chmod(sys.argv[1], 0o555)\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "main(['generate', '--n', '6', '--out', sys.argv[1] + '/second'])\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", child, folder], capture_output=True, text=True, check=False)
        Path(folder).chmod(0o755)
        assert done.returncode == 4, done.stderr
        assert f"Cannot write {folder}/second: permission denied" in done.stderr
        assert [path.name for path in Path(folder).iterdir()] == ["first"]


def test_generate_never_imports_what_is_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom bboxbench.cli import main\n"
        "try: main(['generate', '--n', '3', '--out', sys.argv[1], '--quiet'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([m for m in ('tensorflow', 'keras', 'pandas', 'matplotlib', 'sklearn') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "d")], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("columns", ["50", "80"])
@pytest.mark.parametrize("command", ["generate", "verify", "preview"])
def test_help_fits_the_terminal_and_shows_an_example(columns: str, command: str) -> None:
    environment = {**os.environ, "COLUMNS": columns, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bboxbench", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert all(len(line) <= int(columns) for line in done.stdout.splitlines())
    assert f"bboxbench {command} " in done.stdout[done.stdout.index("Example") :]
    assert "data/-n" not in done.stdout


def test_glyphs_fonts_and_effects_are_drawn_as_asked(capsys) -> None:
    shutil.copy(font_path("STIXGeneral"), "My.ttf")
    words = ["--n", "30", "--glyphs", "greek,digits", "--font", "My.ttf", "--font", "DejaVuSerif", "--rotation", "10"]
    words += ["--background", "plain,gradient", "--noise", "3", "--scale", "0.9-1.1", "--masks", "--out", "d"]
    code, _, err = run(capsys, *words)
    assert code == 0, err
    spec = open_dataset("d").spec
    assert spec.fonts == ("My", "DejaVuSerif")
    assert spec.glyphs == GLYPH_SETS["greek"] + "0123456789"
    assert (spec.background, spec.rotation, spec.masks) == (("plain", "gradient"), 10.0, True)
    assert run(capsys, *words)[1].startswith("d already holds these 30 pictures")


def test_keys_of_a_file_are_options_and_an_option_wins(capsys) -> None:
    Path("mine.toml").write_text('n = 9\nseed = 4\nglyphs = "digits"')
    code, _, _ = run(capsys, "--spec", "mine.toml", "--seed", "5", "--out", "d")
    assert code == 0
    assert open_dataset("d").spec == DatasetSpec.letters(n=9, seed=5, glyphs="0123456789")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_drawn(capsys, preset: str) -> None:
    code, _, err = run(capsys, "--preset", preset, "--n", "20", "--out", "d")
    assert code == 0, err
    assert open_dataset("d").spec.preset == preset


def test_what_is_printed_without_drawing_is_a_file_that_draws_the_same(capsys) -> None:
    words = ["--n", "9", "--preset", "varied", "--glyphs", "A-C,=,"]
    code, out, err = run(capsys, *words, "--dry-run")
    assert code == 0
    assert list(Path().iterdir()) == []
    assert "9 pictures would go to data/varied-n9-seed0-" in err
    Path("same.toml").write_text(out)
    assert run(capsys, "--spec", "same.toml", "--out", "d")[0] == 0
    assert run(capsys, *words, "--out", "d")[1].startswith("d already holds")


def test_a_folder_is_finished_and_restored_by_what_it_says_it_holds(capsys) -> None:
    folder = "my data"
    run(capsys, "--n", "12", "--glyphs", "A-F", "--min-contrast", "70", "--out", folder)
    before = {path: path.read_bytes() for path in Path(folder).rglob("*.*") if path.is_file()}
    code, out, _ = run(capsys, "--resume", folder)
    assert (code, out) == (0, f"{folder} already holds these 12 pictures, complete; nothing was drawn.\n")

    (Path(folder) / "shards/00000.npz").unlink()
    with pytest.raises(InputError) as told:
        open_dataset(folder).images("train")
    command = str(told.value).split("Restore it: ")[1]
    assert command == "bboxbench generate --resume 'my data'"
    assert run(capsys, *shlex.split(command)[2:])[0] == 0
    assert {path: path.read_bytes() for path in Path(folder).rglob("*.*") if path.is_file()} == before


def test_a_folder_that_was_left_unfinished_is_finished_without_its_options(capsys) -> None:
    run(capsys, "--n", "12", "--glyphs", "A-F", "--out", "d")
    before = Path("d/dataset.json").read_bytes()
    Path("d/dataset.json").unlink()
    Path("d/unfinished.json").write_text(unfinished_json(DatasetSpec.letters(n=12, glyphs="ABCDEF")))
    assert run(capsys, "--resume", "d")[0] == 0
    assert Path("d/dataset.json").read_bytes() == before


def test_going_on_with_another_content_of_a_font_is_refused_by_name(capsys) -> None:
    shutil.copy(font_path("STIXGeneral"), "My.ttf")
    words = ["--n", "12", "--font", "My.ttf", "--out", "d"]
    assert run(capsys, *words)[0] == 0
    shutil.copy(font_path("DejaVuSerif"), "My.ttf")
    code, _, err = run(capsys, *words)
    assert code == 3
    assert re.search(r"font_files My [0-9a-f]{12}\.\.\. instead of My [0-9a-f]{12}\.\.\.", err)
    (Path("d") / "shards/00000.npz").unlink()
    code, _, err = run(capsys, "--resume", "d")
    assert code == 2
    assert "My.ttf as it was" in err


def test_fonts_and_pictures_that_moved_are_named_beside_the_folder_that_is_finished(capsys) -> None:
    shutil.copy(font_path("STIXGeneral"), "My.ttf")
    Path("pictures").mkdir()
    Image.fromarray(np.arange(30_000, dtype=np.uint32).reshape(100, 100, 3).astype(np.uint8)).save("pictures/a.png")
    words = ["--font", "My.ttf", "--background", "pictures", "--pictures", "pictures"]
    assert run(capsys, "--n", "12", *words, "--out", "d")[0] == 0
    (Path("d") / "shards/00000.npz").unlink()
    before = open_dataset("d").sha256
    Path("My.ttf").rename("Mine.ttf")
    Path("pictures").rename("elsewhere")
    code, _, err = run(capsys, "--resume", "d")
    assert (code, err.count("\n")) == (2, 1)
    assert "generate --resume DIR --font FILE" in err
    assert run(capsys, "--resume", "d", "--font", "Mine.ttf", "--pictures", "elsewhere")[0] == 0
    assert open_dataset("d").sha256 == before
    assert open_dataset("d").images("test").any()


def test_what_a_folder_says_it_is_to_hold_is_checked_as_if_it_were_typed(capsys) -> None:
    Path("d").mkdir()
    mark = json.loads(unfinished_json(DatasetSpec.letters(n=12, glyphs="AB")))
    mark["spec"]["glyphs"] = "A\u4e2d"
    Path("d/unfinished.json").write_text(json.dumps(mark))
    code, _, err = run(capsys, "--resume", "d")
    assert code == 2
    assert "U+4E2D" in err
    assert [path.name for path in Path("d").iterdir()] == ["unfinished.json"]


def test_a_font_of_ones_own_is_drawn_alike_by_any_number_of_workers(capsys) -> None:
    shutil.copy(font_path("STIXGeneral"), "My.ttf")
    for workers in ("1", "2"):
        code, _, err = run(capsys, "--n", "1100", "--font", "My.ttf", "--workers", workers, "--out", workers)
        assert code == 0, err
    assert open_dataset("1").sha256 == open_dataset("2").sha256


def test_a_data_set_whose_font_moved_is_the_same(capsys) -> None:
    shutil.copy(font_path("STIXGeneral"), "My.ttf")
    assert run(capsys, "--n", "12", "--font", "My.ttf", "--out", "d")[0] == 0
    Path("elsewhere").mkdir()
    Path("My.ttf").rename("elsewhere/My.ttf")
    assert open_dataset("d").images("train").shape[0] == 3
    assert "already holds" in run(capsys, "--n", "12", "--font", "elsewhere/My.ttf", "--out", "d")[1]


def test_the_list_names_all_there_is_to_choose_from(capsys) -> None:
    code, out, err = run(capsys, "--list")
    assert (code, err) == (0, "")
    for name in (*PRESETS, *GLYPH_SETS, *FONT_NAMES, *BACKGROUNDS):
        assert re.search(rf"^  {name} ", out, re.MULTILINE), name
    assert list(Path().iterdir()) == []
    _, out, _ = run(capsys, "--list", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert {event["name"]: event["glyphs"] for event in events if event["event"] == "glyphs"} == GLYPH_SETS
