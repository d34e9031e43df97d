"""Hostile files: what sources may be that are no pictures, whatever they say they are."""

import struct
import zlib
from pathlib import Path

from PIL import Image

BOMB_PX = 60_000


def draw_poison(folder: Path) -> None:
    """Files that are no pictures, whatever they say they are."""
    (folder / "text.jpg").write_text("This is no picture.\n" * 40)
    (folder / "empty.png").write_bytes(b"")
    Image.new("RGBA", (240, 400), (0, 0, 0, 0)).save(folder / "blank.png")
    whole = folder / "cut.jpg"
    Image.effect_noise((400, 400), 80).save(whole, quality=95)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    (folder / "bomb.png").write_bytes(_png(BOMB_PX))
    (folder / "rle.bmp").write_bytes(_bmp_without_pixels())


def _png(size_px: int) -> bytes:
    """A few kilobytes that say they are so many pixels wide and high, all of one colour."""
    header = struct.pack(">IIBBBBB", size_px, size_px, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _bmp_without_pixels() -> bytes:
    """8 × 8 px of 8 bits, run-length encoded, with no run."""
    palette = bytes(1024)
    info = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 1, 0, 2835, 2835, 256, 0)
    start = 14 + len(info) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start, 0, 0, start) + info + palette
