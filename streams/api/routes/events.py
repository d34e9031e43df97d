"""What happens to products, as it happens: server-sent events, which go on where they were cut off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import FromQuery, HeaderParameter
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from streams.api.callers import Asking, Caller
from streams.services.progress import Told

BEAT_S = 15.0  # a comment, so that proxies keep the connection
WAITING_MAX = 1000  # news that a listener has not taken; one that is slower is cut off, and comes again


@get("/v1/events", opt={"scope": "read"})
async def follow_events(
    caller: Asking,
    sku: FromQuery[str | None] = None,
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", description="Goes on behind this event.")
    ] = None,
) -> ServerSentEvent:
    """What happens to the tenant's products, or to one: `reset` first where too much happened since the last event."""
    return ServerSentEvent(_events(caller, sku, last_event_id))


async def _events(caller: Caller, sku: str | None, after: str | None) -> AsyncIterator[ServerSentEventMessage]:
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[Told | None]()

    def put(item: Told | None) -> None:
        if queue.qsize() <= WAITING_MAX:  # who takes nothing, but keeps the connection, is told nothing more
            queue.put_nowait(item)

    def listener(item: Told | None) -> None:
        if item is None or (item.news.tenant == caller.tenant and sku in (None, item.news.sku)):
            loop.call_soon_threadsafe(put, item)

    is_known = await asyncio.to_thread(caller.gateway.progress.listen, listener, after)
    try:
        yield ServerSentEventMessage(comment="packshot", data=None)
        if not is_known:
            yield ServerSentEventMessage(event="reset", data="{}")
        while queue.qsize() <= WAITING_MAX:
            try:
                item = await asyncio.wait_for(queue.get(), BEAT_S)
            except TimeoutError:
                yield ServerSentEventMessage(comment="", data=None)
                continue
            if item is None:
                return
            yield ServerSentEventMessage(id=item.id, event=item.news.type, data=msgspec.json.encode(item.news).decode())
    finally:
        caller.gateway.progress.leave(listener)


ROUTES: tuple[Any, ...] = (follow_events,)
