"""GIF's application extensions (GIF89a, 26): ICC profiles, XMP and C2PA."""

from collections.abc import Iterator

from gpu_workers.imaging.containers.blocks import BYTES_MAX, Blocks, number

_XMP, _ICC, _C2PA = b"XMP DataXMP", b"ICCRGBG1012", b"C2PA_GIF"
_BLOCKS_MAX = 100_000
_TAIL_BYTES = 257  # XMP is no row of sub-blocks: readers get out of it by a tail that counts down from 255


def blocks(data: bytes) -> Blocks:
    """What the extensions say, wherever they stand between the frames."""
    found: dict[bytes, bytes] = {}
    for name, body in _extensions(data):
        found.setdefault(name if name in (_XMP, _ICC) else name[:8], body)
    return Blocks(
        icc=found.get(_ICC, b""),
        xmp=(found[_XMP],) if _XMP in found else (),
        c2pa=found.get(_C2PA, b""),
    )


def _extensions(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 13 + _table_bytes(number(data, 10, 1))
    for _ in range(_BLOCKS_MAX):
        kind = data[at : at + 1]
        if kind == b",":
            _, at = _sub_blocks(data, at + 11 + _table_bytes(number(data, at + 9, 1)))
        elif kind == b"!" and data[at + 1 : at + 2] == b"\xff":
            name, start = data[at + 3 : at + 14], at + 14
            body, at = _sub_blocks(data, start)
            yield name, data[start : max(start, at - _TAIL_BYTES - 1)] if name == _XMP else body
        elif kind == b"!":
            _, at = _sub_blocks(data, at + 2)
        else:
            return


def _table_bytes(flags: int) -> int:
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int) -> tuple[bytes, int]:
    """What the sub-blocks from `at` on hold, up to BYTES_MAX, and where they end."""
    parts, total = [], 0
    while size := number(data, at, 1):
        if total < BYTES_MAX:
            parts.append(data[at + 1 : at + 1 + size])
        total += size
        at += 1 + size
    return b"".join(parts), at + 1
