"""A spec from a TOML file: what is written is what is drawn, and what cannot be meant is refused by file and key."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bboxbench.cli import commands
from bboxbench.data_gen import DatasetSpec
from bboxbench.data_gen.alphabets import GLYPH_SETS
from bboxbench.data_gen.fonts import FONT_NAMES, font_path
from bboxbench.data_gen.spec_file import parse_scale, read_spec, read_values, spec_of, spec_toml
from bboxbench.data_gen.typed import draw_command
from bboxbench.errors import InputError


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def test_an_empty_file_is_the_default_preset(toml: Path) -> None:
    toml.touch()
    assert read_spec(toml) == DatasetSpec.letters()


def test_keys_are_fields_as_a_person_writes_them(toml: Path) -> None:
    toml.write_text(
        'preset = "letters"\nn = 1_000\nseed = 7\nglyphs = "greek-upper,digits"\nfonts = "DejaVuSerif"\n'
        'sizes = "20-30"\nbackground = "white"\nmin-contrast = 80\nwidth = 120\n'
    )
    assert read_spec(toml) == DatasetSpec.letters(
        n=1000,
        seed=7,
        glyphs=GLYPH_SETS["greek-upper"] + "0123456789",
        fonts=("DejaVuSerif",),
        sizes=(20, 30),
        background="white",
        min_contrast=80,
        width=120,
    )


@pytest.mark.parametrize("sizes", ["24", "[24, 24]", '"24"', '"24-24"'])
def test_sizes_may_be_one_number_a_pair_or_a_text(toml: Path, sizes: str) -> None:
    toml.write_text(f"sizes = {sizes}")
    assert read_spec(toml).sizes == (24, 24)


def test_a_key_that_is_written_in_both_ways_is_refused(toml: Path) -> None:
    toml.write_text("min-contrast = 100\nmin_contrast = 10")
    with pytest.raises(InputError, match=r"In .*mine\.toml: Expected each key once, received min_contrast twice"):
        read_spec(toml)


def test_lists_and_texts_with_commas_are_the_same(toml: Path) -> None:
    toml.write_text('background = "plain, gradient"\nglyphs = "A-C,=,"')
    other = toml.with_name("other.toml")
    other.write_text('background = ["plain", "gradient"]\nglyphs = ["A-C", "=,"]')
    assert read_spec(toml) == read_spec(other) == DatasetSpec.letters(background=("plain", "gradient"), glyphs="ABC,")


def test_every_effect_is_a_key(toml: Path) -> None:
    toml.write_text(
        'rotation = 10\nscale = "0.8-1.2"\nshear = 5.5\nshift = 0.5\n'
        "blur = 1\nnoise = 4\nink_threshold = 2\nmasks = true"
    )
    spec = read_spec(toml)
    assert (spec.rotation, spec.scale, spec.shear, spec.shift) == (10.0, (0.8, 1.2), 5.5, 0.5)
    assert (spec.blur, spec.noise, spec.ink_threshold, spec.masks) == (1.0, 4.0, 2, True)


def test_paths_start_from_the_file_and_not_from_where_the_command_runs(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (toml.parent / "fonts").mkdir()
    shutil.copy(font_path("STIXGeneral"), toml.parent / "fonts" / "My.ttf")
    toml.write_text('fonts = ["DejaVuSans", "fonts/My.ttf"]')
    monkeypatch.chdir("/")
    spec = read_spec(toml)
    assert spec.fonts == ("DejaVuSans", "My")
    assert spec.font_files[0].path == str(toml.parent / "fonts" / "My.ttf")


def test_what_is_given_beside_the_file_wins(toml: Path) -> None:
    toml.write_text("n = 5\nseed = 7")
    assert read_spec(toml, seed=8) == DatasetSpec.letters(n=5, seed=8)


def test_a_byte_order_mark_is_no_fault(toml: Path) -> None:
    toml.write_bytes(b"\xef\xbb\xbfn = 5\r\n")
    assert read_spec(toml).n == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n = ", "Expected TOML in .*mine.toml, received something else: Invalid value"),
        (f"n = 1{'0' * 5000}", "Expected TOML in .*limit"),
        (f"n = {'[' * 2000}", "Expected TOML in"),
        ("n = 1\nn = 2", "Cannot overwrite a value"),
        (b"\xff\xfe", "Expected TOML in"),
        (b"glyphs = '\xe9'", "Expected TOML in"),
        ("glyph = 'ABC'", "In .*mine.toml: Unknown key 'glyph'. Did you mean 'glyphs'"),
        ("rotate = 5", "Unknown key 'rotate'. Did you mean 'rotation'"),
        ("font_files = []", "Unknown key 'font_files'"),
        ("pictures_sha256 = ''", "Unknown key 'pictures_sha256'"),
        ("[dataset]\nn = 5", "Unknown key 'dataset'"),
        ("n = 2.5", r"In .*mine.toml: .*n to be a whole number of 1 or more, received 2\.5"),
        ("n = 'many'", "received 'many'"),
        ("n = 1979-05-27", "n to be a whole number"),
        ("n = [1]", r"received \[1\]"),
        ("preset = 'leters'", "In .*mine.toml: .*Did you mean 'letters'"),
        ("preset = 5", "preset"),
        ("glyphs = 'latin-uper'", "In .*mine.toml: .*Did you mean 'latin-upper'"),
        ("glyphs = 5", "glyphs as a text or a list of texts, received 5"),
        ("glyphs = []", "glyphs as a text"),
        ("glyphs = '\u4e2d'", r"U\+4E2D"),
        ("fonts = 5", "fonts as a list of names and paths, received 5"),
        ("fonts = []", "fonts as a list"),
        ("fonts = ['DejaVuSan']", "Did you mean 'DejaVuSans'"),
        ("fonts = ['nowhere/My.ttf']", r"In .*mine.toml: Cannot read .*nowhere/My.ttf: it does not exist"),
        ("fonts = ['mine.toml', './mine.toml']", "Unknown font 'mine.toml'"),
        ("sizes = '19-13'", "received 19 before 13"),
        ("sizes = [1, 2, 3]", "sizes"),
        ("sizes = {a = 1}", "sizes"),
        ("background = 'plane'", "Did you mean 'plain'"),
        ("background = []", "background as a name or a list"),
        ("background = [5]", "background as a name or a list"),
        ("background = 'plain,plain'", "plain.* twice"),
        ("pictures = 5", "pictures as the path of a folder"),
        ("background = 'pictures'\npictures = 'nowhere'", "nowhere"),
        ("scale = 'x'", "scale as two factors, as 0.8-1.25, received 'x'"),
        ("scale = 2", "scale"),
        ("rotation = 'much'", "rotation"),
        ("noise = nan", "noise"),
        ("blur = inf", "blur"),
        ("masks = 1", "masks"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_with_file_and_key(
    toml: Path, text: str | bytes, said: str
) -> None:
    toml.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said) as caught:
        read_spec(toml)
    assert "\n" not in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_fault_of_what_overrules_the_file_is_not_laid_on_the_file(toml: Path) -> None:
    toml.write_text("n = 5")
    with pytest.raises(InputError, match=r"^Expected sizes"):
        read_spec(toml, sizes=(9, 3))
    toml.write_text("sizes = [9, 3]")
    with pytest.raises(InputError, match=r"^In .*mine\.toml: Expected sizes"):
        read_spec(toml, n=5, width=0)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*nowhere\.toml: it does not exist"):
        read_spec(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("text", "scale"), [("0.8-1.25", (0.8, 1.25)), ("2", (2.0, 2.0)), (" 1 - 2 ", (1.0, 2.0)), (".5-1", (0.5, 1.0))]
)
def test_factors_are_read_as_typed(text: str, scale: tuple[float, float]) -> None:
    assert parse_scale(text) == scale


@pytest.mark.parametrize("text", ["", "a", "a-b", "-1-2", "1-", "1-2-3", "1e3-2e3", "nan-inf", "\u0661-\u0662"])
def test_malformed_factors_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"as 0\.8-1\.25"):
        parse_scale(text)


def typed_spec(command: str) -> DatasetSpec:
    """What the command line would draw."""
    words = shlex.split(command)
    assert words[:2] == ["bboxbench", "generate"]
    generate = typer.main.get_command(commands.app).commands["generate"]  # type: ignore[attr-defined]
    options = generate.make_context("generate", words[2:]).params
    options["fonts"] = options.pop("font") or None
    options["glyphs"] = options["glyphs"] or None
    options["background"] = ",".join(options["background"]) or None
    fields = {name: value for name, value in options.items() if name in DatasetSpec.__dataclass_fields__}
    return spec_of(read_values({k: v for k, v in fields.items() if v is not None}, Path.cwd()))


CHANGES = {
    "seed": st.integers(0, 2**63 - 1),
    "glyphs": st.lists(st.sampled_from("ABCxyz,=-+ \u0416\U0001d400".replace(" ", "")), min_size=1, unique=True).map(
        "".join
    ),
    "sizes": st.tuples(st.integers(16, 20), st.integers(20, 30)),
    "width": st.integers(200, 300),
    "height": st.integers(100, 200),
    "min_contrast": st.integers(4, 100),
    "background": st.lists(st.sampled_from(["plain", "white", "gradient", "noise"]), min_size=1, unique=True).map(
        tuple
    ),
    "rotation": st.floats(0, 20, allow_subnormal=False).map(lambda x: round(x, 3)),
    "scale": st.tuples(st.floats(0.7, 1).map(lambda x: round(x, 4)), st.floats(1, 1.3).map(lambda x: round(x, 4))),
    "shear": st.integers(0, 20_000).map(lambda x: x / 1000),
    "shift": st.integers(0, 500).map(lambda x: x / 1000),
    "blur": st.integers(0, 2_000).map(lambda x: x / 1000),
    "noise": st.integers(0, 20).map(float),
    "ink_threshold": st.integers(1, 4),
    "masks": st.booleans(),
}


@settings(max_examples=40)
@given(st.fixed_dictionaries({}, optional=CHANGES))
def test_the_command_of_a_spec_draws_this_spec(changes: dict[str, Any]) -> None:
    spec = DatasetSpec.letters(n=10, **{**changes, "fonts": ("STIXGeneral",)})
    assert typed_spec(draw_command(spec, "a folder's name")) == spec


def test_fonts_of_ones_own_stand_in_the_command_by_their_path(tmp_path: Path) -> None:
    path = shutil.copy(font_path("STIXGeneral"), tmp_path / "My own.ttf")
    spec = DatasetSpec.letters(n=10, fonts=("DejaVuSans", str(path)))
    command = draw_command(spec, "d")
    assert typed_spec(command) == spec
    assert f"--font DejaVuSans --font '{path}'" in command


def test_pictures_stand_in_the_command_by_their_folder_whatever_its_name(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures 1.0"
    pictures.mkdir()
    Image.new("RGB", (300, 200)).save(pictures / "a.png")
    spec = DatasetSpec.letters(n=10, background=("pictures", "noise"), pictures=str(pictures))
    command = draw_command(spec, "d")
    assert f"--pictures '{pictures}'" in command
    assert typed_spec(command) == spec


def test_the_command_of_the_default_is_short_and_every_place_is_quoted() -> None:
    assert draw_command(DatasetSpec(preset="hard"), "my data").endswith(" --preset hard --out 'my data'")
    assert draw_command(DatasetSpec.letters(), "d") == "bboxbench generate --n 40000 --seed 0 --out d"


@settings(max_examples=40)
@given(st.fixed_dictionaries({}, optional=CHANGES))
def test_a_spec_written_as_toml_is_read_as_the_same(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    spec = DatasetSpec.letters(n=10, **{**changes, "fonts": ("STIXGeneral",)})
    path = tmp_path_factory.getbasetemp() / "written.toml"
    path.write_text(spec_toml(spec), "utf-8")
    assert read_spec(path) == spec


def test_a_spec_read_from_a_file_survives_json_and_toml(toml: Path) -> None:
    shutil.copy(font_path("STIXGeneral"), toml.parent / "My.ttf")
    toml.write_text(f'fonts = ["My.ttf", "{FONT_NAMES[0]}"]\nrotation = 5')
    spec = read_spec(toml)
    assert DatasetSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    toml.with_name("again.toml").write_text(spec_toml(spec))
    assert read_spec(toml.with_name("again.toml")) == spec
