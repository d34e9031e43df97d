"""What a file says of itself is found wherever its format keeps it, and stays with all that is made of it."""

import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import pyvips
from PIL import Image, TiffImagePlugin

from gpu_workers.imaging.ai_marks import Marks, with_system
from gpu_workers.imaging.credits import Credits
from gpu_workers.imaging.encoding import encode, lossless
from gpu_workers.imaging.metadata import (
    COMPOSITE,
    ENHANCED,
    GENERATED,
    GENERATED_COMPOSITE,
    Metadata,
    composite,
    source_type_in,
    strongest,
    xmp,
)
from gpu_workers.operations.base import ComposeRequest, compose
from gpu_workers.sources.decoding import decode
from schemas import channels
from streams.publishing.renditions import render
from tests.gpu_workers import colour_files as files
from tests.gpu_workers.products import mug
from tests.gpu_workers.test_decoding import blocks, chunk, written

PACKET = xmp(GENERATED)
CREDITS = Credits("Ada Müller; Bo <b>", "© 2026 House & Co", "House/Studio", "https://house.example/terms?a=1&b=2")
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"


def app(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def in_jpeg(segment: bytes) -> bytes:
    data = written(blocks(), "JPEG")
    return data[:2] + segment + data[2:]


def extended() -> bytes:
    """A packet in two parts that come in the wrong order, the address of the term cut in the middle."""
    cut = PACKET.index(b"trainedAlgo") + 6
    head = _EXTENSION + b"0" * 32 + struct.pack(">I", len(PACKET))
    parts = [app(0xE1, head + struct.pack(">I", at) + part) for at, part in ((cut, PACKET[cut:]), (0, PACKET[:cut]))]
    return in_jpeg(app(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>") + b"".join(parts))


def raw_profile(kind: bytes, block: bytes) -> bytes:
    """ImageMagick's text of a block."""
    lines = b"\n" + kind + b"\n%8d\n" % len(block) + block.hex().encode() + b"\n"
    return chunk(b"zTXt", b"Raw profile type " + kind + b"\0\0" + zlib.compress(lines))


def in_png(*chunks: bytes) -> bytes:
    return files.png(blocks(), *chunks)


def in_gif(name: bytes, body: bytes) -> bytes:
    data = written(blocks(), "GIF")
    at = 13 + 3 * 2 ** (data[10] % 8 + 1)
    return data[:at] + b"!\xff\x0b" + name + body + data[at:]


def in_tiff(tag: int, block: bytes) -> bytes:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info.tagtype[tag] = 7
    info[tag] = block
    return written(blocks(), "TIFF", tiffinfo=info)


def in_webp(name: bytes, block: bytes) -> bytes:
    data = written(blocks(), "WEBP", xmp=b"<x:xmpmeta/>")
    data += name + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def sub_blocks(data: bytes) -> bytes:
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


PLACES: dict[str, Callable[[], bytes]] = {
    "JPEG APP1": lambda: written(blocks(), "JPEG", xmp=PACKET),
    "JPEG, extended XMP": extended,
    "PNG iTXt": lambda: in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)),
    "PNG iTXt, packed": lambda: in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET))),
    "PNG raw profile": lambda: in_png(raw_profile(b"xmp", PACKET)),
    "WebP": lambda: written(blocks(), "WEBP", xmp=PACKET),
    "TIFF": lambda: in_tiff(700, PACKET),
    "AVIF": lambda: written(blocks(), "AVIF", xmp=PACKET),
    "GIF": lambda: in_gif(b"XMP DataXMP", PACKET + b"\1" + bytes(range(255, -1, -1)) + b"\0"),
    "UTF-16": lambda: written(blocks(), "WEBP", xmp=PACKET.decode().encode("utf-16")),
}


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
def test_how_it_was_made_is_found_wherever_a_format_keeps_it(make: Callable[[], bytes]) -> None:
    assert decode(make()).metadata.source_type == GENERATED


@pytest.mark.parametrize(
    "text",
    [
        '<rdf:Description Iptc4xmpExt:DigitalSourceType="https://cv.iptc.org/newscodes/digitalsourcetype/{}"/>',
        "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/{}</Iptc4xmpExt:DigitalSourceType>",
        '<Iptc4xmpExt:DigitalSourceType rdf:resource="HTTP://CV.IPTC.ORG/newscodes/DigitalSourceType/{}"/>',
        "<Iptc4xmpExt:DigitalSourceType>digsrctype:{}</Iptc4xmpExt:DigitalSourceType>",
        "<Iptc4xmpExt:DigitalSourceType>{}</Iptc4xmpExt:DigitalSourceType>",
    ],
)
@pytest.mark.parametrize("term", [GENERATED, GENERATED.upper()])
def test_every_way_to_write_it_is_understood(text: str, term: str) -> None:
    assert decode(written(blocks(), "JPEG", xmp=text.format(term).encode())).metadata.source_type == GENERATED


