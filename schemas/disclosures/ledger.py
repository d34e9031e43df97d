"""The ledger: which networks took part in a picture, what each did, and whether any of them generated what is seen."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec

from schemas.decoding import prepare
from schemas.records import Provenance

Role = Literal["cuts out", "enlarges", "generates"]
# What an operation's network does to pixels. One that cuts out says which of the camera's pixels are the product's, and
# makes none; one of an operation that is not named here is taken to generate.
ROLES: Mapping[str, Role] = MappingProxyType({"cutout": "cuts out", "upscale": "enlarges"})
NONE_GENERATED = "no generative model took part"
UNKNOWN = "it is not known what each network did: the picture was made before that was noted"


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """A network that took part: NAME@VERSION, its graph's digest where it was noted, and what it did."""

    model: str
    sha256: str | None
    operation: str
    role: Role


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The networks that took part in a picture. `generative` are those that made pixels out of nothing, None where that
    is not known of all."""

    took_part: tuple[Took, ...]
    generative: tuple[str, ...] | None
    statement: str


def ledger(provenance: Provenance | None, models: Sequence[str]) -> Ledger:
    """The ledger of a picture in which `models` took part, by its provenance where that was noted."""
    actions = [] if provenance is None else provenance.actions
    took = tuple(
        Took(
            model=each.model,
            sha256=each.model_sha256,
            operation=each.operation,
            role=ROLES.get(each.operation, "generates"),
        )
        for each in actions
        if each.model is not None
    )
    if set(models) - {each.model for each in took}:
        return Ledger(took_part=took, generative=None, statement=UNKNOWN)
    generative = tuple(sorted({each.model for each in took if each.role == "generates"}))
    statement = f"{', '.join(generative)} generated parts of it" if generative else NONE_GENERATED
    return Ledger(took_part=took, generative=generative, statement=statement)


prepare(Ledger)
