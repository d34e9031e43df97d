"""Requests to shops: bounded in time and size, no redirect followed, and never to an address inside.

Addresses are looked at after the name is resolved, and once more when the connection stands: a name service that
changes its mind in between leads nowhere.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, LocationParseError

from schemas.networks import is_public, is_within
from schemas.text import MESSAGE_MAX, printable
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.masking import masked

TIMEOUT_S = 30.0  # for each part of an answer, however small
ANSWER_S_MAX = 120.0  # for all of it
ANSWER_BYTES_MAX = 64 * 1024 * 1024
AWAY = frozenset({429, 500, 502, 503, 504})
SHOWN = 300  # characters of what a shop says
_PLACE = re.compile(r"^\w+\(host=[^)]*\): ")


@dataclass(frozen=True)
class Upload:
    """A file in a form."""

    name: str
    data: bytes
    media_type: str


@dataclass(frozen=True)
class Answer:
    """What a shop answers, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises Refused where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused("shop_malformed", f"the shop answers {self.status} and no JSON", transient=True) from error


class Client:
    """Requests to one shop or a few; `networks` are allowed although they are not public. For one thread."""

    def __init__(
        self, networks: Sequence[str] = (), timeout_s: float = TIMEOUT_S, answer_s_max: float = ANSWER_S_MAX
    ) -> None:
        self._lines = _Lines()
        self._pools = _Pools(tuple(networks), timeout_s, self._lines)
        self._answer_s_max = answer_s_max

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        form: Sequence[tuple[str, str | Upload]] = (),
        ok: frozenset[int] = frozenset(),
    ) -> Answer:
        """The answer; a body is sent as JSON, a form as multipart.

        Raises Unavailable where there is none, or one that says so (429, 5xx); Refused for any other that is not 2xx
        and not one of `ok`.
        """
        all_headers = {"User-Agent": "packshot", "Accept": "application/json", **(headers or {})}
        sent: dict[str, Any] = {"fields": [_field(*each) for each in form]} if form else {}
        if body is not None:
            sent["body"] = body if isinstance(body, bytes) else json.dumps(body).encode()
            all_headers.setdefault("Content-Type", "application/json")
        answer = self._sent(method, url, all_headers, sent)
        if answer.status in AWAY:
            raise Unavailable(f"{_host(url)} answers {answer.status}: {shown(answer.body)}")
        if not 200 <= answer.status < 300 and answer.status not in ok:
            raise Refused("shop_refuses", f"{_host(url)} answers {answer.status}: {shown(answer.body)}", field="url")
        return answer

    def graphql(self, url: str, query: str, variables: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """The `data` of a GraphQL answer. Raises Refused for errors in it, Unavailable where it says to wait."""
        body = {"query": query, "variables": variables}
        return graphql_data(url, self.request("POST", url, headers=headers, body=body).json())

    def graphql_upload(
        self,
        url: str,
        query: str,
        variables: Mapping[str, Any],
        files: Mapping[str, Upload],
        headers: Mapping[str, str],
    ) -> Any:
        """The same with files, by the GraphQL multipart request specification; `files` by their path in variables."""
        operations = json.dumps({"query": query, "variables": variables})
        places = json.dumps({str(number): [f"variables.{path}"] for number, path in enumerate(files)})
        uploads = [(str(number), file) for number, file in enumerate(files.values())]
        form: list[tuple[str, str | Upload]] = [("operations", operations), ("map", places), *uploads]
        return graphql_data(url, self.request("POST", url, headers=headers, form=form).json())

    def close(self) -> None:
        """Closes the connections."""
        self._pools.clear()

    def _sent(self, method: str, url: str, headers: Mapping[str, str], sent: Mapping[str, Any]) -> Answer:
        ends_at_s = time.monotonic() + self._answer_s_max
        try:
            with self._lines.cut_at(ends_at_s):
                response = self._pools.request(
                    method, url, headers=dict(headers), redirect=False, retries=False, preload_content=False, **sent
                )
                try:
                    data = response.read(ANSWER_BYTES_MAX + 1, decode_content=True)
                finally:
                    response.release_conn()
        except LocationParseError as error:
            raise Refused("bad_url", f"no address that can be read: {masked(str(error))}", field="url") from error
        except (HTTPError, OSError) as error:
            raise Unavailable(f"{_host(url)}: {printable(masked(_why(error)), MESSAGE_MAX)}") from error
        if time.monotonic() >= ends_at_s:  # where it was cut, what is there may look whole
            raise Unavailable(f"{_host(url)}: no whole answer within {self._answer_s_max:g} s")
        if len(data) > ANSWER_BYTES_MAX:
            raise Refused("shop_too_large", f"{_host(url)} answers more than {ANSWER_BYTES_MAX} bytes", field="url")
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, data)


