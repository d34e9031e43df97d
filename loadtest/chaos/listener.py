"""A listing service that hears webhooks: it checks each signature, fails now and then, and remembers what came."""

import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from infra.servers.process import LOOPBACK
from loadtest.chaos.workload import TENANTS
from schemas import topics
from streams.client.webhooks import BadSignature, verified
from streams.consumer import reading
from streams.consumer.registry import codec_of
from streams.facts import Database, Webhooks
from streams.facts.sealing import Sealer
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.integrations import webhooks
from streams.webhooks.noting import message_in

FAILS_ONE_IN = 20  # messages, and that once: the second try comes after 5 s, a third would after 5 min
Message = tuple[str, str, str]  # its tenant, its SKU, its id


class Listener:
    """Serves an endpoint for each tenant, with its secret in `secrets`, on loopback.

    `heard` holds the ids in the order in which they first came.
    """

    def __init__(self) -> None:
        self.heard: dict[str, None] = {}
        self.secrets: dict[str, str] = {}
        self.unsigned = 0
        self.again = 0
        self._failed: set[str] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="listener", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def subscribe(self, settings: Settings) -> None:
        """Asks for everything of every tenant."""
        with webhooks.opened(settings) as known:
            for tenant in TENANTS:
                url = f"http://{LOOPBACK}:{self._server.server_address[1]}/{tenant}"
                added = webhooks.add(known, settings.webhook_private_networks, tenant, url, (), "v1")
                self.secrets[tenant] = added.secrets[0].secret

    def answer(self, tenant: str, headers: dict[str, str], body: bytes) -> int:
        """The status for a delivery: 401 where the signature is none, 500 at the first try of some, else 204."""
        try:
            verified(headers, body, self.secrets[tenant])
        except (BadSignature, KeyError):
            self.unsigned += 1
            return 401
        name = headers["webhook-id"]
        with self._lock:
            if zlib.crc32(name.encode()) % FAILS_ONE_IN == 0 and name not in self._failed:
                self._failed.add(name)
                return 500
            self.again += name in self.heard
            self.heard.setdefault(name)
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(listener.answer(self.path.removeprefix("/"), headers, body))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """A line for each of thousands helps nobody."""

        return Handler


def is_waited_for(settings: Settings) -> bool:
    """Whether deliveries are still to be made. Raises Unavailable."""
    with closing(Database(settings.database)) as database:
        return Webhooks(database, Sealer(settings.sealing_keys)).backlog(now_ms()).count > 0


def published(settings: Settings) -> Iterator[Message]:
    """What was published, each product's in its order; what is no event of ours nobody is told. Raises Unavailable."""
    codec = codec_of(settings)
    for record in reading.read(settings, [topics.PUBLISHED.name]):
        try:
            tenant, message = message_in(record, codec)
        except Refused:
            continue
        yield tenant, message.sku, message.message


def unheard(published: Sequence[Message], heard: Sequence[str]) -> Iterator[str]:
    """Each message that never came, came before an older one of its product, or that nobody published."""
    place = {name: number for number, name in enumerate(heard)}
    last: dict[tuple[str, str], int] = {}
    for tenant, sku, name in published:
        came = place.get(name)
        if came is None:
            yield f"{tenant}|{sku}: {name} was published, and no webhook told of it"
        elif came < last.get((tenant, sku), -1):
            yield f"{tenant}|{sku}: {name} came before what was published earlier"
        else:
            last[tenant, sku] = came
    for name in place.keys() - {name for _, _, name in published}:
        yield f"{name} was heard of, and never published"