MANIFEST = b"\0\0\0\x30jumbc2pa....c2pa.actions.v2" + PACKET[PACKET.index(b"http://cv.iptc") :][:80]


@pytest.mark.parametrize(
    "make",
    [
        lambda: in_jpeg(app(0xEB, b"JP\0\1\0\0\0\1" + MANIFEST)),
        lambda: in_png(chunk(b"caBX", MANIFEST)),
        lambda: in_webp(b"C2PA", MANIFEST),
        lambda: in_tiff(52545, MANIFEST),
        lambda: in_gif(b"C2PA_GIF\1\0\0", sub_blocks(MANIFEST)),
        lambda: (
            written(blocks(), "AVIF")
            + struct.pack(">I", 24 + len(MANIFEST))
            + b"uuid"
            + bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
            + MANIFEST
        ),
    ],
    ids=["JPEG", "PNG", "WebP", "TIFF", "GIF", "AVIF"],
)
def test_a_c2pa_manifest_is_seen_and_what_it_says_of_a_machine_counts(make: Callable[[], bytes]) -> None:
    picture = decode(make())
    assert picture.metadata.c2pa
    assert picture.measures["source_has_c2pa"] == 1
    assert picture.metadata.source_type == GENERATED


def test_what_has_most_of_a_machine_in_it_counts() -> None:
    assert strongest("digitalCapture", GENERATED, COMPOSITE) == GENERATED
    assert strongest("digitalCapture", "aTermOfNextYear") == "aTermOfNextYear"
    assert strongest("", "") == ""
    assert composite("digitalCapture", GENERATED) == GENERATED_COMPOSITE
    assert composite("compositeSynthetic") == "compositeSynthetic"
    both = xmp("digitalCapture") + xmp(GENERATED)
    assert decode(written(blocks(), "WEBP", xmp=both)).metadata.source_type == GENERATED


IIM = b"".join(
    b"\x1c\2" + bytes([number]) + struct.pack(">H", len(text)) + text
    for number, text in ((80, b"Ada"), (80, b"Bo"), (110, b"Studio"), (116, "© House".encode()))
)
RESOURCES = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IIM)) + IIM


def credits_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[315], exif[33432] = "Ada", "House"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 7.0)})
    exif.get_ifd(0x8769).update({0xA431: "SERIAL-4711"})
    return exif


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: written(blocks(), "JPEG", xmp=xmp("", CREDITS)), CREDITS),
        (lambda: written(blocks(), "AVIF", xmp=xmp("", CREDITS)), CREDITS),
        (lambda: in_jpeg(app(0xED, b"Photoshop 3.0\0" + RESOURCES)), Credits("Ada; Bo", "© House", "Studio")),
        (lambda: in_tiff(33723, IIM), Credits("Ada; Bo", "© House", "Studio")),
        (lambda: in_tiff(34377, RESOURCES), Credits("Ada; Bo", "© House", "Studio")),
        (lambda: in_png(raw_profile(b"iptc", RESOURCES)), Credits("Ada; Bo", "© House", "Studio")),
        *(
            (lambda kind=kind: written(blocks(), kind, exif=credits_exif()), Credits("Ada", "House"))
            for kind in ("JPEG", "PNG", "WEBP", "AVIF")
        ),
    ],
    ids=["XMP", "XMP in AVIF", "IIM", "IIM in TIFF", "8BIM in TIFF", "IIM in PNG", "JPEG", "PNG", "WebP", "AVIF"],
)
def test_credits_are_found(data: Callable[[], bytes], expected: Credits) -> None:
    assert decode(data()).metadata.credits == expected


def test_hostile_credits_are_printable_short_and_never_markup() -> None:
    hostile = Credits("\x1b[31m\u202eevil</rdf:li>" + "x" * 5_000, '"]]><!--', "a\nb", "javascript:1")
    found = decode(written(blocks(), "WEBP", xmp=xmp(GENERATED, hostile).replace(b"\x1b", b""))).metadata
    assert found.source_type == GENERATED
    assert len(found.credits.creator) <= 500
    assert found.credits.creator.isprintable()
    assert found.credits.credit == "a b"
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>'
    assert decode(written(blocks(), "WEBP", xmp=bomb)).metadata == Metadata()


