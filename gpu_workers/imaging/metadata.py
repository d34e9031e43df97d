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

from gpu_workers.imaging import ai_marks
from gpu_workers.imaging.ai_marks import NO_MARKS, Marks, marks_in
from gpu_workers.imaging.containers import Blocks
from gpu_workers.imaging.credits import NO_CREDITS, Credits, as_rdf, credits_in
from gpu_workers.imaging.writing import WRITING, Writing, text_of

CAPTURED, ENHANCED = "digitalCapture", "algorithmicallyEnhanced"
COMPOSITE, GENERATED = "composite", "trainedAlgorithmicMedia"
GENERATED_COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
SYNTHETIC = "compositeSynthetic"
BACKGROUND = "background"
WORN = "worn"

_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# A C2PA manifest is CBOR: a text has no end of its own there, but its length before it, in one byte behind 0x78.
_TERM = re.compile(
    rb"(?:x(?P<length>.))?(?P<begin>(?:https?://)?cv\.iptc\.org/newscodes/digitalsourcetype/)(?P<term>[a-z]+)",
    re.IGNORECASE | re.DOTALL,
)
_NAME = re.compile(rb"DigitalSourceType[\s=>'\"]+(?:[A-Za-z]+:)?([A-Za-z]+)", re.IGNORECASE)  # without its address
_BY_STRENGTH = (
    GENERATED,
    GENERATED_COMPOSITE,
    "algorithmicMedia",
    SYNTHETIC,
    "virtualRecording",
    "dataDrivenMedia",
    "digitalCreation",
    "digitalArt",
    "softwareImage",
    COMPOSITE,
    "compositeCapture",
    ENHANCED,
    "humanEdits",
    "minorHumanEdits",
    "screenCapture",
    "computationalCapture",
    "positiveFilm",
    "negativeFilm",
    "print",
    CAPTURED,
)
_RANKS = {term.lower(): (rank, term) for rank, term in enumerate(_BY_STRENGTH)}
_MADE_BY_MACHINES = (GENERATED, GENERATED_COMPOSITE)
_MADE_ON_MACHINES = ("algorithmicMedia", SYNTHETIC, "virtualRecording", "digitalCreation")
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    '{}/>{}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
_HEADER_BYTES = 33  # signature and IHDR, which comes first


@dataclass(frozen=True)
class Metadata:
    """`source_type`: a term of IPTC's digitalsourcetype, "" where the file says nothing.

    `background`: linear sRGB light (3,), 0..1, of the plain ground that a cutout was photographed on, if it was one.
    `credits` says whose the picture is, `c2pa` whether the file has a C2PA manifest. `writing` is what was read on a
    cutout's product, None where nobody looked. `marks` are those of AI systems that made pixels of it. `worn`: a cutout
    shows who wears the product, too.
    """

    source_type: str = ""
    background: tuple[float, float, float] | None = None
    credits: Credits = NO_CREDITS
    c2pa: bool = False
    writing: Writing | None = None
    marks: Marks = NO_MARKS
    worn: bool = False


NO_METADATA = Metadata()


def metadata_in(blocks: Blocks) -> Metadata:
    """What a file says in its blocks of metadata."""
    source_types = [source_type_in(each) for each in (*blocks.xmp, blocks.c2pa)]
    has_c2pa = b"c2pa" in blocks.c2pa
    return Metadata(strongest(*source_types), credits=credits_in(blocks), c2pa=has_c2pa, marks=marks_in(blocks))


def xmp(source_type: str, credits: Credits = NO_CREDITS, marks: Marks = NO_MARKS) -> bytes:
    """An XMP packet that says how a picture was made, whose it is, and which AI systems made pixels of it."""
    made = f' Iptc4xmpExt:DigitalSourceType="{_TERMS}{source_type}"' if source_type else ""
    return _PACKET.format(made, as_rdf(credits) + ai_marks.as_rdf(marks)).encode()


def address_of(source_type: str) -> str:
    """The address of a term of IPTC's digitalsourcetype."""
    return f"{_TERMS}{source_type}"


def source_type_in(packet: bytes) -> str:
    """The strongest term of a DigitalSourceType in an XMP `packet` or a C2PA manifest, or ""."""
    plain = packet.replace(b"\0", b"")  # as it is in UTF-16, too
    terms = [_term(each) for each in _TERM.finditer(plain)]
    named = [each.decode() for each in _NAME.findall(plain)]
    return strongest(*terms, *(each for each in named if each.lower() in _RANKS))


def _term(found: re.Match[bytes]) -> str:
    term = found["term"].decode()
    ended = term[: max(ord(found["length"] or b"\0") - len(found["begin"]), 0)]
    return ended if ended.lower() in _RANKS else term


def strongest(*source_types: str) -> str:
    """The one that has most of a machine in it; terms that we do not know come before a plain photograph's."""
    unknown = _RANKS[CAPTURED.lower()][0] - 0.5
    ranked = [_RANKS.get(each.lower(), (unknown, each)) for each in source_types if each]
    return min(ranked, key=lambda each: each[0], default=(0, ""))[1]


def after(source_type: str, *, enhanced: bool) -> str:
    """How a packshot was made out of a source of this type, `enhanced` saying that its light was corrected."""
    made = source_type or CAPTURED
    return ENHANCED if enhanced and made == CAPTURED else made


def composite(*source_types: str) -> str:
    """How a picture was made that puts sources of these types together with a scene or a product of ours."""
    if any(each in _MADE_BY_MACHINES for each in source_types):
        return GENERATED_COMPOSITE
    return SYNTHETIC if any(each in _MADE_ON_MACHINES for each in source_types) else COMPOSITE


def written_into(png: bytes, metadata: Metadata) -> bytes:
    """`png` with these notes: XMP; background, writing and worn as texts of their own."""
    chunks = b""
    if metadata.source_type or metadata.credits != NO_CREDITS or metadata.marks != NO_MARKS:
        packet = xmp(metadata.source_type, metadata.credits, metadata.marks)
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    if metadata.background is not None:
        chunks += _chunk(
            b"tEXt", f"{BACKGROUND}\0".encode() + " ".join(f"{v:.6f}" for v in metadata.background).encode()
        )
    if metadata.writing is not None:
        chunks += _chunk(b"tEXt", f"{WRITING}\0{text_of(metadata.writing)}".encode())
    if metadata.worn:
        chunks += _chunk(b"tEXt", f"{WORN}\0yes".encode())
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
