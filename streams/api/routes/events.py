"""What happens to products, as it happens: server-sent events, which go on where they were cut off.

They have no end, unless `Prefer: wait=N` says for how long somebody listens: with 0 it is what has happened until now.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, HeaderParameter
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from schemas.decoding import prepare
from streams.api import preferences
from streams.api.callers import Asking, Caller
from streams.services.submitting.progress import NewsItem

SOON_S = 0.001  # what is there already is taken in no time; with none at all nothing would be
BEAT_S = 15.0  # a comment, so that proxies keep the connection
WAITING_MAX = 1000  # news that a listener has not taken; one that is slower is cut off, and comes again


class ServerSent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of the stream: `event` is its type; `data` is JSON, and `{}` where the type is `reset`.

    The stream begins with an id alone, unless it goes on.
    """

    event: str
    data: str
    id: str = ""


TOLD = ResponseSpec(ServerSent, False, "What happens, without an end.", "text/event-stream")


@get("/v1/events", opt={"scope": "read"}, responses={200: TOLD})
async def follow_events(
    caller: Asking,
    sku: FromQuery[str | None] = None,
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", description="Goes on behind this event.")
    ] = None,
    prefer: Annotated[
        str | None, HeaderParameter(name="Prefer", description="`wait=N`: ends after N seconds, else it has no end.")
    ] = None,
) -> ServerSentEvent:
    """What happens to the tenant's products, or to one: `reset` first where too much happened since the last event."""
    return ServerSentEvent(_events(caller, sku, last_event_id, preferences.wait_s(prefer)))


async def _events(
    caller: Caller, sku: str | None, after: str | None, for_s: int | None
) -> AsyncIterator[ServerSentEventMessage]:
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[NewsItem | None]()
    until_s = math.inf if for_s is None else loop.time() + for_s

    def put(item: NewsItem | None) -> None:
        if queue.qsize() <= WAITING_MAX:  # who takes nothing, but keeps the connection, is told nothing more
            queue.put_nowait(item)

    def listener(item: NewsItem | None) -> None:
        if item is None or (item.news.tenant == caller.tenant and sku in (None, item.news.sku)):
            loop.call_soon_threadsafe(put, item)

    is_known, newest = await asyncio.to_thread(caller.gateway.progress.listen, listener, after)
    try:  # who is cut off before anything happens goes on from here, too
        yield ServerSentEventMessage(comment="packshot", id=newest if after is None else None, data=None)
        if not is_known:
            yield ServerSentEventMessage(event="reset", id=newest, data="{}")
        while queue.qsize() <= WAITING_MAX:
            if queue.empty() and loop.time() >= until_s:
                return
            try:
                item = await asyncio.wait_for(queue.get(), max(min(BEAT_S, until_s - loop.time()), SOON_S))
            except TimeoutError:
                yield ServerSentEventMessage(comment="", data=None)
                continue
            if item is None:
                return
            yield ServerSentEventMessage(id=item.id, event=item.news.type, data=msgspec.json.encode(item.news).decode())
    finally:
        caller.gateway.progress.leave(listener)


prepare(ServerSent)

ROUTES: tuple[Any, ...] = (follow_events,)
