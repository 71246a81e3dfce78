from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bboxbench.data_gen import DatasetSpec, draw_sample
from bboxbench.data_gen.fonts import FONT_NAMES, font_path
from bboxbench.data_gen.glyphs import ink_mask
from bboxbench.data_gen.presets import PRESETS
from bboxbench.data_gen.spec_checks import parse_sizes
from bboxbench.errors import InputError


@given(
    n=st.integers(1, 10**8),
    seed=st.integers(0, 2**63 - 1),
    glyphs=st.lists(st.sampled_from("ABCxyz"), min_size=1, unique=True).map("".join),
    sizes=st.tuples(st.integers(8, 64), st.integers(8, 64)).map(lambda pair: (min(pair), max(pair))),
)
def test_a_spec_survives_json(n: int, seed: int, glyphs: str, sizes: tuple[int, int]) -> None:
    spec = DatasetSpec.letters(n=n, seed=seed, glyphs=glyphs, sizes=sizes)
    assert DatasetSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_the_preset_gives_its_folder_a_plain_name() -> None:
    assert DatasetSpec.letters().folder_name == "letters-n40000-seed0"


def test_specs_that_depart_from_the_preset_have_folders_of_their_own() -> None:
    specs = [
        DatasetSpec.letters(),
        DatasetSpec.letters(sizes=(33, 64)),
        DatasetSpec.letters(sizes=(41, 64)),
        DatasetSpec.letters(glyphs="AB"),
        DatasetSpec.letters(min_contrast=65),
        DatasetSpec.letters(width=201),
    ]
    names = [spec.folder_name for spec in specs]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"letters-n40000-seed0(-[0-9a-f]{8})?", name) for name in names)


