"""What every request goes through first: its trace, its count and its time."""

import time
from typing import Any

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry import propagate
from prometheus_client import Counter, Histogram

from streams.api.limits import HEADERS
from streams.runtime.observability import trace_headers, tracer

requests = Counter("packshot_api_requests_total", "Requests of the API", ["method", "route", "status"])
seconds = Histogram("packshot_api_seconds", "Time from a request to the end of its answer", ["method", "route"])
log = structlog.get_logger()


class Traced:
    """Continues the caller's trace (W3C), tells it in the answer, and counts the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        request: Any = scope
        if request["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = str(request["method"])
        with tracer.start_as_current_span(f"HTTP {method}", context=propagate.extract(headers)):
            began_s, status = time.perf_counter(), 0

            async def traced(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [*message["headers"], *_headers(scope)]
                await send(message)

            try:
                await self._app(scope, receive, traced)
            finally:
                _count(scope, method, status, time.perf_counter() - began_s)


def _headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    state: Any = scope.get("state") or {}
    own = {"x-content-type-options": "nosniff", **trace_headers(), **state.get(HEADERS, {})}
    return [(name.encode(), value.encode()) for name, value in own.items()]


def _count(scope: Scope, method: str, status: int, took_s: float) -> None:
    """By the route's template: paths are the callers' own, and without end."""
    asgi: Any = scope
    route = asgi.get("path_template") or "none"
    requests.labels(method, route, str(status)).inc()
    seconds.labels(method, route).observe(took_s)
    log.info("request", method=method, route=route, status=status, took_ms=round(took_s * 1000))
