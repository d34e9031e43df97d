"""What a file says of itself by C2PA, and whether it is as it was signed: what `packshot provenance` and a probe read.

The errors are answers here: a file without a manifest, one that was changed, one that is no picture.
"""

import io
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from schemas.decoding import prepare
from streams.publishing.signing.claims import ACTIONS, LEDGER, source_type_in

# trusted: by an authority that was named; valid: unaltered, signed by who is not known; the others say what is wrong.
State = Literal["trusted", "valid", "altered", "unsigned", "unreadable"]
UNALTERED: tuple[State, ...] = ("trusted", "valid")
UNTRUSTED = "signingCredential.untrusted"  # C2PA's code where nothing else is the matter
_VALID, _TRUSTED = "Valid", "Trusted"


class SignedAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action by C2PA's name, what it was in words, and its parameters."""

    action: str
    description: str = ""
    parameters: dict[str, str] = {}
    source_type: str = ""


class FileProvenance(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says. `wrong` are C2PA's codes of what does not hold; `source_type` is what its XMP says."""

    state: State
    wrong: Sequence[str] = ()
    signed_by: str = ""
    common_name: str = ""
    algorithm: str = ""
    title: str = ""
    software: str = ""
    photograph: str = ""
    actions: Sequence[SignedAction] = ()
    statement: str = ""
    source_type: str = ""


def read(file: bytes, media_type: str, anchors: str = "") -> FileProvenance:
    """What a file of `media_type` says; signers are trusted by the authorities in `anchors`, PEM."""
    from c2pa import C2paError, Context, Reader

    source_type = source_type_in(file)
    try:
        with Context.from_dict(_settings(anchors)) as context:
            reader = Reader.try_create(media_type, io.BytesIO(file), context=context)
            if reader is None:
                return FileProvenance(state="unsigned", source_type=source_type)
            with reader:
                return _verified(reader, source_type)
    except C2paError.ManifestNotFound:
        return FileProvenance(state="unsigned", source_type=source_type)
    except (C2paError, AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        # The library takes manifests whose parts have other types than C2PA says.
        return FileProvenance(state="unreadable", wrong=[str(error)], source_type=source_type)


def _settings(anchors: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"version": 1, "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
    return settings | ({"trust": {"user_anchors": anchors}} if anchors else {})


def _verified(reader: Any, source_type: str) -> FileProvenance:
    active, results = reader.get_active_manifest() or {}, reader.get_validation_results() or {}
    wrong = [each["code"] for each in results.get("activeManifest", {}).get("failure", ())]
    signature = active.get("signature_info") or {}
    generator = (active.get("claim_generator_info") or [{}])[0]
    assertions = {each["label"]: each["data"] for each in active.get("assertions") or ()}
    return FileProvenance(
        state=_state(reader.get_validation_state()),
        wrong=wrong,
        signed_by=signature.get("issuer") or "",
        common_name=signature.get("common_name") or "",
        algorithm=signature.get("alg") or "",
        title=active.get("title") or "",
        software=f"{generator.get('name', '')} {generator.get('version', '')}".strip(),
        photograph=next((each.get("instance_id", "") for each in active.get("ingredients") or ()), ""),
        actions=[_action(each) for each in assertions.get(ACTIONS, {}).get("actions", ())],
        statement=str(assertions.get(LEDGER, {}).get("statement", "")),
        source_type=source_type,
    )


def _state(validation: str | None) -> State:
    return "trusted" if validation == _TRUSTED else "valid" if validation == _VALID else "altered"


def _action(action: dict[str, Any]) -> SignedAction:
    texts = {name: value for name, value in (action.get("parameters") or {}).items() if isinstance(value, str)}
    return SignedAction(
        action=str(action.get("action", "")),
        description=str(action.get("description", "")),
        parameters=texts,
        source_type=str(action.get("digitalSourceType", "")).rpartition("/")[2],
    )


prepare(FileProvenance)
