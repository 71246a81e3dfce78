from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bboxbench.data_gen import packing
from bboxbench.data_gen.packing import Arrays, Expected, array_sha256, pack, read_packed
from bboxbench.errors import InputError

DTYPES = st.sampled_from([np.dtype(code) for code in ("|u1", "<i2", "<u2", "<u4", "<f4", "|b1")])
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9)
ARRAYS = hnp.arrays(DTYPES, SHAPES, elements=None)
MANY = st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), ARRAYS, min_size=1, max_size=5)


def expected_of(arrays: Arrays) -> Expected:
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}


def read_back(content: bytes, expected: Expected) -> Arrays:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "00000.npz"
        path.write_bytes(content)
        return read_packed(path, expected, list(expected))


def assert_same(found: Arrays, arrays: Arrays) -> None:
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@pytest.fixture(scope="module")
def some() -> Arrays:
    rng = np.random.default_rng(0)
    return {
        "images": np.repeat(rng.integers(0, 256, (30, 1, 1, 3), np.uint8), 40, axis=1).repeat(50, axis=2),
        "noises": rng.integers(0, 256, (30, 100), np.uint8),
        "boxes": rng.integers(-9, 99, (30, 4), np.int16),
    }


@given(MANY)
def test_arrays_come_back_as_they_were(arrays: Arrays) -> None:
    assert_same(read_back(pack(arrays), expected_of(arrays)), arrays)


@given(MANY)
def test_numpy_and_the_standard_library_read_what_is_packed(arrays: Arrays) -> None:
    content = pack(arrays)
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        assert_same(dict(loaded), arrays)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None


@given(MANY, st.sampled_from([np.savez, np.savez_compressed]))
def test_what_numpy_packs_is_read(arrays: Arrays, save: Callable[..., None]) -> None:
    stream = io.BytesIO()
    save(stream, **arrays)
    assert_same(read_back(stream.getvalue(), expected_of(arrays)), arrays)


