"""HEIF's and AVIF's boxes (ISO/IEC 14496-12, 23008-12): the primary picture's `colr`, EXIF, XMP and C2PA."""

from collections.abc import Iterator
from typing import NamedTuple

from gpu_workers.imaging.containers.blocks import Blocks, CodePoints, exif_in, number

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_BOXES_MAX = 10_000
_ITEMS_MAX = 10_000


class _Box(NamedTuple):
    kind: bytes
    start: int  # of what is in it
    end: int


def blocks(data: bytes) -> Blocks:
    """What the boxes say of the primary picture."""
    meta = next((box for box in _boxes(data, 0, len(data)) if box.kind == b"meta"), None)
    c2pa = next((_body(data, box) for box in _boxes(data, 0, len(data)) if _is_c2pa(data, box)), b"")
    if meta is None:
        return Blocks(c2pa=c2pa)
    inside = {box.kind: box for box in _boxes(data, meta.start + 4, meta.end)}
    icc, nclx = _colours(data, inside)
    items = _items(data, inside)
    exif = b"".join(body for kind, body in items if kind == b"Exif")
    return Blocks(
        icc=icc,
        nclx=nclx,
        exif=exif_in(exif[4 + number(exif, 0, 4) :]),
        xmp=tuple(body for kind, body in items if kind == b"mime" and b"xmpmeta" in body),
        c2pa=c2pa,
    )


def _boxes(data: bytes, at: int, end: int) -> Iterator[_Box]:
    for _ in range(_BOXES_MAX):
        size, head = number(data, at, 4), 8
        if size == 1:
            size, head = number(data, at + 8, 8), 16
        size = size or end - at
        if size < head or at + head > end:
            return
        yield _Box(data[at + 4 : at + 8], at + head, min(at + size, end))
        at += size


def _body(data: bytes, box: _Box) -> bytes:
    return data[box.start : box.end]


def _is_c2pa(data: bytes, box: _Box) -> bool:
    return box.kind == b"uuid" and data[box.start : box.start + 16] == _C2PA


def _colours(data: bytes, inside: dict[bytes, _Box]) -> tuple[bytes, CodePoints | None]:
    """The profile and the code points among the primary picture's properties."""
    icc, nclx = b"", None
    for box in _properties(data, inside):
        kind, body = data[box.start : box.start + 4], data[box.start + 4 : box.end]
        if box.kind == b"colr" and kind in (b"prof", b"rICC"):
            icc = body
        elif box.kind == b"colr" and kind == b"nclx" and len(body) >= 7:
            primaries, transfer, matrix = (number(body, at, 2) for at in (0, 2, 4))
            nclx = CodePoints(primaries, transfer, matrix, body[6] >= 128)
    return icc, nclx


def _properties(data: bytes, inside: dict[bytes, _Box]) -> Iterator[_Box]:
    """Those that are tied to the primary picture."""
    if not {b"pitm", b"iprp"} <= inside.keys():
        return
    pitm = inside[b"pitm"]
    primary = number(data, pitm.start + 4, 2 if data[pitm.start : pitm.start + 1] == b"\0" else 4)
    held = {box.kind: box for box in _boxes(data, inside[b"iprp"].start, inside[b"iprp"].end)}
    if not {b"ipco", b"ipma"} <= held.keys():
        return
    properties = list(_boxes(data, held[b"ipco"].start, held[b"ipco"].end))
    for index in _ties(data, held[b"ipma"], primary):
        if 0 < index <= len(properties):
            yield properties[index - 1]


def _ties(data: bytes, ipma: _Box, item: int) -> list[int]:
    """The numbers, from 1, of the properties that are tied to an item."""
    version, wide = number(data, ipma.start, 1), number(data, ipma.start + 3, 1) & 1
    at, id_bytes, tie_bytes = ipma.start + 8, 4 if version else 2, 2 if wide else 1
    for _ in range(min(number(data, ipma.start + 4, 4), _ITEMS_MAX)):
        tied, count = number(data, at, id_bytes), number(data, at + id_bytes, 1)
        at += id_bytes + 1
        if tied == item:
            found = (number(data, at + tie_bytes * each, tie_bytes) for each in range(count))
            return [each & (0x7FFF if wide else 0x7F) for each in found]
        at += tie_bytes * count
    return []


def _items(data: bytes, inside: dict[bytes, _Box]) -> list[tuple[bytes, bytes]]:
    """The kind and the bytes of each item that is EXIF or MIME, in the order of their numbers."""
    if not {b"iinf", b"iloc"} <= inside.keys():
        return []
    kinds = dict(_kinds(data, inside[b"iinf"]))
    wanted = {item: kind for item, kind in kinds.items() if kind in (b"Exif", b"mime")}
    places = _places(data, inside[b"iloc"])
    base = {0: 0, 1: inside[b"idat"].start if b"idat" in inside else len(data)}
    found = []
    for item in sorted(places.keys() & wanted.keys()):
        method, extents = places[item]
        start = base.get(method, len(data))
        found.append((wanted[item], b"".join(data[start + at : start + at + size] for at, size in extents)))
    return found


def _kinds(data: bytes, iinf: _Box) -> Iterator[tuple[int, bytes]]:
    first = iinf.start + (6 if data[iinf.start : iinf.start + 1] == b"\0" else 8)
    for box in _boxes(data, first, iinf.end):
        version = number(data, box.start, 1)
        id_bytes = 4 if version >= 3 else 2
        if box.kind == b"infe" and version >= 2:
            kind = box.start + 4 + id_bytes + 2
            yield number(data, box.start + 4, id_bytes), data[kind : kind + 4]


def _places(data: bytes, iloc: _Box) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    """Of each item the way of counting (0 in the file, 1 in `idat`) and its pieces, as offset and size."""
    version = number(data, iloc.start, 1)
    sizes = number(data, iloc.start + 4, 2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index_bytes = index_bytes if version else 0
    id_bytes = 4 if version == 2 else 2
    at = iloc.start + 6 + id_bytes
    found: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    for _ in range(min(number(data, iloc.start + 6, id_bytes), _ITEMS_MAX)):
        item, at = number(data, at, id_bytes), at + id_bytes
        method, at = (number(data, at, 2) & 15, at + 2) if version else (0, at)
        base, at = number(data, at + 2, base_bytes), at + 2 + base_bytes
        count, at = number(data, at, 2), at + 2
        step = index_bytes + offset_bytes + length_bytes
        if at + count * step > iloc.end:
            break
        pieces = [at + each * step + index_bytes for each in range(count)]
        found[item] = (
            method,
            [
                (base + number(data, each, offset_bytes), number(data, each + offset_bytes, length_bytes))
                for each in pieces
            ],
        )
        at += count * step
    return found
