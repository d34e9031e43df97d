"""What a signed file says of itself, as a C2PA manifest: pure, from a request to what is written.

`c2pa.opened` with the photograph comes first, by the manifest's intent; then what was done, step by step; then what
made a rendition of the picture. Nothing says when, where a photograph lies, or which version of the product it is: so
the same picture makes the same claim.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from schemas.disclosures.ledger import ledger
from schemas.identity import content_id
from schemas.records import Action, Provenance, PublishRequested
from streams.publishing.renditions import Encoded

AGENT = {"name": "Packshot", "version": version("packshot")}
# The specification that a claim is held to: `tests/streams/test_signing_rubric.py` has C2PA's rules for it.
GENERATOR = {**AGENT, "specVersion": "2.4.0"}
ACTIONS = "c2pa.actions.v2"
OURS = "org.packshot"  # before the names of parameters and assertions that C2PA does not define
LEDGER = f"{OURS}.ledger"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
UNKNOWN_PHOTOGRAPH = {
    "title": "photograph",
    "format": "application/octet-stream",
    "relationship": "parentOf",
    "instance_id": "urn:packshot:unknown",
}
CLAIM = "2"  # rises with what a claim says: a picture that goes live again is then signed anew

# C2PA's name of what an operation does; where it has none, `c2pa.edited`.
_NAMES = {"style": "c2pa.adjustedColor", "upscale": "c2pa.enhanced", "label": "c2pa.addedText"}
# In XMP, where a mark ends the term; a C2PA manifest names such terms, too, and there nothing does.
_SOURCE_TYPE = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{1,64})[\"'<]")


def source_type_in(file: bytes) -> str:
    """IPTC's term for how a picture was made, as the file of an asset says it in XMP, or ""."""
    found = _SOURCE_TYPE.search(file)
    return found[1].decode() if found else ""


def claim(event: PublishRequested, source_type: str) -> dict[str, Any]:
    """What all files of an asset say: title, ingredient, actions and ledger."""
    provenance = event.provenance or Provenance()
    actions = {"actions": [*_actions(provenance, source_type)], "allActionsIncluded": event.provenance is not None}
    return {
        "claim_generator_info": [GENERATOR],
        "title": event.asset,
        "ingredients": [_photograph(provenance)],
        "assertions": [_created(ACTIONS, actions), _created(LEDGER, _ledger(event))],
    }


def claim_id(event: PublishRequested, key: str) -> str:
    """The id of what an asset's files say, and by which key: with another they are signed anew."""
    claimed = [event.asset, event.provenance, event.models]
    return content_id("claim", CLAIM, AGENT["version"], key, claimed)


def of_file(whole: dict[str, Any], own: Encoded, file: Encoded) -> dict[str, Any]:
    """The claim for one file: with what made a rendition of the asset's `own`, and that it is published."""
    actions, *others = whole["assertions"]
    made = [*actions["data"]["actions"], *_rendered(own, file), {"action": "c2pa.published", "softwareAgent": AGENT}]
    assertions = [_created(actions["label"], {**actions["data"], "actions": made}), *others]
    return {**whole, "format": file.media_type, "assertions": assertions}


def _created(label: str, data: dict[str, Any]) -> dict[str, Any]:
    """An assertion of ours: one that is only gathered would be the word of somebody who is not named."""
    return {"label": label, "data": data, "created": True}


def _photograph(provenance: Provenance) -> dict[str, Any]:
    """What was opened, by its digest; not where it lies, and not itself."""
    digest = provenance.photograph
    return UNKNOWN_PHOTOGRAPH | ({"instance_id": f"urn:sha256:{digest}"} if digest else {})


def _actions(provenance: Provenance, source_type: str) -> Iterator[dict[str, Any]]:
    for each in provenance.actions:
        yield _action(each, source_type)
    if provenance.retouched:
        yield {"action": "c2pa.edited", "description": "a person's retouch", "digitalSourceType": _term("humanEdits")}


def _action(done: Action, source_type: str) -> dict[str, Any]:
    parameters = {f"{OURS}.{name}": text for name, text in done.parameters.items() if "://" not in text}
    if done.model is not None:
        parameters[f"{OURS}.model"] = done.model
    if done.model_sha256 is not None:
        parameters[f"{OURS}.model_sha256"] = done.model_sha256
    action: dict[str, Any] = {
        "action": _NAMES.get(done.operation, "c2pa.edited"),
        "description": done.operation,
        "softwareAgent": AGENT,
        "parameters": parameters,
    }
    return action | ({"digitalSourceType": _term(source_type)} if source_type else {})


def _rendered(own: Encoded, file: Encoded) -> Iterator[dict[str, Any]]:
    if file.role:
        return  # made and judged beside the picture, by the same step: it is no rendition of it
    if (file.width_px, file.height_px) != (own.width_px, own.height_px):
        size = {f"{OURS}.width_px": str(file.width_px), f"{OURS}.height_px": str(file.height_px)}
        yield {"action": "c2pa.resized.proportional", "softwareAgent": AGENT, "parameters": size}
    if file.media_type != own.media_type:
        yield {"action": "c2pa.converted", "softwareAgent": AGENT, "parameters": {f"{OURS}.from": own.media_type}}


def _ledger(event: PublishRequested) -> dict[str, Any]:
    found = ledger(event.provenance, event.models)
    data: dict[str, Any] = {"models": list(event.models), "statement": found.statement}
    return data if found.generative is None else {**data, "generative_models": list(found.generative)}


def _term(name: str) -> str:
    return SOURCE_TYPES + name
