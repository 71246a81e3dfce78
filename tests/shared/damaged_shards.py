"""What may stand in a data set's folder in the place of a shard."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DAMAGES", "MARKER", "Damage"]

MARKER = "EXECUTED"
"""The file that a pickle writes beside the data sets where it is loaded."""

Damage = Callable[[Path, Path], None]
"""Called with the path of a shard, and with the same shard of a data set of another seed."""


class Executing:
    """An object whose pickle, once it is loaded, writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(path) as shard:
        return dict(shard)


def _repacked(path: Path, **changes: Any) -> None:
    arrays = {**_arrays(path), **changes}
    path.unlink()
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def _in_its_place(path: Path, make: Callable[[], object]) -> None:
    path.unlink()
    make()


def _with_pickle(path: Path, other: Path) -> None:
    _repacked(path, images=np.array([Executing(path.parents[2] / MARKER)], dtype=object))


def _a_pickle(path: Path, other: Path) -> None:
    path.write_bytes(pickle.dumps(Executing(path.parents[2] / MARKER)))


def _with_all_pickled(path: Path, other: Path) -> None:
    marked = Executing(path.parents[2] / MARKER)
    _repacked(path, **{name: np.array([marked] * len(array), dtype=object) for name, array in _arrays(path).items()})


def _npy(array: npt.NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _zeros(gigabytes: int, before: bytes) -> bytes:
    """What inflates to ``before`` and then to so many gigabytes of zeros: some megabytes."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = deflater.compress(before) + deflater.flush(zlib.Z_FULL_FLUSH)
    million = deflater.compress(bytes(1 << 26)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return head + million * (gigabytes * 16) + deflater.flush(zlib.Z_FINISH)


def _bomb(path: Path, *, claims: bool) -> None:
    """The pictures inflate to 4 GB; the archive's directory says so, or says what is expected."""
    arrays = _arrays(path)
    whole = _npy(arrays["images"])
    packed = _zeros(4, whole[:128])
    size = 128 + (4 << 30) if claims else len(whole)
    members: Mapping[str, tuple[bytes, int]] = {
        "images": (packed, min(size, 0xFFFFFFFE)),
        **{name: (_zeros(0, _npy(array)), len(_npy(array))) for name, array in arrays.items() if name != "images"},
    }
    body, directory = b"", b""
    for name, (data, full) in members.items():
        about = (20, 0, 8, 0, 33, zlib.crc32(whole), len(data), full, len(name) + 4, 0)
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *about, 0, 0, 0, 0, len(body)) + f"{name}.npy".encode()
        body += struct.pack("<4s5H3L2H", b"PK\3\4", *about) + f"{name}.npy".encode() + data
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + end)


def _many_members(path: Path, other: Path) -> None:
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.npy", b"")


def _claims_to_be_huge(path: Path, other: Path) -> None:
    arrays = _arrays(path)
    path.unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                header = np.lib.format.header_data_from_array_1_0(array)
                shape = (10**12, *header["shape"][1:]) if name == "images" else header["shape"]
                np.lib.format.write_array_header_1_0(member, {**header, "shape": shape})
                member.write(array.tobytes())


def _elsewhere(path: Path, other: Path) -> None:
    """A link to what is no shard."""
    _in_its_place(path, lambda: path.symlink_to("/etc/hostname"))


def _changed(path: Path, name: str, change: Callable[[npt.NDArray[Any]], object]) -> None:
    array = _arrays(path)[name].copy()
    change(array)
    _repacked(path, **{name: array})


def _flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0x10
    path.write_bytes(data)


def _add(array: npt.NDArray[Any]) -> None:
    array[0] += 1


DAMAGES: dict[str, Damage] = {
    "missing": lambda path, other: path.unlink(),
    "empty": lambda path, other: path.write_bytes(b"") and None,
    "a text": lambda path, other: path.write_text("hello\n") and None,
    "cut by a byte": lambda path, other: path.write_bytes(path.read_bytes()[:-1]) and None,
    "cut in the middle": lambda path, other: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]) and None,
    "its beginning cut off": lambda path, other: path.write_bytes(path.read_bytes()[100:]) and None,
    "a byte behind it": lambda path, other: path.write_bytes(path.read_bytes() + b"\0") and None,
    "a byte altered": lambda path, other: _flip(path, 0.4),
    "a pixel altered": lambda path, other: _changed(path, "images", _add),
    "a box altered": lambda path, other: _changed(path, "boxes", _add),
    "the next shard": lambda path, other: shutil.copy(path.with_name("00001.npz"), path) and None,
    "that of another seed": lambda path, other: shutil.copy(other, path) and None,
    "a folder": lambda path, other: _in_its_place(path, path.mkdir),
    "a link to another file": _elsewhere,
    "a link to nowhere": lambda path, other: _in_its_place(path, lambda: path.symlink_to("nowhere")),
    "a link to itself": lambda path, other: _in_its_place(path, lambda: path.symlink_to(path.name)),
    "a link to a device": lambda path, other: _in_its_place(path, lambda: path.symlink_to("/dev/zero")),
    "a pipe": lambda path, other: _in_its_place(path, lambda: os.mkfifo(path)),
    "a bomb that tells": lambda path, other: _bomb(path, claims=True),
    "a bomb that hides": lambda path, other: _bomb(path, claims=False),
    "an array that claims to be huge": _claims_to_be_huge,
    "20,000 members": _many_members,
    "a pickle": _a_pickle,
    "a pickled array": _with_pickle,
    "all arrays pickled": _with_all_pickled,
    "one array more": lambda path, other: _repacked(path, more=np.zeros(3)),
    "one array less": lambda path, other: _repacked(path, sizes=None),
    "an array of another type": lambda path, other: _repacked(path, boxes=_arrays(path)["boxes"].astype("<i4")),
    "an array of another shape": lambda path, other: _repacked(path, boxes=_arrays(path)["boxes"][:-1]),
}
"""Ways to harm a shard, by what stands there then."""
