"""The endpoint of a role's process: /metrics, and how it is."""

import socket
import threading
from collections.abc import Callable, Mapping
from http.server import ThreadingHTTPServer
from typing import Any

import structlog
from prometheus_client import MetricsHandler

from streams.runtime.settings import Settings

REQUEST_WITHIN_S = 10.0  # or whoever opens connections and says nothing would have a thread each, for ever

log = structlog.get_logger()


def serve(
    settings: Settings,
    probes: Mapping[str, Callable[[], list[str]]],
    pages: Mapping[str, Callable[[], bytes]] | None = None,
) -> int:
    """Answers from now on, by threads; the port. On loopback or, with a port set, on every address of IPv4.

    `probes` has for each path what is wrong: 200 where that is nothing, else 503. `pages` has JSON by path. Every other
    path is /metrics.
    """
    host = settings.metrics_host or ("0.0.0.0" if settings.metrics_port else "127.0.0.1")
    handler = type("Handler", (_Handler,), {"probes": probes, "pages": {} if pages is None else pages})
    server = (_Server6 if ":" in host else _Server)((host, settings.metrics_port), handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_address[1])


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - they are the base's names
        """A client that goes away is no error of ours; what else fails is logged, and not printed."""
        log.info("a request for metrics or health failed", exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(MetricsHandler):
    timeout = REQUEST_WITHIN_S
    probes: Mapping[str, Callable[[], list[str]]]
    pages: Mapping[str, Callable[[], bytes]]

    def do_GET(self) -> None:  # noqa: N802 - the base's name
        """What Prometheus or a cluster asks."""
        path = self.path.partition("?")[0]
        if path in self.probes:
            wrong = self.probes[path]()
            text = "".join(f"{each}\n" for each in wrong) or "ok\n"
            self._tell(503 if wrong else 200, "text/plain; charset=utf-8", text.encode())
        elif path in self.pages:
            self._tell(200, "application/json", self.pages[path]())
        else:
            super().do_GET()

    def _tell(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
