"""PNG's chunks (W3C PNG, third edition): cICP, iCCP, sRGB, gAMA and cHRM for colours; eXIf, texts and caBX."""

from collections.abc import Iterator
from dataclasses import replace

from gpu_workers.imaging.containers.blocks import Blocks, CodePoints, exif_in, inflated, iptc_in, number

_XMP = b"XML:com.adobe.xmp"
_RAW = (
    b"Raw profile type "  # ImageMagick's and Photoshop's way to keep blocks in a text: a name, a length, hexadecimals
)
_OF_COLOURS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})
_CHUNKS_MAX = 100_000
_PACKETS_MAX = 4


def blocks(data: bytes) -> Blocks:
    """What the chunks say. Those of colours count before the pixels only, as they must; texts everywhere."""
    found, before_pixels = Blocks(), True
    for name, body in _chunks(data):
        before_pixels = before_pixels and name != b"IDAT"
        if name in _OF_COLOURS and before_pixels:
            found = _coloured(found, name, body)
        elif name == b"eXIf":
            found = replace(found, exif=exif_in(body))
        elif name == b"caBX":
            found = replace(found, c2pa=body)
        elif name in (b"iTXt", b"zTXt", b"tEXt"):
            found = _with_text(found, name, body)
    return found


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    for _ in range(_CHUNKS_MAX):
        size, name = number(data, at, 4), data[at + 4 : at + 8]
        if len(name) < 4 or name == b"IEND":
            return
        # What pixels are packed in is not copied.
        yield name, b"" if name == b"IDAT" else data[at + 8 : at + 8 + size]
        at += size + 12


def _coloured(found: Blocks, name: bytes, body: bytes) -> Blocks:
    if name == b"iCCP":
        return replace(found, icc=inflated(body[body.find(b"\0") + 2 :]))
    if name == b"cICP" and len(body) == 4:
        return replace(found, cicp=CodePoints(body[0], body[1], body[2], body[3] == 1))
    if name == b"gAMA" and number(body, 0, 4):
        return replace(found, gamma=100_000 / number(body, 0, 4))
    if name == b"cHRM" and len(body) == 32:
        x_y = [number(body, at, 4) / 100_000 for at in range(0, 32, 4)]
        white, red, green, blue = zip(x_y[::2], x_y[1::2], strict=True)
        return replace(found, white=white, primaries=(red, green, blue))
    return replace(found, srgb=True) if name == b"sRGB" else found


def _with_text(found: Blocks, name: bytes, body: bytes) -> Blocks:
    keyword, _, rest = body.partition(b"\0")
    if len(found.xmp) >= _PACKETS_MAX or not (keyword == _XMP or keyword.startswith(_RAW)):
        return found
    if name == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
        text = inflated(rest) if packed else rest
    else:
        text = inflated(rest[1:]) if name == b"zTXt" else rest
    if keyword == _XMP:
        return replace(found, xmp=(*found.xmp, text))
    return _unhexed(found, keyword.removeprefix(_RAW), text)


def _unhexed(found: Blocks, kind: bytes, text: bytes) -> Blocks:
    try:
        block = bytes.fromhex(text.decode("ascii").split(maxsplit=2)[2])
    except (ValueError, IndexError):
        return found
    match kind:
        case b"xmp":
            return replace(found, xmp=(*found.xmp, block))
        case b"exif" | b"APP1" if not found.exif:
            return replace(found, exif=exif_in(block))
        case b"iptc":
            return replace(found, iptc=iptc_in(block) or block)
        case b"icc" | b"icm" if not found.icc:
            return replace(found, icc=block)
    return found
