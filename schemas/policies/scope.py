"""For whom a rule of the content policy counts. Pure."""

import msgspec

from schemas import categories
from schemas.records import Name


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule counts for all, or for some `tenants` or `channels` alone; never for products of the category groups
    `not_of`."""

    not_of: tuple[str, ...] = ()
    tenants: tuple[Name, ...] = ()
    channels: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        if unknown := set(self.not_of) - categories.names():
            raise ValueError(f"`not_of`: there are no {', '.join(sorted(unknown))}")

    def covers(self, tenant: str, channel: str, groups: frozenset[str]) -> bool:
        """Whether it counts for a tenant, on a channel, of a product in these category groups."""
        mine = (not self.tenants or tenant in self.tenants) and (not self.channels or channel in self.channels)
        return mine and groups.isdisjoint(self.not_of)
