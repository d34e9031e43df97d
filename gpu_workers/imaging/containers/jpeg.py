"""JPEG's segments (ITU-T T.81 B.1.1): APP1 has EXIF and XMP, APP2 the ICC profile, APP11 C2PA, APP13 IPTC."""

from collections.abc import Iterator
from typing import NamedTuple

from gpu_workers.imaging.containers.blocks import Blocks, exif_in, iptc_in, number

_XMP, _XMP_MORE = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_ICC, _EXIF, _PHOTOSHOP, _JUMBF = b"ICC_PROFILE\0", b"Exif\0\0", b"Photoshop 3.0\0", b"JP"
_GUID_BYTES = 32
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))
_SCAN, _END = 0xDA, 0xD9
_SEGMENTS_MAX = 10_000


class _Segment(NamedTuple):
    marker: int
    start: int  # of its FF
    end: int
    body: bytes


def blocks(data: bytes) -> Blocks:
    """What the segments before the first scan say."""
    segments = list(_segments(data))
    app1 = [each.body for each in segments if each.marker == 0xE1]
    return Blocks(
        icc=_profile([each.body for each in segments if each.marker == 0xE2]),
        exif=next((exif_in(body) for body in app1 if body.startswith(_EXIF)), b""),
        xmp=_packets(app1),
        iptc=iptc_in(_joined(segments, 0xED, _PHOTOSHOP)),
        c2pa=b"".join(each.body for each in segments if each.marker == 0xEB and each.body.startswith(_JUMBF)),
    )


def without_strays(data: bytes) -> bytes:
    """`data` without bytes that belong to no segment before the first scan; decoders lose what stands behind them."""
    kept, at, strayed = [data[:2]], 2, False
    for segment in _segments(data):
        strayed = strayed or segment.start != at
        kept.append(data[segment.start : segment.end])
        at = segment.end
    return b"".join([*kept, data[at:]]) if strayed else data


def _segments(data: bytes) -> Iterator[_Segment]:
    """Those before the first scan, and the scan's own header."""
    at = 2
    for _ in range(_SEGMENTS_MAX):
        start = data.find(b"\xff", at)
        at = start
        while data[at : at + 1] == b"\xff":
            at += 1
        marker = number(data, at, 1)
        if start < 0 or at >= len(data) or marker == _END:
            return
        if marker == 0 or marker in _WITHOUT_LENGTH:
            at += 1
            continue
        size = number(data, at + 1, 2)
        if size < 2:
            return
        yield _Segment(marker, start, at + 1 + size, data[at + 3 : at + 1 + size])
        at += 1 + size
        if marker == _SCAN:
            return


def _profile(app2: list[bytes]) -> bytes:
    """The parts of the profile in the order that they number themselves by; nothing where one is missing."""
    parts = {body[12]: body[14:] for body in app2 if body.startswith(_ICC) and len(body) > 14}
    counts = {body[13] for body in app2 if body.startswith(_ICC) and len(body) > 14}
    whole = len(counts) == 1 and sorted(parts) == list(range(1, counts.pop() + 1))
    return b"".join(parts[each] for each in sorted(parts)) if whole or len(parts) == 1 else b""


def _packets(app1: list[bytes]) -> tuple[bytes, ...]:
    """The packets of XMP: the main one, and those that were too long for a segment, of their parts by offset."""
    main = tuple(body.removeprefix(_XMP) for body in app1 if body.startswith(_XMP))
    longer: dict[bytes, dict[int, bytes]] = {}
    for body in app1:
        if body.startswith(_XMP_MORE):
            rest = body.removeprefix(_XMP_MORE)
            offset = number(rest, _GUID_BYTES + 4, 4)
            longer.setdefault(rest[:_GUID_BYTES], {})[offset] = rest[_GUID_BYTES + 8 :]
    return main + tuple(b"".join(parts[offset] for offset in sorted(parts)) for parts in longer.values())


def _joined(segments: list[_Segment], marker: int, head: bytes) -> bytes:
    bodies = [each.body for each in segments if each.marker == marker and each.body.startswith(head)]
    return b"".join(body.removeprefix(head) for body in bodies)
