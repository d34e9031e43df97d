"""The rulebook: the rules of every channel that count, those that ship and those that an installation released. Pure.

Everybody who plans, makes or judges pictures asks the same one, which comes with the cookbook: so nobody goes by
another version than the others.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from schemas import channels
from schemas.channels import Channel, UnknownChannel
from schemas.errors import InputError
from schemas.text import explained


class BadChannel(InputError, ValueError):
    """Rules that are none, by today's format; the message names the field."""

    code = "bad_channel"


@dataclass(frozen=True, eq=False)
class Rulebook:
    """`released` are the files, as YAML by channel, that count in the place of those that ship, or beside them."""

    released: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """The channels that have rules, sorted."""
        return tuple(sorted({*channels.names(), *self.released}))

    def load(self, name: str, category: str = "") -> Channel:
        """The rules of a channel for products of a category. Raises UnknownChannel, BadChannel."""
        if name in self.released:
            return parse(self.released[name], category)
        if name not in channels.names():
            raise UnknownChannel(f"no channel is called {name!r}; there are: {', '.join(self.names())}")
        return channels.load(name, category)

    def lineage(self, names: Collection[str]) -> str | None:
        """What a lineage begins with: the released rules of these channels, or None where all go by those that ship."""
        refs = sorted(self.load(name).rule_version for name in self.released.keys() & set(names))
        return ",".join(refs) or None


SHIPPED = Rulebook()


@lru_cache(4096)  # categories are the tenants' own words
def parse(text: str, category: str = "") -> Channel:
    """The rules in a YAML file's text. Raises BadChannel."""
    try:
        return channels.parse(text.encode(), category)
    except msgspec.DecodeError as error:
        raise BadChannel(explained(str(error))) from error