def graphql_data(url: str, answer: Any) -> Any:
    """The `data` of an answer. Raises Refused, Unavailable."""
    found = answer if isinstance(answer, dict) else {}
    errors = found.get("errors") or ([] if found.get("data") else ["no GraphQL answer"])
    if not errors:
        return found["data"]
    errors = errors if isinstance(errors, list) else [errors]
    if any((each.get("extensions") or {}).get("code") == "THROTTLED" for each in errors if isinstance(each, dict)):
        raise Unavailable(f"{_host(url)} asks to wait")
    messages = (str(each.get("message", each) if isinstance(each, dict) else each) for each in errors[:5])
    raise Refused("shop_refuses", f"{_host(url)}: {printable('; '.join(messages), SHOWN)}")


def shown(body: bytes) -> str:
    """The beginning of what a shop says."""
    return printable(masked(body[:SHOWN].decode(errors="replace")), SHOWN)


def _field(name: str, value: str | Upload) -> tuple[str, Any]:
    return (name, (value.name, value.data, value.media_type)) if isinstance(value, Upload) else (name, value)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or "the shop"


class _Lines:
    """The connections of a client, which are cut where a request takes too long.

    Each has a second handle on its socket, for nobody else can reach one in the middle of a handshake, or of the last
    answer before it is closed.
    """

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[HTTPConnection, socket.socket] = WeakKeyDictionary()
        self._closed: list[socket.socket] = []
        self._is_asking = False
        self._lock = threading.RLock()  # a connection may end wherever its client is forgotten

    def add(self, connection: HTTPConnection, stream: socket.socket) -> None:
        """A connection that stands now."""
        with self._lock:
            self._open[connection] = stream.dup()

    def end(self, connection: HTTPConnection) -> None:
        """A connection that is closed; what it still has to say is read until its request ends."""
        with self._lock:
            if (handle := self._open.pop(connection, None)) is not None:
                self._closed.append(handle)
        if not self._is_asking:
            self._clear()

    @contextmanager
    def cut_at(self, ends_at_s: float) -> Iterator[None]:
        """Around a request: whoever waits for its answer then sees the connection end."""
        timer = threading.Timer(max(ends_at_s - time.monotonic(), 0), self._cut)
        timer.daemon = True
        timer.start()
        self._is_asking = True
        try:
            yield
        finally:
            timer.cancel()
            self._is_asking = False
            self._clear()

    def _clear(self) -> None:
        while self._closed:
            self._closed.pop().close()

    def _cut(self) -> None:
        with self._lock:
            for handle in [*self._open.values(), *self._closed]:
                with suppress(OSError):  # it ended by itself
                    handle.shutdown(socket.SHUT_RDWR)


class _Pools(urllib3.PoolManager):
    def __init__(self, networks: tuple[str, ...], timeout_s: float, lines: _Lines) -> None:
        super().__init__(num_pools=4, timeout=urllib3.Timeout(connect=timeout_s / 2, read=timeout_s))
        plain = type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": _checked(HTTPConnection, networks, lines)})
        secure = type(
            "_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": _checked(HTTPSConnection, networks, lines)}
        )
        self.pool_classes_by_scheme = {"http": plain, "https": secure}


def _checked(base: type[HTTPConnection], networks: tuple[str, ...], lines: _Lines) -> type[HTTPConnection]:
    """Connections to addresses that may be called."""

    class Checked(base):  # type: ignore[valid-type,misc]
        def _new_conn(self) -> socket.socket:
            try:
                found = socket.getaddrinfo(self._dns_host, self.port or self.default_port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                raise Unavailable(f"{self.host}: {error}") from error
            for *_, address in found:
                _check(self.host, str(address[0]), networks)
                if base is HTTPConnection and not is_within(str(address[0]), networks):
                    raise Refused("bad_url", f"http://{self.host}: a shop is called by https://", field="url")
            stream: socket.socket = super()._new_conn()
            try:
                _check(self.host, str(stream.getpeername()[0]), networks)
                lines.add(self, stream)
            except BaseException:
                stream.close()
                raise
            return stream

        def close(self) -> None:
            super().close()
            lines.end(self)

    return Checked


def _why(error: Exception) -> str:
    """urllib3's words without the class of ours that they begin with, and the address, which is told before."""
    return _PLACE.sub("", str(error))


def _check(host: str, address: str, networks: tuple[str, ...]) -> None:
    if not is_within(address, networks) and not is_public(address):
        where = f"{host} is {address}, which is not on the public internet"
        raise Refused("private_address", f"{where}; PACKSHOT_CONNECTOR_PRIVATE_NETWORKS allows it", field="url")
