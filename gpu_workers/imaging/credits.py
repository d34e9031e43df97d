"""Who made a picture and whose it is: read out of XMP, IPTC's IIM and EXIF, to be written as XMP.

Nothing else of a source's metadata goes on: no place, no serial numbers, no thumbnails.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from gpu_workers.imaging.containers import Blocks
from gpu_workers.imaging.containers.blocks import number
from gpu_workers.imaging.containers.tiff import ARTIST, COPYRIGHT, exif_directories

_DC, _RDF = "http://purl.org/dc/elements/1.1/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PHOTOSHOP, _RIGHTS = "http://ns.adobe.com/photoshop/1.0/", "http://ns.adobe.com/xap/1.0/rights/"
_IN_XMP = {
    "creator": f"{{{_DC}}}creator",
    "copyright": f"{{{_DC}}}rights",
    "credit": f"{{{_PHOTOSHOP}}}Credit",
    "licence": f"{{{_RIGHTS}}}WebStatement",
}
_IN_IIM = {(2, 80): "creator", (2, 116): "copyright", (2, 110): "credit"}
_CHARACTERS_MAX = 500
_PACKET_BYTES_MAX = 2_000_000
_DATA_SETS_MAX = 1_000


@dataclass(frozen=True)
class Credits:
    """Printable text; several creators are parted by "; ". `licence` is the address of the terms of use."""

    creator: str = ""
    copyright: str = ""
    credit: str = ""
    licence: str = ""


NO_CREDITS = Credits()


def credits_in(blocks: Blocks) -> Credits:
    """The credits in a file: each from XMP, or else from IPTC, or else from EXIF."""
    found = [*(properties_in(each, _IN_XMP) for each in blocks.xmp), _of_iim(blocks.iptc), _of_exif(blocks.exif)]
    names = [field.name for field in fields(Credits)]
    return Credits(**{name: next(filter(None, (each.get(name) for each in found)), "") for name in names})


def as_rdf(credits: Credits) -> str:
    """A description in XMP's RDF; "" for no credits."""
    if credits == NO_CREDITS:
        return ""
    creator, copyright_, credit, licence = map(escape, (getattr(credits, each.name) for each in fields(Credits)))
    parts = [
        f"<dc:creator><rdf:Seq><rdf:li>{creator}</rdf:li></rdf:Seq></dc:creator>" if creator else "",
        f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{copyright_}</rdf:li></rdf:Alt></dc:rights>'
        if copyright_
        else "",
        f"<photoshop:Credit>{credit}</photoshop:Credit>" if credit else "",
        f"<xmpRights:WebStatement>{licence}</xmpRights:WebStatement>" if licence else "",
    ]
    return (
        f'<rdf:Description rdf:about="" xmlns:dc="{_DC}" xmlns:photoshop="{_PHOTOSHOP}" xmlns:xmpRights="{_RIGHTS}">'
        f"{''.join(parts)}</rdf:Description>"
    )


def properties_in(packet: bytes, names: Mapping[str, str]) -> dict[str, str]:
    """Properties of an XMP packet as printable text, by the keys of `names`, whose values are {namespace}name."""
    text = packet[packet.find(b"<") :].rstrip(b"\0 \n")
    # A document type could define entities, and XMP has none.
    if len(text) > _PACKET_BYTES_MAX or b"<!DOCTYPE" in text:
        return {}
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError):
        return {}
    descriptions = list(root.iter(f"{{{_RDF}}}Description"))
    return {
        name: next(filter(None, (_property(each, key) for each in descriptions)), "") for name, key in names.items()
    }


def _property(description: ElementTree.Element, key: str) -> str:
    simple = description.get(key)
    if simple is not None:
        return _printable(simple)
    node = description.find(key)
    if node is None:
        return ""
    items = list(node.iter(f"{{{_RDF}}}li"))
    if key == _IN_XMP["copyright"] and items:  # the same in several languages
        language = "{http://www.w3.org/XML/1998/namespace}lang"
        items = [next((each for each in items if each.get(language) == "x-default"), items[0])]
    return _printable("; ".join(each.text or "" for each in items) if items else node.text or "")


def _of_iim(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, value in _data_sets(data):
        name = _IN_IIM.get(place)
        if name is not None:
            found[name] = "; ".join(filter(None, (found.get(name), _printable(_text(value)))))
    return found


def _data_sets(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    at = 0
    for _ in range(_DATA_SETS_MAX):
        size = number(data, at + 3, 2)
        if data[at : at + 1] != b"\x1c" or size > 0x7FFF:
            return
        yield (number(data, at + 1, 1), number(data, at + 2, 1)), data[at + 5 : at + 5 + size]
        at += 5 + size


def _of_exif(block: bytes) -> dict[str, str]:
    main = next(exif_directories(block), None)
    if main is None:
        return {}
    creator, copyright_ = (
        "; ".join(filter(None, (_printable(_text(part)) for part in main.bytes_of(tag).split(b"\0"))))
        for tag in (ARTIST, COPYRIGHT)
    )
    return {"creator": creator, "copyright": copyright_}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _printable(text: str) -> str:
    spaced = " ".join(text.split())
    return "".join(each for each in spaced if each.isprintable())[:_CHARACTERS_MAX].strip()