@given(MANY, st.integers(0, 400))
def test_files_beyond_four_gigabytes_are_read_by_all(arrays: Arrays, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # The writer takes to the large format at smaller sizes; readers go by what is written.
        patch.setattr(packing, "_LARGE", limit)
        content = pack(arrays)
    assert_same(read_back(content, expected_of(arrays)), arrays)
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        assert_same(dict(loaded), arrays)


@given(ARRAYS)
def test_an_array_that_is_not_contiguous_is_packed_as_its_values(array: npt.NDArray[Any]) -> None:
    turned = array.T
    assert_same(read_back(pack({"a": turned}), {"a": (turned.dtype, turned.shape)}), {"a": turned})


def test_packing_is_the_same_bytes_in_another_process(some: Arrays, tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", **some)
    code = (
        "import sys, numpy as np; from bboxbench.data_gen.packing import pack;"
        f"sys.stdout.buffer.write(pack(dict(np.load({str(tmp_path / 'arrays.npz')!r}))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == pack(some)


def test_only_what_is_asked_for_is_read_in_that_order(some: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "00000.npz"
    path.write_bytes(pack(some))
    assert list(read_packed(path, expected_of(some), ["boxes", "images"])) == ["boxes", "images"]


def test_arrays_that_are_given_are_filled_and_given_back(some: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "00000.npz"
    path.write_bytes(pack(some))
    given = {name: np.full_like(array, 7) for name, array in some.items() if name != "boxes"}
    found = read_packed(path, expected_of(some), list(some), given)
    assert_same(found, some)
    assert all(found[name] is array for name, array in given.items())


@settings(max_examples=400)
@given(data=st.data())
def test_a_flipped_byte_is_refused_or_changes_nothing(some: Arrays, data: st.DataObject) -> None:
    content = bytearray(pack(some))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    found, message = some, "00000.npz is damaged"
    try:
        found = read_back(bytes(content), expected_of(some))
    except InputError as error:
        message = str(error)
    assert_same(found, some)
    assert "00000.npz is damaged" in message
    assert "\n" not in message


def test_every_cut_and_every_flip_of_a_small_file_is_refused_or_changes_nothing(some: Arrays, tmp_path: Path) -> None:
    small = {"images": some["images"][:2, :3, :3], "boxes": some["boxes"][:2]}
    whole, expected, path = pack(small), expected_of(small), tmp_path / "00000.npz"
    harmed = [whole[:length] for length in range(len(whole))]
    harmed += [
        whole[:place] + bytes([octet ^ mask]) + whole[place + 1 :]
        for place, octet in enumerate(whole)
        for mask in (1, 16, 128)
    ]
    refused = 0
    for content in harmed:
        path.write_bytes(content)
        try:
            assert_same(read_packed(path, expected, ["images", "boxes"]), small)
        except InputError:
            refused += 1
    # What is left are fields that nobody reads: dates, versions, rights.
    assert refused > len(harmed) / 2


@given(data=st.data())
def test_any_cut_is_refused(some: Arrays, data: st.DataObject) -> None:
    content = pack(some)
    with pytest.raises(InputError, match=r"00000\.npz is damaged"):
        read_back(content[: data.draw(st.integers(0, len(content) - 1))], expected_of(some))


@given(st.binary(max_size=300), st.booleans())
def test_any_other_file_is_refused(some: Arrays, content: bytes, ends: bool) -> None:
    with pytest.raises(InputError, match=r"00000\.npz is damaged"):
        read_back(content + (pack(some)[-22:] if ends else b""), expected_of(some))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("boxes"), "expected 3 arrays and nothing else, found a directory of 2 entries"),
        (lambda arrays: arrays.update(more=arrays["boxes"]), "found a directory of 4 entries"),
        (lambda arrays: arrays.update(other=arrays.pop("boxes")), "found 'other'"),
        (lambda arrays: arrays.update(boxes=arrays["boxes"].astype(np.int32)), r"expected an array int16 \(30, 4\)"),
        (lambda arrays: arrays.update(boxes=arrays["boxes"].astype(">i2")), r"expected an array int16 \(30, 4\)"),
        (lambda arrays: arrays.update(boxes=arrays["boxes"][:29]), r"expected an array int16 \(30, 4\)"),
        (lambda arrays: arrays.update(boxes=arrays["boxes"].reshape(4, 30)), r"expected an array int16 \(30, 4\)"),
        (lambda arrays: arrays.update(boxes=np.asfortranarray(arrays["boxes"])), r"expected an array int16 \(30, 4\)"),
    ],
)
def test_arrays_that_are_not_the_expected_ones_are_refused(some: Arrays, change, message: str) -> None:
    arrays = dict(some)
    change(arrays)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    with pytest.raises(InputError, match=message):
        read_back(stream.getvalue(), expected_of(some))


def start_of(header: str) -> bytes:
    """What stands before an array's values."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def member(name: str, header: str, values: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of one member with any header in front of any bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(f"{name}.npy", start_of(header) + values)
    return stream.getvalue()


HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (100,), }\n"
HUNDRED: Expected = {"a": (np.dtype("u1"), (100,))}


def test_the_hundred_bytes_that_the_next_tests_change_are_read() -> None:
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        assert read_back(member("a", HEADER, bytes(100), method), HUNDRED)["a"].tolist() == [0] * 100


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(method: int) -> None:
    with pytest.raises(InputError, match="packed in an unknown way"):
        read_back(member("a", HEADER, bytes(100), method), HUNDRED)


class Trap:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    stream = io.BytesIO()
    np.savez(stream, a=np.array([trap], dtype=object))
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (100,), }\n"
    for content in (stream.getvalue(), pickle.dumps(trap), member("a", header, pickle.dumps(trap))):
        with pytest.raises(InputError, match="is damaged"):
            read_back(content, HUNDRED)
    assert not trap.path.exists()


@pytest.mark.parametrize(
    "header",
    [
        "__import__('os').mkdir('sprung')",
        "(" * 9000,
        "{" * 9000,
        "{'descr': '|u1'",
        "\0",
        "",
        HEADER.replace("100", "1e2"),
    ],
)
def test_a_header_is_compared_and_never_evaluated(header: str) -> None:
    with pytest.raises(InputError, match=r"expected an array uint8 \(100,\) of a"):
        read_back(member("a", header, bytes(100)), HUNDRED)


def lying(content: bytes, size: int) -> bytes:
    """The archive of one member, whose directory says that it inflates to ``size`` bytes."""
    place = content.index(b"PK\1\2")
    return content[: place + 24] + size.to_bytes(4, "little") + content[place + 28 :]


def bombs() -> dict[str, bytes]:
    """Small files that inflate to 500 MB, or claim to."""
    deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
    zeros = bytes(1 << 20)
    begun = deflater.compress(start_of(HEADER))
    packed = begun + b"".join(deflater.compress(zeros) for _ in range(500)) + deflater.flush()
    honest = member("a", HEADER, bytes(100))
    local, central = honest.index(b"PK\3\4"), honest.index(b"PK\1\2")
    inflating = (
        honest[local : local + 18] + len(packed).to_bytes(4, "little") + honest[local + 22 : local + 35] + packed
    )
    directory = bytearray(honest[central:-22])
    directory[20:24] = len(packed).to_bytes(4, "little")
    end = bytearray(honest[-22:])
    end[16:20] = len(inflating).to_bytes(4, "little")
    bomb = inflating + bytes(directory) + bytes(end)
    huge = HEADER.replace("(100,)", "(4000000000,)")
    crowd = io.BytesIO()
    with zipfile.ZipFile(crowd, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number}.npy", b"")
    return {
        "it inflates to more than it says": bomb,
        "it says so": lying(bomb, 500_000_000),
        "its header says so": member("a", huge, bytes(100)),
        "all say so": lying(member("a", huge, bytes(100)), 4_000_000_000),
        "a crowd of members": crowd.getvalue(),
        "a crowd that is told as one": crowd.getvalue()[:-22] + b"PK\5\6\0\0\0\0\1\0\1\0" + crowd.getvalue()[-10:],
    }


def test_a_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; import numpy as np\n"
        "from bboxbench.data_gen.packing import read_packed\nfrom bboxbench.errors import InputError\n"
        "expected = {'a': (np.dtype('u1'), (100,))}\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in map(Path, sys.argv[1:]):\n"
        "    try:\n        read_packed(path, expected, ['a'])\n        print('read', path)\n"
        "    except InputError:\n        pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    paths = []
    for number, content in enumerate(bombs().values()):
        assert len(content) < 3_000_000
        paths.append(tmp_path / f"{number}.npz")
        paths[-1].write_bytes(content)
    done = subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=True)
    # In kB on Linux, in bytes on macOS: far below what any of them would take in either.
    assert int(done.stdout) < 20_000_000 if sys.platform == "darwin" else int(done.stdout) < 20_000


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The shard .*0\.npz is missing"):
        read_packed(tmp_path / "0.npz", HUNDRED, ["a"])
    with pytest.raises(InputError, match="expected a file, found a folder"):
        read_packed(tmp_path, HUNDRED, ["a"])


@given(ARRAYS)
def test_the_hash_of_an_array_is_of_its_type_shape_and_values(array: npt.NDArray[Any]) -> None:
    assert array_sha256(array) == array_sha256(array.copy(order="F"))
    assert array_sha256(array) != array_sha256(array[np.newaxis])
    assert array_sha256(array) != array_sha256(array.astype("<f8"))
