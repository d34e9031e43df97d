"""Answers that the caller has already: 304, by the ETag of the body where the route gave none."""

import hashlib
from collections.abc import MutableSequence
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

BODY_MAX_BYTES = 4 * 1024 * 1024  # what is larger, or comes in pieces, goes as it is


class Conditional:
    """Gives every answer to a GET of JSON an ETag, and leaves out what `If-None-Match` names."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        asgi: Any = scope
        if asgi["type"] != "http" or asgi["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = [value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"]
        await self._app(scope, receive, _Answer(send, known))


class _Answer:
    """Keeps an answer's start until its body is there."""

    def __init__(self, send: Send, known: list[str]) -> None:
        self._send = send
        self._known = {tag.strip().removeprefix("W/") for each in known for tag in each.split(",")}
        self._start: Any = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_json(message):
            self._start = message
            return
        if self._start is not None and message["type"] == "http.response.body":
            start, self._start = self._start, None
            if message.get("more_body") or len(message.get("body", b"")) > BODY_MAX_BYTES:
                await self._send(start)
            elif self._is_known(start, message.get("body", b"")):
                headers = [
                    each for each in start["headers"] if each[0].lower() not in (b"content-length", b"content-type")
                ]
                await self._send({"type": "http.response.start", "status": 304, "headers": headers})
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            else:
                await self._send(start)
        await self._send(message)

    def _is_known(self, start: Any, body: bytes) -> bool:
        headers: MutableSequence[tuple[bytes, bytes]] = start["headers"]
        given = [value.decode("latin-1") for name, value in headers if name.lower() == b"etag"]
        tag = given[0] if given else f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if not given:
            said = any(name.lower() == b"cache-control" for name, _ in headers)
            cached = [] if said else [(b"cache-control", b"private, no-cache")]
            start["headers"] = [*headers, (b"etag", tag.encode()), *cached]
        return tag in self._known or "*" in self._known


def _is_json(message: Any) -> bool:
    types = [value for name, value in message["headers"] if name.lower() == b"content-type"]
    return message["status"] == 200 and any(each.startswith(b"application/json") for each in types)
