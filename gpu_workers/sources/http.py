"""Downloads over HTTP from hosts that nobody trusts.

Addresses are checked after the host name is resolved, and the connection is made to the very address that
was checked, at every redirect anew: neither a redirect nor a second answer of the name service leads inside.
"""

import http.client
import io
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from gpu_workers.sources.errors import (
    BadUri,
    PrivateAddress,
    SourceError,
    SourceForbidden,
    SourceNotFound,
    SourceRefused,
    SourceTimeout,
    SourceTooLarge,
    SourceUnavailable,
)
from schemas.networks import is_public, is_within

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Resolve = Callable[[str, int], list[str]]

_CHUNK_BYTES = 1 << 16
_CHUNK_LINE_BYTES_MAX = 4096
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_FOUND = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 402, 403, 451})
_TRY_AGAIN = frozenset({408, 425, 429})
# What servers pack with. Others stand there by mistake: aws-chunked (an upload's), a character set, nothing at all.
_PACKED = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz", "exi"})
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}")
# Of what an address holds, what may stand in a request as it is (RFC 3986); a % where two hex digits follow.
_UNSAFE = re.compile(r"%(?![0-9a-fA-F]{2})|[^!#$%&'()*+,/:;=?@\[\]A-Za-z0-9_.~-]")
_HEADERS = {"User-Agent": "packshot", "Accept": "image/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """What fetching may cost and reach.

    `private_networks` are CIDR ranges allowed although they are not public; file: addresses may read beneath
    `file_roots`, s3: addresses from `buckets`.
    """

    size_bytes_max: int = 50_000_000
    time_s_max: float = 20.0
    redirects_max: int = 5
    private_networks: tuple[str, ...] = ()
    file_roots: tuple[Path, ...] = ()
    buckets: frozenset[str] = frozenset()


class Deadline:
    """The point in time by which everything must have happened."""

    def __init__(self, uri: str, time_s: float) -> None:
        self._uri = uri
        self._time_s = time_s
        self._ends_at_s = time.monotonic() + time_s

    def left_s(self) -> float:
        """Seconds left, more than 0. Raises SourceTimeout when there are none."""
        left_s = self._ends_at_s - time.monotonic()
        if left_s <= 0:
            raise self.passed()
        return left_s

    def passed(self) -> SourceTimeout:
        """The error that says that the deadline has passed."""
        return SourceTimeout(self._uri, f"not all there after {self._time_s:g} s")


class Readable(Protocol):
    """A file, a response or an S3 body."""

    def read(self, size: int, /) -> bytes: ...


def read(uri: str, stream: Readable, limits: FetchLimits, deadline: Deadline) -> bytes:
    """All of `stream`, in pieces. Raises SourceTooLarge or SourceTimeout as soon as it is clear."""
    data = bytearray()
    while chunk := stream.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > limits.size_bytes_max:
            raise SourceTooLarge(uri, f"more than {limits.size_bytes_max:,} bytes")
        deadline.left_s()
    return bytes(data)


def split(uri: str, target: str) -> SplitResult:
    """`target`, which `uri` is or leads to, in its parts. Raises BadUri."""
    try:
        parts = urlsplit(target.strip())
        _ = parts.port
    except ValueError as error:
        raise BadUri(uri, f"no address that can be read: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise BadUri("", "user names and passwords may not stand in addresses")
    return parts


def resolve(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives for `host`, in its order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def download(uri: str, limits: FetchLimits, deadline: Deadline, resolve: Resolve) -> bytes:
    """The body at `uri`, redirects followed. Raises a SourceError."""
    target = uri
    for _ in range(limits.redirects_max + 1):
        answer = _get(uri, target, limits, deadline, resolve)
        if isinstance(answer, bytes):
            return answer
        target = answer.location
    raise SourceRefused(uri, f"more than {limits.redirects_max} redirects")


@dataclass(frozen=True)
class _Redirect:
    location: str


def _get(uri: str, target: str, limits: FetchLimits, deadline: Deadline, resolve: Resolve) -> bytes | _Redirect:
    parts = split(uri, target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUri(uri, f"leads to {target!r}, which is no http or https address with a host")
    try:
        with closing(_connect(uri, parts, limits, deadline, resolve)) as connection:
            connection.request("GET", _requested(parts), headers=_HEADERS)
            with closing(connection.getresponse()) as response:
                return _answer(uri, target, response, limits, deadline)
    except SourceError:
        raise
    except TimeoutError as error:
        raise deadline.passed() from error
    except (http.client.InvalidURL, UnicodeError) as error:
        raise BadUri(uri, f"no address that can be read: {error}") from error
    except ssl.SSLCertVerificationError as error:
        raise SourceRefused(uri, f"{parts.hostname}: {error.verify_message}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceUnavailable(uri, f"{parts.hostname}: {error or type(error).__name__}") from error


def _requested(parts: SplitResult) -> str:
    """What a request asks for: path and query, with what may not stand in it as it is written as UTF-8 and %XX."""
    path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    return _UNSAFE.sub(lambda unsafe: quote(unsafe[0], safe=""), path)


def _led_to(uri: str, target: str, location: str) -> str:
    """Where a redirect leads. Headers come as Latin-1; an address in one is UTF-8 where it can be. Raises BadUri."""
    with suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    try:
        return urljoin(target, location)
    except ValueError as error:
        raise BadUri(uri, f"leads to {location!r}, which cannot be read: {error}") from error


def _answer(
    uri: str, target: str, response: http.client.HTTPResponse, limits: FetchLimits, deadline: Deadline
) -> bytes | _Redirect:
    if response.status in _REDIRECTS and (location := response.getheader("Location")):
        return _Redirect(_led_to(uri, target, location))
    if response.status != http.client.OK:
        raise _refusal(uri, response)
    if _words(response, "Content-Encoding") & _PACKED:
        raise SourceRefused(uri, "the server packs the picture although asked not to")
    if _words(response, "Transfer-Encoding") - {"chunked", "identity"}:
        raise SourceRefused(uri, "the server sends the picture in a way that nobody asked for")
    lengths = _words(response, "Content-Length")
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise SourceRefused(uri, "the server says several lengths, or one that is no length")
    if response.length is not None and response.length > limits.size_bytes_max:
        raise SourceTooLarge(uri, f"{response.length:,} bytes, the limit is {limits.size_bytes_max:,}")
    data = read(uri, response, limits, deadline)
    if response.length:
        raise SourceUnavailable(uri, f"cut off with {response.length:,} bytes to come")
    return data


def _words(response: http.client.HTTPResponse, header: str) -> set[str]:
    values = ",".join(response.headers.get_all(header, []))
    return {word.strip().lower() for word in values.split(",")} - {""}


def _refusal(uri: str, response: http.client.HTTPResponse) -> SourceError:
    message = f"the server answers {response.status} {response.reason}".rstrip()
    if response.status in _NOT_FOUND:
        return SourceNotFound(uri, message, transient=response.status != http.client.GONE)
    if response.status in _FORBIDDEN:
        return SourceForbidden(uri, message)
    if response.status in _TRY_AGAIN or response.status >= 500:
        return SourceUnavailable(uri, message)
    return SourceRefused(uri, message)


def _connect(
    uri: str, parts: SplitResult, limits: FetchLimits, deadline: Deadline, resolve: Resolve
) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = _resolve_by(deadline, resolve, host, port)
    for address in addresses:
        _check_public(uri, host, address, limits.private_networks)
    stream = _dial(addresses, port, deadline)
    try:
        if parts.scheme == "https":
            stream.settimeout(deadline.left_s())
            stream = _tls().wrap_socket(stream, server_hostname=host)
        # HTTPConnection only writes the Host header here: the socket is ours, and open.
        connection = http.client.HTTPConnection(host, port)
        connection.response_class = _Response
        connection.default_port = 443 if parts.scheme == "https" else 80
        connection.sock = cast(socket.socket, _DeadlineSocket(stream, deadline))
    except BaseException:
        stream.close()
        raise
    return connection


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _resolve_by(deadline: Deadline, resolve: Resolve, host: str, port: int) -> list[str]:
    """The system's resolver knows no deadline: it is asked on a thread that may be left behind."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left_s())
    except queue.Empty:
        raise deadline.passed() from None
    if isinstance(answer, UnicodeError):
        raise OSError(f"no host name: {answer}") from answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def _check_public(uri: str, host: str, address: str, allowed: tuple[str, ...]) -> None:
    if not is_within(address, allowed) and not is_public(address):
        where = f"{host} is {address}, which is not on the public internet"
        raise PrivateAddress(uri, f"{where}; PACKSHOT_SOURCE_PRIVATE_NETWORKS allows it")


def _dial(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    failure: OSError = OSError("the name has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=deadline.left_s())
        except OSError as error:
            failure = error
    raise failure


class _Response(http.client.HTTPResponse):
    """An answer whose chunks have sizes: Python's own takes -1 for one, and reads on without a limit."""

    def _read_next_chunk_size(self) -> int:
        line = self.fp.readline(_CHUNK_LINE_BYTES_MAX)
        size = line.partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise http.client.HTTPException(f"a chunk has no size: {size[:40]!r}")
        return int(size, 16)


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, each time with no more patience than is left until the deadline."""

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        # The socket counts its files, and stays open until the last of them is closed.
        self._file = stream.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        self._stream.settimeout(self._deadline.left_s())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _DeadlineSocket:
    """The little of a socket that http.client uses: slow headers and slow bodies both end at the deadline."""

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._stream, self._deadline))

    def sendall(self, data: bytes) -> None:
        self._stream.settimeout(self._deadline.left_s())
        self._stream.sendall(data)

    def close(self) -> None:
        self._stream.close()
