"""Categories: to which groups of goods a catalogue's own words for them belong, as data beside this module."""

import re
from functools import cache, lru_cache
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.decoding import prepare

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_PLURALS = ("s", "es")

Words = Annotated[tuple[str, ...], Meta(min_length=1)]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    worn: Words
    groups: dict[str, Words]

    def __post_init__(self) -> None:
        for name in self.worn:
            if name not in self.groups:
                raise ValueError(f"`worn` names {name!r}, which is none of `groups`")


def names() -> frozenset[str]:
    """The groups there are."""
    return frozenset(_file().groups)


@lru_cache(4096)  # categories are the tenants' own words
def groups(category: str) -> frozenset[str]:
    """The groups that `category` (free text, or empty) belongs to: "Men's T-Shirts" to clothing."""
    own = set(_WORD.findall(category.casefold()))
    own |= {part for word in own for part in word.split("-")}
    stems = own | {word.removesuffix(plural) for word in own for plural in _PLURALS}
    return frozenset(name for name, words in _file().groups.items() if stems.intersection(words))


def is_worn(category: str) -> bool:
    """Whether goods of `category` are worn, so that whoever is seen with them wears them."""
    return not groups(category).isdisjoint(_file().worn)


@cache
def _file() -> _File:
    from schemas import documents  # with a reader of YAML, which most commands do without

    return documents.decode((resources.files("schemas") / "categories.yaml").read_bytes(), _File)


prepare(_File)
