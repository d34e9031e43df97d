"""`Idempotency-Key`: a repeat of a request gets the first one's answer, and nothing is done again for it.

Answers are kept for a day. Those that say that something is away are not: the repeat is worked on.
"""

import asyncio
import re
from typing import Any

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from schemas.identity import content_id
from streams.api.gateway import Gateway
from streams.api.problems import Problem
from streams.facts.answers import ApiAnswer, ApiAnswers
from streams.runtime.clock import now_ms

BODY_MAX_BYTES = 1024 * 1024  # of what is held to tell one request from another
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SHOWN_ONCE = re.compile(r"/v1/webhooks(/[^/]+/rotation)?")  # answers with secrets, which nobody is to keep
# A batch's lines are each idempotent by their versions; pictures are by all that is asked for.
BY_CONTENT = frozenset({"/v1/products:batch", "/v1/cutouts", "/v1/packshots", "/v1/mockups", "/v1/renders"})
AT_WORK_RETRY_AFTER_S = 16  # our client's four waits outlast the minute for which a dead gateway's request counts
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Idempotent:
    """Heeds the header on whatever changes something."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application, behind the one that knows the caller."""
        asgi: Any = scope
        key = dict(scope["headers"]).get(b"idempotency-key")
        if key is None or asgi.get("user") is None or asgi["method"] not in METHODS or asgi["path"] in BY_CONTENT:
            await self._app(scope, receive, send)
            return
        text = key.decode("latin-1")
        if not _KEY.fullmatch(text):
            raise Problem("bad_idempotency_key", field="Idempotency-Key")
        await self._once(text, scope, receive, send)

    async def _once(self, key: str, scope: Any, receive: Receive, send: Send) -> None:
        gateway: Gateway = scope["litestar_app"].state.gateway
        answers, tenant = ApiAnswers(gateway.database), scope["user"].tenant
        body = await _body(receive)
        parts = (scope["user"].key.key_id, scope["method"], scope["path"], scope["query_string"].decode(), body.hex())
        request = content_id("request", *parts)
        known = await asyncio.to_thread(answers.begin, tenant, key, request, now_ms())
        if known is not None:
            await _repeat(known, request, send)
            return
        kept = _Kept()
        try:
            await self._app(scope, _again(body, receive), kept)
        finally:
            try:
                is_shown_once = kept.status < 400 and SHOWN_ONCE.fullmatch(scope["path"])
                if kept.is_final and not is_shown_once:
                    answer = ApiAnswer(request, kept.status, msgspec.msgpack.encode(kept.headers), bytes(kept.body))
                    await asyncio.to_thread(answers.end, tenant, key, answer)
                else:
                    await asyncio.to_thread(answers.forget, tenant, key)
            finally:
                await kept.pass_on(send)  # whoever has an answer, and asks again at once, is to get the same


class _Kept:
    """Keeps an answer, and sends it once it is told to."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()

    @property
    def is_final(self) -> bool:
        """Whether a repeat is to have the same answer: not that something is away, or that it was asked too often."""
        return 0 < self.status < 500 and self.status != 429

    async def __call__(self, message: Message) -> None:
        sent: Any = message
        if sent["type"] == "http.response.start":
            self.status, self.headers = sent["status"], [(bytes(n), bytes(v)) for n, v in sent["headers"]]
        else:
            self.body += sent.get("body", b"")
        self._messages.append(message)

    async def pass_on(self, send: Send) -> None:
        """Sends it."""
        for each in self._messages:
            await send(each)


async def _repeat(known: ApiAnswer, request: str, send: Send) -> None:
    if known.request != request:
        raise Problem("idempotency_mismatch", field="Idempotency-Key")
    if known.status is None:
        raise Problem("idempotency_in_progress", field="Idempotency-Key", retry_after_s=AT_WORK_RETRY_AFTER_S)
    headers = msgspec.msgpack.decode(known.headers, type=list[tuple[bytes, bytes]])
    start: Any = {"type": "http.response.start", "status": known.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": known.body, "more_body": False})


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        part: Any = await receive()
        body += part.get("body", b"")
        if len(body) > BODY_MAX_BYTES:
            raise Problem("body_too_large", f"with an Idempotency-Key a body has at most {BODY_MAX_BYTES} bytes")
        if not part.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    left = [body]

    async def again() -> Any:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again
