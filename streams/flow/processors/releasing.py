"""Releasing: which networks there are, and how operators let them work. What a recalled one made is made again."""

from collections.abc import Collection

import structlog

from gpu_workers.models.manifest import BadManifest, model_in, shipped
from schemas.records import Lane, ModelAdded, ModelReleased, ReplanRequested
from schemas.releases import recalled
from streams.facts import Facts
from streams.flow.processors import Answers
from streams.runtime.errors import Refused

log = structlog.get_logger()


def model_added(event: ModelAdded, facts: Facts) -> Answers:
    """There is one more model. A version never changes what it is."""
    known = facts.models.every().get(event.model)
    if event.model in shipped() or (known is not None and known.manifest != event.manifest):
        message = f"{event.model} is known with another manifest; a change needs another version"
        raise Refused("version_conflict", message, field="model")
    try:
        model_in(event)
    except BadManifest as error:
        raise Refused("bad_manifest", str(error), field="manifest") from error
    facts.models.put(event)
    return []


def model_released(event: ModelReleased, facts: Facts) -> Answers:
    """A model's stage. The workers look at the facts."""
    if event.model not in shipped() and event.model not in facts.models.every():
        raise Refused("unknown_model", f"no model is called {event.model}; add it first", field="model", transient=True)
    facts.models.put_release(event)
    log.info("released", model=event.model, stage=event.stage, share=event.share, tenants=event.tenants)
    return []


def made_by_recalled(models: Collection[str], facts: Facts) -> list[str]:
    """Those of `models` that are recalled."""
    return sorted(recalled(facts.models.releases()).intersection(models)) if models else []


def made_again(tenant: str, sku: str, lane: Lane, models: Collection[str]) -> ReplanRequested:
    """The request to make a product again because of these models."""
    return ReplanRequested(tenant=tenant, sku=sku, lane=lane, reason=f"{', '.join(models)} was recalled")
