"""Arrays in one file: packed the same way every time, read without trust. What the arrays mean is not known here.

The file is an ordinary ``.npz``: a zip archive of ``.npy`` members, which `numpy.load` reads. It is read by hand, since
the standard library's `zipfile` believes the archive's directory: it makes an object for each of however many members a
file claims, and learns only while inflating how much there really is. Here a member may only be what was expected, and
no more is read, inflated or kept than that takes.

It is packed by zlib. Intel's ISA-L takes a tenth of the time, but once in some hundred shards it packed the same arrays
into other bytes, and the same data set is to be the same files.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bboxbench.errors import InputError, read_errors
from bboxbench.files import open_file

__all__ = ["Arrays", "Expected", "array_sha256", "pack", "read_packed"]

Arrays = dict[str, npt.NDArray[Any]]

Expected = Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]
"""The type and shape of every array in a file, by name."""

_LEVEL = 1
"""Pictures of one letter are mostly one colour: higher levels take longer and save little."""

_STORED, _DEFLATED = 0, 8
_RAW_DEFLATE = -15
_NEW_YEAR_1980 = 0x21
"""The earliest day a zip file can tell: the current time would otherwise stand in every file."""

_ELSEWHERE = 0xFFFFFFFF
"""In the field of a size or a place: it does not fit there and stands in an extra one."""

_LARGE = _ELSEWHERE
"""What is so large or more is written in extra fields."""

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")

_MOST_DIRECTORY = 1 << 16
"""A directory of more bytes is none of ours: an entry takes less than a hundred."""

_INPUT, _OUTPUT = 1 << 18, 1 << 20
"""Bytes that are read, and inflated, at a time: as much as stays in a core's cache."""


class _Damage(Exception):
    """What is wrong with a file, in words."""


@dataclass(frozen=True)
class _Member:
    """An entry of the directory: where its bytes are, and what they should become."""

    method: int
    checksum: int
    packed: int
    size: int
    offset: int


def array_sha256(array: npt.NDArray[Any]) -> str:
    """Hexadecimal SHA-256 of an array: its type, its shape and its values, whatever file they came in."""
    digest = hashlib.sha256(json.dumps([array.dtype.str, list(array.shape)]).encode())
    digest.update(_octets(np.ascontiguousarray(array)))
    return digest.hexdigest()


