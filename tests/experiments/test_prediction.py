"""Anybody's pictures: of any size and mode, each box in the picture's own pixels, what is no picture named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.picture_files import grey_levels, open_picture
from bboxbench.errors import CannotRead, InputError
from bboxbench.experiments.fit import predict
from bboxbench.experiments.models.prediction import input_size, predict_pictures, save_drawn
from bboxbench.experiments.network import build_network
from bboxbench.experiments.recipe import Recipe


@pytest.fixture(scope="module")
def network() -> Any:
    return build_network(Recipe("glorot_uniform"), 3, head="ordered")


@pytest.fixture(scope="module")
def letter(small_dataset: Dataset) -> Image.Image:
    return Image.fromarray(small_dataset.images("test")[0])


def saved(picture: Image.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def test_a_picture_of_the_data_set_gets_the_box_that_the_sweep_gives_it(
    network: Any, small_dataset: Dataset, tmp_path: Path
) -> None:
    paths = [saved(Image.fromarray(p), tmp_path / f"{k}.png") for k, p in enumerate(small_dataset.images("test"))]
    boxes = [found.box for found in predict_pictures(network, paths)]
    expected = predict(network, small_dataset.grey("test")).astype(np.float64) * [200, 100, 200, 100]
    assert np.allclose(boxes, expected, atol=1e-9)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "I;16", "LA"])
def test_the_same_picture_in_another_mode_gets_nearly_the_same_box(
    network: Any, letter: Image.Image, tmp_path: Path, mode: str
) -> None:
    if mode == "I;16":
        other = Image.fromarray(np.asarray(letter.convert("L")).astype(np.uint16) * 257)
    else:
        other = letter.convert(mode)
    path = saved(other, tmp_path / f"picture.{'tif' if mode == 'CMYK' else 'png'}")
    plain = saved(letter, tmp_path / "plain.png")
    first, second = predict_pictures(network, [plain, path])
    assert np.allclose(first.box, second.box, atol=3.0)  # a palette of 216 colours, CMYK and back


@pytest.mark.parametrize("times", [2, 5])
def test_boxes_grow_with_the_picture(network: Any, letter: Image.Image, tmp_path: Path, times: int) -> None:
    large = letter.resize((200 * times, 100 * times), Image.Resampling.NEAREST)
    small, grown = predict_pictures(
        network, [saved(letter, tmp_path / "small.png"), saved(large, tmp_path / "large.png")]
    )
    assert (grown.width, grown.height) == (200 * times, 100 * times)
    assert np.allclose(grown.box, small.box * times, atol=0.5 * times)


def test_a_picture_of_other_proportions_is_stretched_and_its_box_stretched_back(
    network: Any, letter: Image.Image, tmp_path: Path
) -> None:
    tall = letter.resize((200, 400), Image.Resampling.NEAREST)
    plain, stretched = predict_pictures(
        network, [saved(letter, tmp_path / "plain.png"), saved(tall, tmp_path / "tall.png")]
    )
    assert np.allclose(stretched.box, plain.box * [1, 4, 1, 4], atol=2.0)


def test_what_is_transparent_is_white_and_a_camera_held_upright(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    assert np.asarray(open_picture(saved(clear, tmp_path / "clear.png"))).min() == 255
    tags = Image.Exif()
    tags[0x0112] = 6  # the camera was turned by a quarter
    turned = saved(Image.new("RGB", (40, 20)), tmp_path / "turned.jpg", exif=tags)
    assert open_picture(turned).size == (20, 40)


def test_grey_levels_of_16_bits_keep_their_order(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 200 * 100).reshape(100, 200).astype(np.uint16)
    grey = grey_levels(open_picture(saved(Image.fromarray(ramp), tmp_path / "ramp.png")), 200, 100)
    assert np.array_equal(grey, np.rint(ramp / 257).astype(np.uint8))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"<svg/>"])
def test_a_file_that_is_no_picture_is_named_before_anything_is_predicted(
    network: Any, letter: Image.Image, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "no.png").write_bytes(content)
    found = predict_pictures(network, [saved(letter, tmp_path / "yes.png"), tmp_path / "no.png"])
    with pytest.raises(InputError, match=r"no\.png") as refused:
        next(found)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_that_was_cut_off_is_named(network: Any, letter: Image.Image, tmp_path: Path, suffix: str) -> None:
    path = saved(letter, tmp_path / f"cut.{suffix}")
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"cut\.\w+ is damaged"):
        list(predict_pictures(network, [path]))


def test_a_missing_picture_and_a_folder_are_named(network: Any, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(CannotRead, match=path.name):
            list(predict_pictures(network, [path]))


def test_a_picture_that_claims_to_be_gigantic_is_refused(
    network: Any, letter: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)
    with pytest.raises(InputError, match="at most 15,000 pixels"):
        list(predict_pictures(network, [saved(letter, tmp_path / "large.png")]))


@pytest.mark.parametrize(
    ("reads", "gives"), [((28, 28, 3), 4), ((None, None, 1), 4), ((28, 28, 1), 10), ((28,), 4)], ids=str
)
def test_a_network_of_something_else_is_refused(reads: tuple[int, ...], gives: int) -> None:
    pictures = keras.Input(reads)
    x = keras.layers.GlobalAveragePooling2D()(pictures) if len(reads) == 3 else pictures
    with pytest.raises(InputError, match="Expected a network that"):
        input_size(keras.Model(pictures, keras.layers.Dense(gives)(x)))


def test_the_box_is_drawn_where_it_is(network: Any, letter: Image.Image, tmp_path: Path) -> None:
    from bboxbench.experiments.models.overlay import PREDICTED

    (found,) = predict_pictures(network, [saved(letter, tmp_path / "a.png")])
    save_drawn(found, tmp_path / "drawn.png")
    drawn = np.asarray(Image.open(tmp_path / "drawn.png"))
    assert drawn.shape == (200, 400, 3)
    rows, columns = np.nonzero((drawn == PREDICTED).all(-1))
    edges = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert np.abs(edges - found.box * 2).max() <= 2.5


def test_a_padded_picture_is_what_an_import_makes_of_it_and_its_box_comes_back(
    network: Any, letter: Image.Image, tmp_path: Path
) -> None:
    from bboxbench.data_gen.fitting import Fitting, fit_picture

    tall = Image.new("RGB", (letter.width, 3 * letter.height), "navy")
    tall.paste(letter, (0, letter.height))
    padded = Image.fromarray(fit_picture(tall, letter.size, "pad"))
    (found,) = predict_pictures(network, [saved(tall, tmp_path / "tall.png")], fit="pad")
    (same,) = predict_pictures(network, [saved(padded, tmp_path / "padded.png")])
    place = Fitting.of(tall.size, letter.size, "pad")
    np.testing.assert_allclose(place.exact(found.box), same.box, atol=1e-9)


def test_an_unknown_fit_is_refused(network: Any, letter: Image.Image, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fit 'crop'"):
        list(predict_pictures(network, [saved(letter, tmp_path / "a.png")], fit="crop"))
