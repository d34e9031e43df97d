"""What a picture file says of itself beside its pixels: how it was made, and what a cutout stood before.

How it was made is IPTC's DigitalSourceType, in XMP. A packshot of a photograph is `digitalCapture`: its product is what
the camera took, which the gates measure, and nobody edited it. One whose light was corrected by `lighting.mode` is
`algorithmicallyEnhanced`, a product in a scene or a print on a product a `composite`. What a source says of itself
stays with all that is made of it, so that a generated picture never becomes a photograph here.
"""

import re
import struct
import zlib
from dataclasses import dataclass

CAPTURED, ENHANCED = "digitalCapture", "algorithmicallyEnhanced"
COMPOSITE, GENERATED = "composite", "trainedAlgorithmicMedia"
GENERATED_COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
BACKGROUND = "background"

_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_TERM = re.compile(re.escape(_TERMS.removeprefix("http").encode()) + rb"([A-Za-z]+)")
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' Iptc4xmpExt:DigitalSourceType="{}"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
_HEADER_BYTES = 33  # signature and IHDR, which comes first


@dataclass(frozen=True)
class Notes:
    """`source_type`: a term of IPTC's digitalsourcetype, "" where the file says nothing.

    `background`: linear sRGB light (3,), 0..1, of the plain ground that a cutout was photographed on, if it was one.
    """

    source_type: str = ""
    background: tuple[float, float, float] | None = None


NO_NOTES = Notes()


def xmp(source_type: str) -> bytes:
    """An XMP packet that says how a picture was made."""
    return _PACKET.format(_TERMS + source_type).encode()


def source_type_in(packet: bytes) -> str:
    """The term of a DigitalSourceType in an XMP `packet`, or ""."""
    found = _TERM.search(packet)
    return found[1].decode() if found else ""


def after(source_type: str, *, enhanced: bool) -> str:
    """How a packshot was made out of a source of this type, `enhanced` saying that its light was corrected."""
    made = source_type or CAPTURED
    return ENHANCED if enhanced and made == CAPTURED else made


def composite(source_type: str) -> str:
    """How a picture was made that puts a source of this type together with a scene or a product of ours."""
    return GENERATED_COMPOSITE if source_type in (GENERATED, GENERATED_COMPOSITE) else COMPOSITE


def written_into(png: bytes, notes: Notes) -> bytes:
    """`png` with these notes: XMP, and the background as a text of its own."""
    chunks = b""
    if notes.source_type:
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(notes.source_type))
    if notes.background is not None:
        chunks += _chunk(b"tEXt", f"{BACKGROUND}\0".encode() + " ".join(f"{v:.6f}" for v in notes.background).encode())
    return png[:_HEADER_BYTES] + chunks + png[_HEADER_BYTES:]


def background_in(text: str) -> tuple[float, float, float] | None:
    """The background in a text that `written_into` wrote; None for what is none of its own."""
    try:
        red, green, blue = (float(value) for value in text.split())
    except ValueError:
        return None
    return red, green, blue


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