def _octets(array: npt.NDArray[Any]) -> memoryview:
    """The bytes of a C-contiguous array, not copied, also where it is empty."""
    return array.reshape(-1).view(np.uint8).data


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The arrays as the bytes of an ``.npz`` file.

    The same arrays give the same bytes, with the same build of zlib.
    """
    parts: list[bytes] = []
    directory: list[bytes] = []
    place = 0
    for name, array in arrays.items():
        header = io.BytesIO()
        contiguous = np.ascontiguousarray(array).reshape(array.shape)
        np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(contiguous))
        start, values = header.getvalue(), _octets(contiguous)
        deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
        packed = [deflater.compress(start), deflater.compress(values), deflater.flush()]
        checksum = zlib.crc32(values, zlib.crc32(start))
        sizes = (sum(map(len, packed)), len(start) + len(values))
        member = _Member(_DEFLATED, checksum, *sizes, place)
        local, entry = _headers(f"{name}.npy".encode(), member)
        parts += [local, *packed]
        directory.append(entry)
        place += len(local) + member.packed
    parts += directory
    parts.append(_end(len(directory), sum(map(len, directory)), place))
    return b"".join(parts)


def _headers(name: bytes, member: _Member) -> tuple[bytes, bytes]:
    """What stands before a member, and its entry in the directory."""
    sizes = (member.packed, member.size)
    large = [value for value in (member.size, member.packed, member.offset) if value >= _LARGE]
    extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    # The header here has both sizes in its extra field or none of them.
    both = max(sizes) >= _LARGE
    extra_here = struct.pack("<2H2Q", 1, 16, member.size, member.packed) if both else b""
    sizes_here = (_ELSEWHERE, _ELSEWHERE) if both else sizes
    version = 45 if large else 20
    about = (version, 0, _DEFLATED, 0, _NEW_YEAR_1980, member.checksum)
    local = _LOCAL.pack(b"PK\3\4", *about, *sizes_here, len(name), len(extra_here))
    # Made on Unix, an ordinary file that its owner may write and everybody read.
    made, rights = 3 << 8 | version, 0o100644 << 16
    lengths = (len(name), len(extra), 0, 0, 0)
    entry = _CENTRAL.pack(b"PK\1\2", made, *about, *map(_field, sizes), *lengths, rights, _field(member.offset))
    return local + name + extra_here, entry + name + extra


def _field(value: int) -> int:
    return value if value < _LARGE else _ELSEWHERE


def _end(count: int, size: int, place: int) -> bytes:
    """What stands behind the directory, which has ``count`` entries and ``size`` bytes and begins at ``place``."""
    end = _END.pack(b"PK\5\6", 0, 0, count, count, size, _field(place), 0)
    if place < _LARGE:
        return end
    end64 = _END64.pack(b"PK\6\6", _END64.size - 12, 45, 45, 0, 0, count, count, size, place)
    return end64 + _LOCATOR.pack(b"PK\6\7", 0, place + size, 1) + end


def read_packed(path: Path, expected: Expected, names: Sequence[str], into: Arrays | None = None) -> Arrays:
    """Read some arrays of a file, which may be anything: it is only ever compared with what is expected.

    No more memory is taken than the arrays' own and some 3 MB, whatever the file says or inflates to, and nothing in
    it is run.

    Args:
        path: the file.
        expected: every array that is in it, no more and no fewer.
        names: those that are wanted, in this order.
        into: arrays of the expected types and shapes, C-contiguous, that are filled and given back in the place of new
            ones; making one of 60 MB takes as long as filling it.

    Raises:
        InputError: the file is missing, may not be read, is cut or altered, or holds something else; it names the file.
    """
    with read_errors(path):
        try:
            with open_file(path) as stream:
                members = _directory(stream, expected)
                arrays = into or {}
                return {
                    name: _read_array(stream, name, members[name], *expected[name], arrays.get(name)) for name in names
                }
        except FileNotFoundError:
            raise InputError(f"The shard {path} is missing.") from None
        except (_Damage, zlib.error) as error:
            raise InputError(f"The shard {path} is damaged ({error}).") from error


def _directory(stream: BinaryIO, expected: Expected) -> dict[str, _Member]:
    """The archive's members; just those that are expected."""
    length = stream.seek(0, io.SEEK_END)
    tail = _exactly(stream, max(0, length - _END64.size - _LOCATOR.size - _END.size), None)
    if len(tail) < _END.size or tail[-_END.size :][:4] != b"PK\5\6":
        raise _Damage("it does not end as an .npz file does")
    end = length - _END.size
    _, _, _, _, count, size, place, comment = _END.unpack(tail[-_END.size :])
    if tail[-_END.size - _LOCATOR.size :][:4] == b"PK\6\7" and len(tail) == _END64.size + _LOCATOR.size + _END.size:
        *_, count, size, place = _END64.unpack(tail[: _END64.size])
        end = length - len(tail)
    if count != len(expected) or size > _MOST_DIRECTORY or place + size != end or comment:
        raise _Damage(f"expected {len(expected)} arrays and nothing else, found a directory of {count} entries")
    members: dict[str, _Member] = {}
    content = _exactly(stream, place, size)
    at = 0
    for _ in range(count):
        if content[at : at + 4] != b"PK\1\2" or at + _CENTRAL.size > size:
            raise _Damage("its directory is cut or altered")
        fields = _CENTRAL.unpack_from(content, at)
        _, _, _, flags, method, _, _, checksum, packed, full, named, extended, commented, *_, offset = fields
        begin = at + _CENTRAL.size
        name = content[begin : begin + named].decode("ascii", "replace").removesuffix(".npy")
        large = _large(content[begin + named : begin + named + extended])
        full, packed, offset = (next(large) if value == _ELSEWHERE else value for value in (full, packed, offset))
        at = begin + named + extended + commented
        if name not in expected or name in members:
            raise _Damage(f"expected the arrays {', '.join(expected)}, found {name!r}")
        if method not in (_STORED, _DEFLATED) or flags & 1:
            raise _Damage(f"its {name} are packed in an unknown way")
        members[name] = _Member(method, checksum, packed, full, offset)
        if offset + packed > place:
            raise _Damage(f"its {name} are cut short")
    return members


