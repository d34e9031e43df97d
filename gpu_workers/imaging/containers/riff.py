"""WebP's chunks (RFC 9649): ICCP, EXIF, XMP, and C2PA's own."""

from gpu_workers.imaging.containers.blocks import Blocks, exif_in, number

_CHUNKS_MAX = 10_000


def blocks(data: bytes) -> Blocks:
    """What the chunks say."""
    found: dict[bytes, bytes] = {}
    at = 12
    for _ in range(_CHUNKS_MAX):
        name, size = data[at : at + 4], number(data, at + 4, 4, little=True)
        if len(name) < 4:
            break
        if name in (b"ICCP", b"EXIF", b"XMP ", b"C2PA"):
            found.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return Blocks(
        icc=found.get(b"ICCP", b""),
        exif=exif_in(found.get(b"EXIF", b"")),
        xmp=(found[b"XMP "],) if b"XMP " in found else (),
        c2pa=found.get(b"C2PA", b""),
    )