@pytest.mark.parametrize("channel_name", ["shopify", "web"])
def test_credits_and_origin_reach_every_rendition_and_nothing_else_does(channel_name: str) -> None:
    exif = credits_exif()
    exif[0x0131] = "CAMERA-FIRMWARE"
    source = decode(written(Image.fromarray(mug()), "WEBP", lossless=True, exif=exif, xmp=xmp(GENERATED, CREDITS)))
    cut = decode(lossless(source.pixels, source.metadata))
    assert cut.metadata == Metadata(GENERATED, credits=CREDITS)
    operation = "transparent" if channel_name == "web" else "packshot"
    made = compose(operation, [cut], ComposeRequest(channels.load(channel_name), {}, "")).files[0]
    renditions = [each.data for each in render(made.data, made.media_type, widths_px=[160, 320])]
    for file in [made.data, *renditions]:
        picture = decode(file)
        assert (picture.metadata.source_type, picture.metadata.credits) == (GENERATED, CREDITS), picture.media_type
        for private in (b"SERIAL-4711", b"CAMERA-FIRMWARE", b"GPS", b"Exif\0\0MM", b"Exif\0\0II"):
            assert private not in file, (private, picture.media_type)
        read = pyvips.Image.new_from_buffer(file, "")
        assert [each for each in read.get_fields() if "GPS" in each or "Serial" in each] == []


@pytest.mark.parametrize(("source_type", "expected"), [(GENERATED, GENERATED), ("digitalCapture", ENHANCED)])
def test_what_a_machine_made_stays_so_when_it_is_enlarged(source_type: str, expected: str) -> None:
    picture = decode(written(blocks(), "JPEG", xmp=xmp(source_type, CREDITS)))
    made = compose("upscale", [picture], ComposeRequest(channels.load("shopify"), {"scale": "1.5"}, "")).files[0]
    assert decode(made.data).metadata.source_type == expected
    assert decode(made.data).metadata.credits == CREDITS


def test_a_file_without_credits_is_written_as_before() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    assert xmp(GENERATED).count(b"rdf:Description") == 1
    assert (
        encode(white, channels.load("shopify")).data == encode(white, channels.load("shopify"), credits=Credits()).data
    )


AIGC = '{"Label":"1","ContentProducer":"somebody else","ProduceID":"4711"}'


def test_marks_of_an_ai_system_go_on_with_all_that_is_made_of_a_picture() -> None:
    marks = Marks("imagemaker", "3 <beta>", AIGC)
    source = decode(written(blocks(), "JPEG", xmp=xmp(GENERATED, CREDITS, marks)))
    assert (source.metadata.marks, source.metadata.credits) == (marks, CREDITS)
    cut = decode(lossless(mug(), source.metadata))
    made = compose("packshot", [cut], ComposeRequest(channels.load("shopify"), {}, "")).files[0]
    for file in [made.data, *(each.data for each in render(made.data, made.media_type, widths_px=[160]))]:
        assert decode(file).metadata.marks == marks


def test_a_network_of_ours_says_its_name_and_leaves_an_entry_of_before() -> None:
    ours = with_system(Marks(), "x4@1")
    assert (ours.system, ours.version) == ("x4", "1")
    assert json.loads(ours.aigc)["Label"] == "1"
    assert decode(written(blocks(), "JPEG", xmp=xmp("", marks=ours))).metadata.marks == ours
    assert with_system(Marks(aigc=AIGC), "x4@1").aigc == AIGC


def test_what_no_ai_system_touched_has_no_mark() -> None:
    made = compose("packshot", [decode(lossless(mug()))], ComposeRequest(channels.load("shopify"), {}, "")).files[0]
    assert decode(made.data).metadata.marks == Marks()
    assert b"AIGC" not in made.data
    assert b"AISystem" not in made.data


@pytest.mark.parametrize("term", ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "digitalCapture"])
def test_a_term_in_a_manifest_ends_where_its_length_says(term: str) -> None:
    address = f"http://cv.iptc.org/newscodes/digitalsourcetype/{term}".encode()
    manifest = b"qdigitalSourceTypex" + bytes([len(address)]) + address + b"kdescriptionfcutout"
    assert source_type_in(manifest) == term
