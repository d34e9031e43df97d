"""TIFFs of any structure, written by hand: pages, pages below pages, extra samples, planes, BigTIFF."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHORT, LONG, LONG8 = 3, 4, 16
_CODES = {SHORT: "H", LONG: "I", LONG8: "Q"}


@dataclass(frozen=True)
class Page:
    """Pixels (h, w, samples), the tags beside the usual ones, and the pages below it."""

    pixels: NDArray[Any]
    tags: Mapping[int, Sequence[int]] = field(default_factory=dict)
    below: Sequence["Page"] = ()
    planar: bool = False


def tiff(*pages: Page, big: bool = False) -> bytes:
    """A little-endian file of these pages."""
    out = bytearray(b"II+\0\x08\0\0\0" + bytes(8) if big else b"II*\0" + bytes(4))
    link = len(out) - (8 if big else 4)
    for page in pages:
        at, link_next = _page(out, page, big)
        struct.pack_into("<Q" if big else "<I", out, link, at)
        link = link_next
    return bytes(out)


def _page(out: bytearray, page: Page, big: bool) -> tuple[int, int]:
    """Adds a page; where its directory lies, and where its link to the next one is to be written."""
    below = [_page(out, each, big)[0] for each in page.below]
    height, width, samples = page.pixels.shape
    planes = [page.pixels[..., each] for each in range(samples)] if page.planar else [page.pixels]
    offsets = []
    for plane in planes:
        offsets.append(len(out))
        out += np.ascontiguousarray(plane).tobytes() + bytes(len(out) % 2)
    wide = LONG8 if big else LONG
    tags: dict[int, tuple[int, Sequence[int]]] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [page.pixels.dtype.itemsize * 8] * samples),
        259: (SHORT, [1]),
        262: (SHORT, [2 if samples >= 3 else 1]),
        273: (wide, offsets),
        277: (SHORT, [samples]),
        278: (LONG, [height]),
        279: (wide, [each.nbytes for each in planes]),
        284: (SHORT, [2 if page.planar else 1]),
        **({330: (wide, below)} if below else {}),
        **{tag: (SHORT if max(values, default=0) < 65536 else LONG, values) for tag, values in page.tags.items()},
    }
    return _directory(out, dict(sorted(tags.items())), big)


def _directory(out: bytearray, tags: Mapping[int, tuple[int, Sequence[int]]], big: bool) -> tuple[int, int]:
    room, number = (8, "Q") if big else (4, "I")
    entries = b""
    for tag, (kind, values) in tags.items():
        data = struct.pack(f"<{len(values)}{_CODES[kind]}", *values)
        if len(data) > room:
            out += bytes(len(out) % 2)
            place = len(out)
            out += data
            data = struct.pack(f"<{number}", place)
        entries += struct.pack(f"<HH{number}", tag, kind, len(values)) + data.ljust(room, b"\0")
    out += bytes(len(out) % 2)
    at = len(out)
    out += struct.pack("<Q" if big else "<H", len(tags)) + entries
    link = len(out)
    out += bytes(room)
    return at, link
