"""The clients: one that waits, one for asyncio. What they send, and how answers are read, is the same."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import msgspec
from msgspec.structs import replace

from streams.client.base import Call, News, Page, behind
from streams.client.records import LineAnswer
from streams.client.tries import TRIES, Events, Outcome, Tries, body_of

T = TypeVar("T")
LINES_AT_ONCE = 500  # of a batch, each request of which is tried again by itself
IDEMPOTENT_BYTES_MAX = 1024 * 1024  # the API holds no larger bodies to tell one request from another
SILENT_S = 60.0  # the API says something every 15 s to whoever listens
DEFAULTS = {"timeout": 30.0}


class _Requests:
    """What both have in common: the address, the headers, how often to try."""

    def __init__(self, url: str, key: str, tenant: str | None, tries: int) -> None:
        self._base = f"{url.rstrip('/')}/v1/"
        self._headers = {"Authorization": f"Bearer {key}"} | ({"Packshot-Tenant": tenant} if tenant else {})
        self._tries = tries

    def _request(self, call: Call[Any]) -> dict[str, Any]:
        """A request, which is the same for every try: a repeat changes nothing."""
        headers = {**self._headers, **call.headers}
        if call.method != "GET" and len(call.body) <= IDEMPOTENT_BYTES_MAX:
            headers["Idempotency-Key"] = str(uuid4())
        request = {"method": call.method, "url": self._base + call.path, "params": dict(call.params)}
        return {**request, "headers": headers, "content": call.body}

    def _listening(self, sku: str | None, events: Events) -> dict[str, Any]:
        request = {"method": "GET", "url": self._base + "events", "params": {"sku": sku} if sku else {}}
        return request | {"headers": {**self._headers, **events.headers}, "timeout": SILENT_S}


class Client(_Requests):
    """The API with a key. A request that may work later is sent `tries` times at most, waiting in between.

    `tenant`: which one is meant, where the key opens several; `options` are httpx's. Raises ClientError.
    """

    def __init__(self, url: str, key: str, tenant: str | None = None, *, tries: int = TRIES, **options: Any) -> None:
        super().__init__(url, key, tenant, tries)
        self._http = httpx.Client(**DEFAULTS | options)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """The answer to a call."""
        request, tries = self._request(call), Tries(self._tries)
        while (again_in_s := tries.again_in_s(outcome := self._outcome(request))) is not None:
            time.sleep(again_in_s)
        return call.result(body_of(outcome))

    def pages(self, call: Call[Page[T]]) -> Iterator[T]:
        """All of many, page by page as they are wanted."""
        left: Call[Page[T]] | None = call
        while left is not None:
            page = self.send(left)
            yield from page.items
            left = None if page.next is None else behind(call, page.next)

    def batch(self, events: Iterable[Mapping[str, Any]]) -> Iterator[LineAnswer]:
        """Sends any number of events, and tells of each what became of it; `line` counts from 1."""
        for call in _batches(events):
            yield from self.send(call)

    def events(self, sku: str | None = None, after: str | None = None) -> Iterator[News]:
        """What happens, without end; goes on where it was cut off. `after` is the id of the last news known."""
        events = Events(after, self._tries)
        while True:
            try:
                with self._http.stream(**self._listening(sku, events)) as answer:
                    if not answer.is_success:
                        answer.read()
                    for line in answer.iter_lines() if events.begins(answer) else ():
                        yield from events.read(line)
            except httpx.TransportError as error:
                events.ended = error
            time.sleep(events.again_in_s())

    def _outcome(self, request: dict[str, Any]) -> Outcome:
        try:
            return self._http.request(**request)
        except httpx.TransportError as error:
            return error


class AsyncClient(_Requests):
    """The same for asyncio."""

    def __init__(self, url: str, key: str, tenant: str | None = None, *, tries: int = TRIES, **options: Any) -> None:
        super().__init__(url, key, tenant, tries)
        self._http = httpx.AsyncClient(**DEFAULTS | options)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """The answer to a call."""
        request, tries = self._request(call), Tries(self._tries)
        while (again_in_s := tries.again_in_s(outcome := await self._outcome(request))) is not None:
            await asyncio.sleep(again_in_s)
        return call.result(body_of(outcome))

    async def pages(self, call: Call[Page[T]]) -> AsyncIterator[T]:
        """All of many, page by page as they are wanted."""
        left: Call[Page[T]] | None = call
        while left is not None:
            page = await self.send(left)
            for each in page.items:
                yield each
            left = None if page.next is None else behind(call, page.next)

    async def batch(self, events: Iterable[Mapping[str, Any]]) -> AsyncIterator[LineAnswer]:
        """Sends any number of events, and tells of each what became of it; `line` counts from 1."""
        for call in _batches(events):
            for answer in await self.send(call):
                yield answer

    async def events(self, sku: str | None = None, after: str | None = None) -> AsyncIterator[News]:
        """What happens, without end; goes on where it was cut off. `after` is the id of the last news known."""
        events = Events(after, self._tries)
        while True:
            try:
                async with self._http.stream(**self._listening(sku, events)) as answer:
                    if not events.begins(answer):
                        await answer.aread()
                    else:
                        async for line in answer.aiter_lines():
                            for news in events.read(line):
                                yield news
            except httpx.TransportError as error:
                events.ended = error
            await asyncio.sleep(events.again_in_s())

    async def _outcome(self, request: dict[str, Any]) -> Outcome:
        try:
            return await self._http.request(**request)
        except httpx.TransportError as error:
            return error


def _batches(events: Iterable[Mapping[str, Any]]) -> Iterator[Call[list[LineAnswer]]]:
    """A call for so many at a time."""
    left, before = iter(events), 0
    while group := list(islice(left, LINES_AT_ONCE)):
        yield _batch(group, before)
        before += len(group)


def _batch(events: Iterable[Mapping[str, Any]], before: int) -> Call[list[LineAnswer]]:
    """NDJSON there and back; `before` are the lines that came before."""

    def read(body: bytes) -> list[LineAnswer]:
        answers = [msgspec.json.decode(line, type=LineAnswer) for line in body.splitlines() if line]
        return [replace(each, line=each.line + before) for each in answers]

    lines, kind = b"\n".join(msgspec.json.encode(each) for each in events), {"Content-Type": "application/x-ndjson"}
    return Call("POST", "products:batch", read, headers=kind, body=lines)
