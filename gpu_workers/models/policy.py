"""Which models a worker holds ready: those that operators released, the newest of a name, or one that is pinned."""

from collections.abc import Iterable, Sequence

from gpu_workers.models.manifest import Model, UnknownModel, version_order
from schemas.records import ModelReleased
from schemas.releases import ModelSplit, recalled, split_of

RELEASED = "released"
LATEST = ":latest-"


def split_by_policy(
    policy: str, default: str, releases: Sequence[ModelReleased], models: Iterable[Model]
) -> ModelSplit:
    """How `models` stand by a policy: `released`, NAME@VERSION, or NAME:latest-N. A recalled one never works.

    By `released` it is as `releases` say, oldest first, and `default` works until one does. By the others releases mean
    nothing but that: one model is pinned, or the newest of a name works and the N newest are held ready.
    Raises UnknownModel for a name without a version.
    """
    if policy == RELEASED:
        return split_of(releases, [default])
    gone = recalled(releases)
    if LATEST not in policy:
        return ModelSplit(tuple({policy} - gone), recalled=gone)
    name, _, count = policy.partition(LATEST)
    versions = sorted((model for model in models if model.name == name), key=version_order, reverse=True)
    if not versions:
        raise UnknownModel(f"no model is called {name!r}")
    return ModelSplit(tuple(model.ref for model in versions if model.ref not in gone), recalled=gone, kept=int(count))
