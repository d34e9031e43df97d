"""Stand-ins of shops: what they sell, what of ours stands there, and their API on loopback, held to their schema."""

import email
import email.policy
import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from graphql import GraphQLSchema, build_schema, graphql_sync

from streams.facts import Connector

DIGEST = re.compile(r"packshot-([0-9a-f]{16})-")
Headers = dict[str, str]
Answer = tuple[int, Headers, bytes]


@dataclass
class Medium:
    """A picture at a product."""

    id: str
    name: str
    alt: str = ""
    data: bytes = b""


@dataclass
class Product:
    """A product as the shop has it."""

    id: str
    sku: str
    title: str
    updated_ms: int
    media: list[Medium] = field(default_factory=list)


class StandIn(ABC):
    """A shop that is put in order by hand. Whoever writes to it counts in `writes`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.products: dict[str, Product] = {}
        self.writes = 0
        self.url = ""
        self.now_ms = 0
        self._ids = iter(range(1000, 10**6))

    @abstractmethod
    def connector(self) -> Connector:
        """A connector to it."""

    @abstractmethod
    def hook(self, product: str, at_ms: int, hook: str = "h-1", *, forged: bool = False) -> tuple[Headers, bytes]:
        """A hook about a product, as the shop sends it at a time; `forged`: by somebody who lacks the secret."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Its API."""
        raise NotImplementedError

    def put(self, product: str, title: str, at_ms: int, photographs: tuple[str, ...] = ("front.jpg",)) -> None:
        """A person in the shop adds a product, or changes it; the pictures that we put there stay."""
        known = self.products.get(product)
        mine = [each for each in known.media if DIGEST.search(each.name)] if known else []
        theirs = [Medium(self.id(), name) for name in photographs]
        self.products[product] = Product(product, f"SKU-{product}", title, at_ms, [*mine, *theirs])

    def remove(self, product: str) -> None:
        """A person in the shop deletes a product."""
        del self.products[product]

    def shown(self, product: str) -> list[str]:
        """The beginnings of the digests of our pictures at a product, in order."""
        found = (DIGEST.search(each.name) for each in self._media(product))
        return [each[1] for each in found if each]

    def theirs(self, product: str) -> list[str]:
        """The shop's own pictures at a product, in order."""
        return [each.name for each in self._media(product) if not DIGEST.search(each.name)]

    def id(self) -> str:
        """A number that nothing has yet."""
        return str(next(self._ids))

    def wrote(self, product: str) -> None:
        """Somebody wrote to a product by the API; the shop notes when."""
        self.writes += 1
        self.products[product].updated_ms += 1000

    def _media(self, product: str) -> list[Medium]:
        return self.products[product].media if product in self.products else []


@contextmanager
def serving(shop: StandIn) -> Iterator[None]:
    """Its API at `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, sent_headers, content = shop.answer(self.command, self.path, headers, body)
            self.send_response(status)
            for name, value in {**sent_headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class GraphQL:
    """A GraphQL API by its schema: what does not fit it is an error, as in the shop itself."""

    def __init__(self, schema: str, root: Mapping[str, Any]) -> None:
        self._schema = _built(schema)
        self._root = root

    def answer(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """The answer to a request, JSON or multipart."""
        view = json.loads(body) if headers["content-type"].startswith("application/json") else _uploaded(headers, body)
        done = graphql_sync(self._schema, view["query"], dict(self._root), variable_values=view.get("variables"))
        return json.dumps(done.formatted).encode()


@cache
def _built(schema: str) -> GraphQLSchema:
    """A shop's schema, ready to hold questions and answers to it; making it of its text takes half a second."""
    return build_schema(schema)


def parts(headers: Mapping[str, str], body: bytes) -> dict[str, tuple[str | None, bytes]]:
    """The parts of a form: their files' names and what is in them."""
    whole = f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body
    message = email.message_from_bytes(whole, policy=email.policy.HTTP)
    found: dict[str, tuple[str | None, bytes]] = {}
    for part in message.iter_parts():
        name, data = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        assert isinstance(data, bytes)
        found[str(name)] = (part.get_filename(), data)
    return found


def _uploaded(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """By the GraphQL multipart request specification."""
    form = parts(headers, body)
    view: dict[str, Any] = json.loads(form["operations"][1])
    for number, places in json.loads(form["map"][1]).items():
        for place in places:
            *path, last = place.split(".")
            at: Any = view
            for step in path:
                at = at[int(step)] if isinstance(at, list) else at[step]
            at[int(last) if isinstance(at, list) else last] = form[number]
    return view


def iso(at_ms: int) -> str:
    """A time as APIs tell it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def path_of(url: str) -> str:
    """What a request for an address asks for."""
    return urlsplit(url).path
