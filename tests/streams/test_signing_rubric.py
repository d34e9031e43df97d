"""Signed files against C2PA's asset rubric for conformance 0.2 and specification 2.4 (c2pa-org/conformance-public, of
2026-03-31): its rules, by their ids, as far as they speak of what we write. What is well formed and valid says the
library as it reads; whose key it is, is the customer's.
"""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image

from schemas.records import Action
from streams.blobs import FolderStore
from streams.publishing.renditions import Encoded, render
from streams.publishing.signing.keys import self_made
from streams.publishing.signing.signer import Signing
from tests.streams.shop import Shop
from tests.streams.test_signing import MADE, request

NOT_EDITORIAL = {
    f"c2pa.{name}"
    for name in ("converted", "published", "repackaged", "transcoded", "resized.proportional", "enhanced", "redacted")
}
EXEMPT = {"c2pa.opened", "c2pa.created", "c2pa.placed", *NOT_EDITORIAL}
DEPRECATED = {
    f"c2pa.{name}"
    for name in (
        *("copied", "formatted", "version_updated", "printed", "managed", "produced", "saved"),
        *("color_adjustments", "watermarked"),
    )
}
ALLOWED = {
    f"c2pa.{name}"
    for name in (
        *("opened", "edited", "adjustedColor", "enhanced", "addedText", "placed", "cropped", "removed", "filtered"),
        *("resized.proportional", "resized", "converted", "transcoded", "published"),
    )
}
ASSERTIONS = {"c2pa.actions.v2", "c2pa.ingredient.v3", "c2pa.hash.data", "c2pa.hash.bmff.v3", "c2pa.hash.boxes"}
STANDARD = {"ingredients", "description", "relatedAssertions", "multipleInstances", "redacted"}
ACCEPTED = {"signingCredential.untrusted"}  # the key is self-made

Manifest = dict[str, Any]


def _actions(manifest: Manifest) -> list[dict[str, Any]]:
    return list(manifest["assertions"]["c2pa.actions.v2"]["actions"])


def _created(manifest: Manifest) -> list[str]:
    return [each["url"].rpartition("/")[2] for each in manifest["claim.v2"]["created_assertions"]]


def _names(manifest: Manifest) -> list[str]:
    return [each["action"] for each in _actions(manifest)]


def _parameters(manifest: Manifest) -> set[str]:
    return {name for each in _actions(manifest) for name in each.get("parameters", {})}


# A rule's id and what breaks it: nothing may.
RULES: dict[str, Callable[[Manifest], Sequence[object]]] = {
    "mandatory_dst_for_perceptible_transformations": lambda m: [
        each["action"] for each in _actions(m) if each["action"] not in EXEMPT and "digitalSourceType" not in each
    ],
    "mandatory_spec_version": lambda m: (
        [] if m["claim.v2"]["claim_generator_info"].get("specVersion", "").startswith("2.4.") else ["specVersion"]
    ),
    "mandatory_all_actions_included": lambda m: (
        [] if m["assertions"]["c2pa.actions.v2"].get("allActionsIncluded") is True else ["allActionsIncluded"]
    ),
    "no_dst_for_opened_action": lambda m: [
        each for each in _actions(m) if each["action"] == "c2pa.opened" and "digitalSourceType" in each
    ],
    "inception_action_position": lambda m: (
        []
        if next(each for each in _created(m) if "c2pa.actions" in each) == "c2pa.actions.v2"
        and _names(m)[0] == "c2pa.opened"
        else _names(m)[:1]
    ),
    "no_unsupported_assertions": lambda m: [
        name for name in m["assertions"] if name.startswith("c2pa.") and name not in ASSERTIONS
    ],
    "no_unrecognized_custom_assertions": lambda m: [name for name in m["assertions"] if "." not in name],
    "no_deprecated_actions": lambda m: [name for name in _names(m) if name in DEPRECATED],
    "no_unsupported_actions": lambda m: [name for name in _names(m) if name not in ALLOWED],
    "no_unrecognized_custom_action_parameters": lambda m: [
        name for name in _parameters(m) if name not in STANDARD and "." not in name
    ],
    "active_manifest_urn": lambda m: [] if m["label"].startswith("urn:c2pa:") else [m["label"]],
    "ingredient_v3_no_active_manifest": lambda m: [
        name
        for name, each in m["assertions"].items()
        if "relationship" in each and "activeManifest" not in each and "validationResults" in each
    ],
    "ingredient_relationship_values": lambda m: [
        each["relationship"] for each in m["assertions"].values() if each.get("relationship", "parentOf") != "parentOf"
    ],
    "no_deprecated_claim_fields": lambda m: [name for name in m["claim.v2"] if name == "specVersion"],
    "no_url_in_hashes": lambda m: [
        name for name, each in m["assertions"].items() if name.startswith("c2pa.hash") and "url" in each
    ],
    "opened_action_ingredient_reference": lambda m: [
        each
        for each in _actions(m)
        if each["action"] == "c2pa.opened" and len(each["parameters"].get("ingredients", ())) != 1
    ],
    "well_formed_success, valid_success": lambda m: [
        each["code"] for each in m["validationResults"].get("failure", ()) if each["code"] not in ACCEPTED
    ],
}


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    """By media type, what the files of an asset say after every operation that has a name of its own by C2PA."""
    folder = tmp_path_factory.mktemp("rubric")
    signing = Signing(self_made(folder / "signing"), FolderStore(folder / "blobs"))
    operations = ("style", "upscale", "mockup", "label")
    done = [*MADE.actions, *(Action(operation=each, parameters={"strength": "1"}) for each in operations)]
    event = replace(request(Shop(folder)), provenance=replace(MADE, actions=done))
    files = [file for own in _originals() for file in signing.signed(event, [own, *_some(own)])]
    return {each.media_type: _read(each) for each in files}