def test_an_unknown_key_is_named_with_the_nearest_known() -> None:
    with pytest.raises(InputError, match=r"'fontes'\. Did you mean 'fonts'"):
        DatasetSpec.from_dict({"fontes": ["DejaVuSans"]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n to be a whole number of 1 or more, received 0"),
        ({"n": -3}, "received -3"),
        ({"n": 2.5}, r"received 2\.5"),
        ({"n": True}, "received True"),
        ({"n": "12"}, "received '12'"),
        ({"n": 10**9}, "100000000 or less"),
        ({"seed": -1}, "seed to be a whole number of 0 or more"),
        ({"seed": 2**63}, "seed to be a whole number of 9223372036854775807 or less"),
        ({"sizes": (64, 32)}, "received 64 before 32"),
        ({"sizes": (7, 32)}, "8 or more, received 7"),
        ({"sizes": 32}, "smallest, largest"),
        ({"sizes": (32, 64, 80)}, "smallest, largest"),
        ({"fonts": ()}, "at least one"),
        ({"fonts": "DejaVuSans"}, "list of names"),
        ({"fonts": ("DejaVuSan",)}, "Did you mean 'DejaVuSans'"),
        ({"fonts": ("LastResortHE-Regular",)}, "Unknown font"),
        ({"fonts": ("DejaVuSans", "DejaVuSans")}, "DejaVuSans twice"),
        ({"glyphs": ""}, "at least one"),
        ({"glyphs": "ABA"}, "'A' twice"),
        ({"glyphs": "latin"}, "the name of a set of them"),
        ({"fonts": ("Arial",)}, "by the path of its file"),
        ({"background": "plane"}, "Did you mean 'plain'"),
        ({"min_contrast": 0}, "min_contrast"),
        ({"min_contrast": 200}, "160 or less"),
        ({"width": 0}, "width"),
        ({"background": ("plain", "plain")}, "plain twice"),
        ({"background": ()}, "at least one"),
        ({"rotation": 181}, "rotation to be a number from 0 to 180"),
        ({"rotation": -1}, "rotation"),
        ({"rotation": float("nan")}, "rotation"),
        ({"rotation": True}, "rotation"),
        ({"rotation": 10**400}, "rotation"),
        ({"shear": "5"}, "received '5'"),
        ({"shift": 0.6}, "from 0 to 0.5"),
        ({"blur": 21}, "from 0 to 20"),
        ({"noise": 101}, "from 0 to 100"),
        ({"scale": 1.2}, "least, most"),
        ({"scale": (0, 1)}, "from 0.1 to 10"),
        ({"scale": (1.2, 0.8)}, "received 1.2 before 0.8"),
        ({"ink_threshold": 0}, "ink_threshold"),
        ({"ink_threshold": 65}, "64 or less"),
        ({"masks": 1}, "true or false"),
        ({"masks": True, "glyphs": "".join(map(chr, range(0x4E00, 0x4EFF)))}, "254 glyphs or fewer"),
        ({"font_files": [{"name": "Mine"}]}, "name, sha256 and path"),
        ({"font_files": [{"name": "Mine", "sha256": "", "path": "/x.ttf"}]}, "received Mine beside them"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        DatasetSpec(**changes)
    assert "\n" not in str(caught.value)


def test_both_backgrounds_are_one_colour_a_picture_and_only_the_default_keeps_the_plain_name() -> None:
    white = DatasetSpec.letters(n=10, background="white")
    assert white.one_colour
    assert DatasetSpec.letters(n=10).one_colour
    assert white.folder_name != DatasetSpec.letters(n=10).folder_name == "letters-n10-seed0"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_field_that_is_not_given_is_that_of_the_preset(preset: str) -> None:
    spec = DatasetSpec(preset=preset)
    assert {name: getattr(spec, name) for name in PRESETS[preset]} == PRESETS[preset]
    assert spec.folder_name == f"{preset}-n40000-seed0"
    assert spec.changed(min_contrast=70).folder_name.startswith(f"{preset}-n40000-seed0-")


@pytest.mark.parametrize("preset", PRESETS)
def test_no_two_glyphs_of_a_preset_look_the_same_in_most_faces(preset: str) -> None:
    spec = DatasetSpec(preset=preset)
    alike: Counter[frozenset[str]] = Counter()
    for face in spec.faces:
        seen: dict[tuple[tuple[int, ...], bytes], str] = {}
        for glyph in spec.glyphs:
            mask = ink_mask(glyph, face, 64)
            first = seen.setdefault((mask.shape, mask.tobytes()), glyph)
            if first != glyph:
                alike[frozenset({first, glyph})] += 1
    # An italic face may write a Cyrillic letter as another one is printed.
    assert all(count <= len(spec.faces) // 6 for count in alike.values()), alike


@pytest.mark.parametrize("preset", PRESETS)
def test_every_spec_comes_back_from_its_own_description(preset: str) -> None:
    changes = {"blur": 0, "masks": True, "background": ("white", "gradient"), "scale": (1, 1), "ink_threshold": 1}
    for spec in (DatasetSpec(preset=preset, n=7, seed=3), DatasetSpec(preset=preset, **changes)):
        values = json.loads(json.dumps(spec.to_dict()))
        assert DatasetSpec.from_dict(values) == DatasetSpec.recorded(values) == spec


def test_the_classic_case_is_described_as_it_always_was() -> None:
    first = ["preset", "n", "seed", "width", "height", "glyphs", "fonts", "sizes", "background", "min_contrast"]
    assert list(DatasetSpec().to_dict()) == first
    assert DatasetSpec().to_dict()["background"] == "plain"
    # What departs from it is said, also where it is what the classic case has.
    assert DatasetSpec(preset="hard", blur=0).to_dict()["blur"] == 0


def test_a_recorded_spec_needs_none_of_its_fonts_and_pictures() -> None:
    values = {
        **DatasetSpec(preset="varied").to_dict(),
        "fonts": ["Mine"],
        "font_files": [{"name": "Mine", "sha256": "0" * 64, "path": "/nowhere/Mine.ttf"}],
        "background": "pictures",
        "pictures": "/nowhere/pictures",
        "pictures_sha256": "1" * 64,
    }
    spec = DatasetSpec.recorded(values)
    assert spec.faces == spec.font_files
    with pytest.raises(InputError, match="/nowhere"):
        spec.check_sources()
    with pytest.raises(InputError, match="/nowhere"):
        DatasetSpec.from_dict(values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"background": "pictures", "pictures": "PLACE"}, "Expected pictures_sha256 with the pictures in "),
        ({"fonts": ["PLACE/font.ttf"]}, "Unknown font"),
        ({"rotation": 10**400}, "rotation"),
    ],
)
def test_a_recorded_spec_leads_to_no_file(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """Who opens a data set of somebody else's does not want what its manifest names opened, too."""
    Image.new("RGB", (300, 200)).save(tmp_path / "a.png")
    shutil.copy(font_path("STIXGeneral"), tmp_path / "font.ttf")
    placed = json.loads(json.dumps(changes).replace("PLACE", str(tmp_path)))
    with pytest.raises(InputError, match=message):
        DatasetSpec.recorded({**DatasetSpec().to_dict(), **placed})


def test_differences_name_what_decides_pixels_and_no_places() -> None:
    spec = DatasetSpec(preset="varied")
    assert spec.differences(spec.changed(noise=1, n=5)) == ["n 40000 instead of 5", "noise 6.0 instead of 1.0"]
    assert spec.differences(spec) == []


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'letters'"):
        DatasetSpec(preset="leters")


def test_a_size_that_cannot_fit_is_refused_with_font_glyph_and_size() -> None:
    tallest = ink_mask("j", "DejaVuSerif", 64).shape[0]
    DatasetSpec.letters(glyphs="j", fonts=("DejaVuSerif",), height=tallest)
    with pytest.raises(InputError, match=r"64 px: 'j' in DejaVuSerif"):
        DatasetSpec.letters(glyphs="j", fonts=("DejaVuSerif",), height=tallest - 1)


def test_ink_that_would_leave_no_majority_to_the_background_is_refused() -> None:
    shape = ink_mask("M", "DejaVuSans-Bold", 40).shape
    with pytest.raises(InputError, match="less than half of the picture"):
        DatasetSpec.letters(glyphs="M", fonts=("DejaVuSans-Bold",), sizes=(40, 40), height=shape[0], width=shape[1])


def test_whole_numbers_of_numpy_are_taken_as_such() -> None:
    spec = DatasetSpec.letters(n=np.int64(5), seed=np.uint32(7))
    assert (type(spec.n), type(spec.seed)) == (int, int)


@pytest.mark.parametrize(("text", "sizes"), [("32-64", (32, 64)), (" 8 - 9 ", (8, 9)), ("48", (48, 48))])
def test_sizes_are_read_as_typed(text: str, sizes: tuple[int, int]) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize("text", ["", "a-b", "32..64", "-32", "32-", "32-64-80", "3.5-8", "\u0663-\u0664"])
def test_malformed_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="as 32-64"):
        parse_sizes(text)


def test_every_named_font_is_there() -> None:
    assert all(font_path(name).is_file() for name in FONT_NAMES)


def test_no_letter_of_the_preset_is_so_narrow_that_a_pixel_or_two_decide() -> None:
    spec = DatasetSpec.letters()
    sides = [
        min(ink_mask(c, f, s).shape)
        for f in spec.fonts
        for c in spec.glyphs
        for s in range(spec.sizes[0], spec.sizes[0] + 4)
    ]
    assert min(sides) >= 8


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"scale": (3, 3)},
            r"received 48 px under a scale of 3-3: .*Choose a glyph size that fits, or a smaller scale",
        ),
        ({"scale": (0.1, 0.1)}, r"can be seen, received .* of 255, 128 are needed. Choose larger sizes or scale"),
        ({"ink_threshold": 64, "min_contrast": 63}, "received 64 with a min_contrast of 63; choose a lower"),
        ({"ink_threshold": 64, "sizes": (8, 8)}, r"at 8 px: no pixel of it is covered by more than .* 254 are needed"),
    ],
)
def test_what_can_never_be_drawn_is_refused_before_anything_is(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        DatasetSpec.letters(**changes)


def test_a_glyph_that_fits_only_when_it_is_scaled_down_is_drawn() -> None:
    spec = DatasetSpec.letters(n=20, sizes=(120, 140), scale=(0.5, 0.6))
    assert all(draw_sample(spec, index).box[3] <= 100 for index in range(spec.n))