def _large(extra: bytes) -> Iterator[int]:
    """The numbers that did not fit their fields, in order."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1 and at + 4 + size <= len(extra):
            yield from struct.unpack_from(f"<{size // 8}Q", extra, at + 4)
        at += 4 + size
    raise _Damage("its directory is cut or altered")


def _exactly(stream: BinaryIO, place: int, size: int | None) -> bytes:
    """``size`` bytes from ``place`` on, or all that follow."""
    stream.seek(place)
    content = stream.read() if size is None else stream.read(size)
    if size is not None and len(content) < size:
        raise _Damage("it is cut short")
    return content


def _read_array(
    stream: BinaryIO,
    name: str,
    member: _Member,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    into: npt.NDArray[Any] | None,
) -> npt.NDArray[Any]:
    local = _LOCAL.unpack(_exactly(stream, member.offset, _LOCAL.size))
    if local[0] != b"PK\3\4" or _exactly(stream, member.offset + _LOCAL.size, local[-2]) != f"{name}.npy".encode():
        raise _Damage(f"its {name} are not where its directory says")
    stream.seek(member.offset + _LOCAL.size + local[-2] + local[-1])
    pieces = _pieces(stream, member.packed)
    chunks = pieces if member.method == _STORED else _inflated(pieces)
    first = next(chunks, b"")
    begin = 10 + int.from_bytes(first[8:10], "little")
    # The header is a Python literal. Comparing it needs no evaluation, and NumPy writes it in one way only.
    found = b"".join(first[10:begin].split()).decode("latin-1")
    wanted = "".join(f"{{'descr':{dtype.str!r},'fortran_order':False,'shape':{shape!r},}}".split())
    size = math.prod(shape) * dtype.itemsize
    if first[:8] != b"\x93NUMPY\1\0" or found != wanted or member.size != begin + size:
        raise _Damage(f"expected an array {dtype} {shape} of {name}, found {found[:100]!r} in {member.size} bytes")
    array = np.empty(shape, dtype) if into is None else into
    checksum = zlib.crc32(first[:begin])
    if _fill(_octets(array), itertools.chain([first[begin:]], chunks), name, checksum) != member.checksum:
        raise _Damage(f"its {name} have another checksum than when they were written")
    return array


def _fill(view: memoryview, chunks: Iterator[bytes], name: str, checksum: int) -> int:
    """Copy what comes into an array's bytes, just as many as it has, and give the checksum with it."""
    filled = 0
    for chunk in chunks:
        if filled + len(chunk) > len(view):
            raise _Damage(f"its {name} are followed by something else")
        view[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
        # While it still is in the core's cache.
        checksum = zlib.crc32(chunk, checksum)
    if filled < len(view):
        raise _Damage(f"its {name} are cut short")
    return checksum


def _pieces(stream: BinaryIO, packed: int) -> Iterator[bytes]:
    """The next ``packed`` bytes of the file, a few at a time."""
    while packed:
        piece = stream.read(min(packed, _INPUT))
        if not piece:
            raise _Damage("it is cut short")
        packed -= len(piece)
        yield piece


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What the pieces inflate to, at most `_OUTPUT` bytes at a time, as far as it is asked for."""
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    for piece in pieces:
        waiting, chunk = piece, b""
        # It can hold output back when its input is used up: a full chunk says that there may be more.
        while (waiting or len(chunk) == _OUTPUT) and not inflater.eof:
            chunk = inflater.decompress(waiting, _OUTPUT)
            waiting = inflater.unconsumed_tail
            if chunk:
                yield chunk
    if not inflater.eof:
        raise _Damage("it is cut short")