def _originals() -> Iterator[Encoded]:
    xmp = b'<x:xmpmeta><a b="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/></x:xmpmeta>'
    for kind, fields in (("JPEG", {"xmp": xmp}), ("PNG", {})):
        stream = io.BytesIO()
        Image.new("RGB", (400, 300), (90, 80, 70)).save(stream, kind, **fields)
        data = stream.getvalue()
        yield Encoded(f"image/{kind.lower()}", 400, 300, data if fields else _with_xmp(data, xmp))


def _with_xmp(png: bytes, xmp: bytes) -> bytes:
    """A PNG with XMP in its text, which is what Pillow writes as `info`."""
    from PIL.PngImagePlugin import PngInfo

    text, stream = PngInfo(), io.BytesIO()
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    Image.open(io.BytesIO(png)).save(stream, "PNG", pnginfo=text)
    return stream.getvalue()


def _some(own: Encoded) -> list[Encoded]:
    """A rendition of each format."""
    return list({each.media_type: each for each in render(own.data, own.media_type)}.values())


def _read(file: Encoded) -> Manifest:
    from c2pa import Reader

    [manifest] = json.loads(Reader(file.media_type, io.BytesIO(file.data)).crjson())["manifests"]
    return dict(manifest)


@pytest.mark.parametrize("rule", RULES)
def test_no_file_breaks_a_rule_of_c2pas_rubric(manifests: dict[str, Manifest], rule: str) -> None:
    assert set(manifests) == {"image/jpeg", "image/png", "image/webp", "image/avif"}
    assert {media_type: found for media_type, each in manifests.items() if (found := RULES[rule](each))} == {}


def test_the_rules_find_what_breaks_them(manifests: dict[str, Manifest]) -> None:
    """What was signed before these rules were kept: gathered, with a name that is no more, and no version."""
    good = manifests["image/jpeg"]
    old = json.loads(json.dumps(good))
    old["claim.v2"]["created_assertions"].append({"url": "c2pa.assertions/c2pa.actions"})
    old["claim.v2"]["created_assertions"].reverse()
    del (
        old["claim.v2"]["claim_generator_info"]["specVersion"],
        old["assertions"]["c2pa.actions.v2"]["allActionsIncluded"],
    )
    old["assertions"]["c2pa.actions.v2"]["actions"][1] |= {"action": "c2pa.color_adjustments"}
    del old["assertions"]["c2pa.actions.v2"]["actions"][1]["digitalSourceType"]
    assert {rule for rule, broken in RULES.items() if broken(old)} == {
        "mandatory_dst_for_perceptible_transformations",
        "mandatory_spec_version",
        "mandatory_all_actions_included",
        "inception_action_position",
        "no_deprecated_actions",
        "no_unsupported_actions",
    }


def test_of_a_history_that_is_not_known_no_claim_says_that_it_is_whole(tmp_path: Path) -> None:
    signing = Signing(self_made(tmp_path / "signing"), FolderStore(tmp_path / "blobs"))
    [own, *_] = _originals()
    [signed] = signing.signed(replace(request(Shop(tmp_path)), provenance=None), [own])
    assert _read(signed)["assertions"]["c2pa.actions.v2"]["allActionsIncluded"] is False
