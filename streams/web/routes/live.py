"""What changes on a page while somebody looks, told as it does: server-sent events, one stream a page.

A stream ends by itself after a while and the browser asks again, so that a session that has ended hears no more.
Whoever gets none asks for the parts every few seconds, as pages do without it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from litestar import get
from litestar.params import FromQuery
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from markupsafe import escape

from streams.blobs import StoreError
from streams.runtime.errors import Unavailable
from streams.services.review import cases
from streams.web.pages import NotHere, NotYours, error_texts, part
from streams.web.routes.flow import lanes_of, letters_of, readers_of
from streams.web.visitors import VIEW, Looking, Visitor

LIVES_S = 60.0  # a session that has ended hears no longer
AGAIN_AFTER_MS = 2000
STREAMS_MAX = 200  # of a gateway: each asks the database once in two seconds
TICK_S = 0.5  # between looks at whether something is due, or the gateway ends
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # proxies pass it on as it comes

log = structlog.get_logger()


@dataclass(frozen=True)
class Part:
    """A part of a page: what makes it, how often it is looked at, and whose it is to see."""

    made: Callable[[Visitor, cases.Wanted], str]
    every_s: float
    role: str = "viewer"


PARTS: Mapping[str, Part] = {
    "lanes": Part(lambda visitor, _: part(visitor, "flow_lanes", **lanes_of(visitor)), 2.0),
    "readers": Part(
        lambda visitor, _: part(visitor, "flow_readers", readers=readers_of(visitor.place.settings)), 10.0, "operator"
    ),
    "letters": Part(lambda visitor, _: part(visitor, "flow_letters", **letters_of(visitor)), 30.0),
    "waiting": Part(lambda visitor, wanted: str(cases.count(visitor.place.database, wanted)), 2.0),
}


class _Open:
    """How many streams are open in this process."""

    count = 0


@get("/desk/{tenant:str}/live", opt=VIEW)
async def show_live(
    visitor: Looking,
    parts: FromQuery[str] = "",
    about: FromQuery[str] = "",
    channel: FromQuery[str] = "",
    sku: FromQuery[str] = "",
) -> ServerSentEvent:
    """The parts that are named, with commas between: each when it is asked for, and whenever it is another."""
    names = [name for name in parts.split(",") if name]
    for name in names:
        if name not in PARTS:
            raise NotHere(f"no part is called {name!r}; there are {', '.join(PARTS)}")
        if not visitor.may(PARTS[name].role):
            raise NotYours(f"this needs the role {PARTS[name].role}")
    if _Open.count >= STREAMS_MAX:
        raise Unavailable(f"{STREAMS_MAX} pages are told of what changes: this one has to ask")
    wanted = cases.Wanted(tenant=visitor.tenant, about=about or None, channel=channel or None, sku=sku or None)
    return ServerSentEvent(_stream(visitor, names, wanted), retry_duration=AGAIN_AFTER_MS, headers=HEADERS)


async def _stream(
    visitor: Visitor, names: Sequence[str], wanted: cases.Wanted
) -> AsyncIterator[ServerSentEventMessage]:
    """What all parts tell, as it comes: none waits for another."""
    queue: asyncio.Queue[ServerSentEventMessage | None] = asyncio.Queue()
    following = asyncio.gather(*(_follow(visitor, name, wanted, queue) for name in names))
    following.add_done_callback(lambda ended: _end(ended, queue))
    _Open.count += 1
    try:
        while (message := await queue.get()) is not None:
            yield message
    finally:
        _Open.count -= 1
        following.cancel()


async def _follow(visitor: Visitor, name: str, wanted: cases.Wanted, queue: "asyncio.Queue[Any]") -> None:
    """Tells a part whenever it is another, until the stream ends."""
    ends_at, before = time.monotonic() + LIVES_S, ""
    while time.monotonic() < ends_at and not visitor.place.is_closing:
        made = await asyncio.to_thread(partial(_made, visitor, name, wanted))
        if made != before:
            queue.put_nowait(ServerSentEventMessage(event=name, data=made))
        before, due = made, min(ends_at, time.monotonic() + PARTS[name].every_s)
        while time.monotonic() < due and not visitor.place.is_closing:
            await asyncio.sleep(TICK_S)


def _end(following: "asyncio.Future[Any]", queue: "asyncio.Queue[Any]") -> None:
    error = None if following.cancelled() else following.exception()
    if error is not None and not isinstance(error, asyncio.CancelledError):  # as of a listener who left
        log.error("a stream ended", exc_info=error)
    queue.put_nowait(None)


def _made(visitor: Visitor, name: str, wanted: cases.Wanted) -> str:
    """A part, or why there is none just now."""
    try:
        return PARTS[name].made(visitor, wanted)
    except (Unavailable, StoreError) as error:
        _, _, text = error_texts(error)
        return f'<p class="empty">{escape(text)}</p>'


ROUTES: tuple[Any, ...] = (show_live,)
