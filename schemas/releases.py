"""Releases: which network works for which product, by what operators decided. Pure; the same on every machine.

Where a model stands is said by the last event about it. Of several stable ones the last that was made so works, and
when it is withdrawn the one before it works again. A canary or a shadow counts until another model becomes stable.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.records import ModelReleased

AHEAD_MAX_MS = 3_600_000  # of a sender's clock to the broker's: those that are kept are off by far less than an hour


@dataclass(frozen=True)
class ModelSplit:
    """How the models of one operation stand: `stable` ones, as NAME@VERSION, the one that works first.

    The first `kept` of them are held ready.
    """

    stable: tuple[str, ...]
    canary: ModelReleased | None = None
    shadow: ModelReleased | None = None
    recalled: frozenset[str] = frozenset()
    kept: int = 1

    def choose(self, tenant: str, sku: str) -> str | None:
        """The model that works for a product; None when none may."""
        if self.canary is not None and _is_meant(self.canary, tenant, sku):
            return self.canary.model
        return self.stable[0] if self.stable else None

    def beside(self, tenant: str, sku: str) -> str | None:
        """The model that works beside it, compared and not used, if one does."""
        return self.shadow.model if self.shadow is not None and _is_meant(self.shadow, tenant, sku) else None

    @property
    def trials(self) -> tuple[str, ...]:
        """The models on trial."""
        return tuple(release.model for release in (self.canary, self.shadow) if release is not None)


def split_of(releases: Sequence[ModelReleased], default: Sequence[str]) -> ModelSplit:
    """How the models stand after `releases`, oldest first; `default` works where no stable one is left."""
    newest_first = _last(releases)[::-1]
    stable = [release.model for release in newest_first if release.stage == "stable"]
    since = next((place for place, release in enumerate(newest_first) if release.stage == "stable"), len(newest_first))
    trials = newest_first[:since]
    withdrawn = {release.model for release in newest_first if release.stage == "withdrawn"}
    return ModelSplit(
        stable=tuple(dict.fromkeys([*stable, *(model for model in default if model not in withdrawn)])),
        canary=next((release for release in trials if release.stage == "canary"), None),
        shadow=next((release for release in trials if release.stage == "shadow"), None),
        recalled=recalled(releases),
    )


def recalled(releases: Sequence[ModelReleased]) -> frozenset[str]:
    """The models that are recalled after `releases`, oldest first, of whatever operation."""
    return frozenset(release.model for release in _last(releases) if release.recall)


def _last(releases: Sequence[ModelReleased]) -> list[ModelReleased]:
    """The last release of each model, oldest first."""
    last: dict[str, ModelReleased] = {}
    for release in releases:
        last.pop(release.model, None)
        last[release.model] = release
    return list(last.values())


def _is_meant(release: ModelReleased, tenant: str, sku: str) -> bool:
    """Whether a product is among the tenants named or, by its hash, within the share: the same ones as it grows."""
    if tenant in release.tenants:
        return True
    place = hashlib.sha256(f"{release.model}|{tenant}|{sku}".encode()).digest()
    return int.from_bytes(place[:8], "big") < release.share * 2**64
