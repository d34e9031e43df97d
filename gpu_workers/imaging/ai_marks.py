"""What a file says of AI systems that made pixels of it: IPTC's fields of 2025.1, and China's AIGC (GB 45438-2025).

Marks that a source has go on with all that is made of it. A network of ours that makes pixels adds its own.
"""

import json
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from gpu_workers.imaging.containers import Blocks
from gpu_workers.imaging.credits import properties_in

PRODUCER = "Packshot"
_GENERATED = "1"  # GB 45438-2025: 1 is generated, 2 may be, 3 is suspected to be
_AIGC = "http://www.tc260.org.cn/ns/AIGC/1.0/"  # TC260-PG-20258A
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_IN_XMP = {
    "system": f"{{{_IPTC}}}AISystemUsed",
    "version": f"{{{_IPTC}}}AISystemVersionUsed",
    "aigc": f"{{{_AIGC}}}AIGC",
}


@dataclass(frozen=True)
class Marks:
    """Printable text, 500 characters at most each: the AI system used, its version, and the AIGC entry as JSON."""

    system: str = ""
    version: str = ""
    aigc: str = ""


NO_MARKS = Marks()


def marks_in(blocks: Blocks) -> Marks:
    """The marks in a file's XMP."""
    found = [properties_in(packet, _IN_XMP) for packet in blocks.xmp]
    return Marks(**{name: next(filter(None, (each.get(name) for each in found)), "") for name in _IN_XMP})


def with_system(marks: Marks, model: str) -> Marks:
    """The marks of what the network `model`, NAME@VERSION, made pixels of; an AIGC entry of before stays."""
    name, _, version = model.partition("@")
    fields = {"Label": _GENERATED, "ContentProducer": PRODUCER, "ProduceID": model}
    fields |= dict.fromkeys(("ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2"), "")
    return Marks(name, version, marks.aigc or json.dumps(fields, separators=(",", ":")))


def as_rdf(marks: Marks) -> str:
    """Descriptions in XMP's RDF; "" for no marks."""
    named = (("AISystemUsed", marks.system), ("AISystemVersionUsed", marks.version))
    iptc = "".join(f" Iptc4xmpExt:{name}={quoteattr(text)}" for name, text in named if text)
    parts = [f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}"{iptc}/>'] if iptc else []
    if marks.aigc:
        element = f"<TC260:AIGC>{escape(marks.aigc)}</TC260:AIGC>"
        parts.append(f'<rdf:Description rdf:about="" xmlns:TC260="{_AIGC}">{element}</rdf:Description>')
    return "".join(parts)
