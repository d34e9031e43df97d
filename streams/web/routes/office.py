"""The office: keys and webhooks, to be read. Who changes them does so by `packshot keys` and `packshot webhooks`."""

from typing import Any

from litestar import Response, get

from streams.facts import Webhooks
from streams.facts.keys import ApiKeys
from streams.facts.sealing import Sealer
from streams.runtime.clock import now_ms
from streams.web.pages import page
from streams.web.visitors import VIEW, Looking


@get("/desk/{tenant:str}/keys", opt=VIEW, sync_to_thread=True)
def list_keys(visitor: Looking) -> Response[str]:
    """The keys that open the tenant, never themselves."""
    now = now_ms()
    known = [key for key in ApiKeys(visitor.place.database).every() if visitor.tenant in key.tenants]
    return page(visitor, "keys", keys=sorted(known, key=lambda key: (not key.is_valid(now), key.name)), now_ms=now)


@get("/desk/{tenant:str}/webhooks", opt=VIEW, sync_to_thread=True)
def list_webhooks(visitor: Looking) -> Response[str]:
    """The endpoints that are told of the tenant's pictures, and how deliveries went."""
    webhooks = Webhooks(visitor.place.database, Sealer(visitor.place.settings.sealing_keys))
    rows = [(each, webhooks.counts(each.endpoint)) for each in webhooks.endpoints(visitor.tenant)]
    return page(visitor, "webhooks", rows=rows)


ROUTES: tuple[Any, ...] = (list_keys, list_webhooks)
