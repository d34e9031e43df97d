"""Whatever a host sends, fetching ends with the picture or with a typed error, in bounded memory and time."""

import random
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import pytest

from gpu_workers.sources.errors import (
    BadUri,
    NotAnImage,
    SourceError,
    SourceNotFound,
    SourceRefused,
    SourceTimeout,
    SourceTooLarge,
    SourceUnavailable,
)
from gpu_workers.sources.fetch import Fetched, fetch
from gpu_workers.sources.http import FetchLimits

JPEG = b"\xff\xd8\xff" + b"x" * 500
LIMITS = FetchLimits(private_networks=("127.0.0.0/8",), time_s_max=20.0, size_bytes_max=100_000)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Sends = bytes | Callable[[socket.socket], None]


class RawHost:
    """Answers each connection with the next of its answers, byte by byte as given, and closes it."""

    def __init__(self) -> None:
        self.answers: list[Sends] = []
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            self.requests.append(connection.recv(65536).split(b"\r\n")[0])
            sends = self.answers.pop(0)
            if callable(sends):
                sends(connection)
            else:
                connection.sendall(sends)
        except OSError:
            return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def host() -> Iterator[RawHost]:
    made = RawHost()
    yield made
    made.close()


def without_end(piece: bytes, before: bytes = b"") -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(piece)

    return send


BODY = b"%d\r\n\r\n" % len(JPEG) + JPEG
ENDINGS: dict[str, tuple[Sends, type[SourceError]]] = {
    "nothing": (b"", SourceUnavailable),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.9\r\n", SourceUnavailable),
    "no status": (b"HTTP/1.1 \r\n\r\n", SourceUnavailable),
    "a status of words": (b"HTTP/1.1 yes OK\r\n\r\n", SourceUnavailable),
    "a status below 100": (b"HTTP/1.1 042 OK\r\n\r\n", SourceUnavailable),
    "NUL in the reason": (b"HTTP/1.1 400 no\x00thing\x1b[31m\r\n\r\n", SourceRefused),
    "a status line without end": (without_end(b"x" * 9000, b"HTTP/1.1 200 "), SourceUnavailable),
    "a header without end": (without_end(b"x" * 9000, OK + b"X: "), SourceUnavailable),
    "headers without end": (without_end(b"X: y\r\n" * 900, OK), SourceUnavailable),
    "100s without end": (without_end(b"HTTP/1.1 100 Continue\r\n\r\n" * 99), SourceTimeout),
    "a length below 0": (OK + b"Content-Length: -5\r\n\r\n" + b"x" * 200_000, SourceRefused),
    "two lengths": (OK + b"Content-Length: 9\r\nContent-Length: " + BODY, SourceRefused),
    "two lengths in one": (OK + b"Content-Length: 9, " + BODY, SourceRefused),
    "a length beyond all": (OK + b"Content-Length: 99999999999999999999999\r\n\r\n", SourceRefused),
    "a length of too many digits": (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", SourceRefused),
    "a chunk below 0": (CHUNKED + b"-1\r\n" + b"x" * 200_000, SourceUnavailable),
    "a chunk below 0 and no end": (without_end(b"x" * 9000, CHUNKED + b"-1\r\n"), SourceUnavailable),
    "a chunk with an underscore": (CHUNKED + b"1_0\r\n" + b"x" * 99, SourceUnavailable),
    "a chunk with 0x": (CHUNKED + b"0x10\r\n" + b"x" * 99, SourceUnavailable),
    "a chunk of words": (CHUNKED + b"ten\r\n", SourceUnavailable),
    "an endless size": (without_end(b"0" * 9000, CHUNKED), SourceUnavailable),
    "a huge chunk": (without_end(b"x" * 9000, CHUNKED + b"FFFFFFFFFFFF\r\n"), SourceTooLarge),
    "a chunk cut off": (CHUNKED + b"200\r\nabc", SourceUnavailable),
    "a body without end": (without_end(b"x" * 9000, OK + b"\r\n"), SourceTooLarge),
    "trailers without end": (without_end(b"X: y\r\n" * 900, CHUNKED + b"0\r\n"), SourceTimeout),
    "a packed body": (OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b" + b"\0" * 99, SourceRefused),
    "a packed body among others": (OK + b"Content-Encoding: aws-chunked, GZip\r\n\r\n\x1f\x8b", SourceRefused),
    "packed, unnamed": (OK + b"\r\n\x1f\x8b" + b"\0" * 99, NotAnImage),
    "a transfer nobody knows": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", SourceRefused),
    "nowhere": (b"HTTP/1.1 302 Found\r\nLocation: http://[::1/\r\n\r\n", BadUri),
    "a port of words": (b"HTTP/1.1 302 Found\r\nLocation: http://a.example:http/\r\n\r\n", BadUri),
    "a host that is none": (
        b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 300 + b".example/\r\n\r\n",
        SourceError,
    ),
    "a host of dots": ("HTTP/1.1 302 Found\r\nLocation: http://ü..example/\r\n\r\n".encode(), SourceError),
    "away from http": (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", BadUri),
    "a redirect to nothing": (b"HTTP/1.1 302 Found\r\n\r\n", SourceRefused),
    "not there yet": (b"HTTP/1.1 404 Not Found\r\n\r\n", SourceNotFound),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_every_answer_has_an_end_with_a_name(host: RawHost, name: str) -> None:
    sends, error = ENDINGS[name]
    host.answers = [sends] * 2
    limits = LIMITS if error is not SourceTimeout else FetchLimits(private_networks=("127.0.0.0/8",), time_s_max=1.0)
    tracemalloc.start()
    with pytest.raises(SourceError) as caught:
        fetch(f"{host.url}/a.jpg", limits)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(caught.value, error)
    assert peak_bytes < 20_000_000


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Encoding: aws-chunked\r\n",
        b"Content-Encoding:\r\n",
        b"Content-Encoding: utf-8\r\n",
        b"Content-Encoding: identity\r\n",
        b"Content-Length: %d\r\nContent-Length: %d\r\n" % (len(JPEG), len(JPEG)),
    ],
)
def test_headers_that_mean_nothing_keep_no_picture_out(host: RawHost, headers: bytes) -> None:
    host.answers = [OK + headers + b"\r\n" + JPEG]
    assert fetch(f"{host.url}/a.jpg", LIMITS).data == JPEG


def test_chunks_are_put_together(host: RawHost) -> None:
    host.answers = [
        CHUNKED + b"3;name=value\r\n" + JPEG[:3] + b"\r\n%x\r\n" % (len(JPEG) - 3) + JPEG[3:] + b"\r\n0\r\n\r\n"
    ]
    assert fetch(f"{host.url}/a.jpg", LIMITS).data == JPEG


@pytest.mark.parametrize(
    ("path", "requested"),
    [
        ("/größe/schuh.jpg", "/gr%C3%B6%C3%9Fe/schuh.jpg"),
        ("/gr%C3%B6%C3%9Fe.jpg?w=1&h=ü", "/gr%C3%B6%C3%9Fe.jpg?w=1&h=%C3%BC"),
        ("/two words.jpg", "/two%20words.jpg"),
        ("/100%.jpg", "/100%25.jpg"),
        ('/a|b\\c"<d>^`{e}.jpg', "/a%7Cb%5Cc%22%3Cd%3E%5E%60%7Be%7D.jpg"),
        ("/写真.jpg#part", "/%E5%86%99%E7%9C%9F.jpg"),
        (" ", "/"),
    ],
)
def test_addresses_as_people_write_them(host: RawHost, path: str, requested: str) -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: {host.url}{path}\r\n\r\n".encode()
    host.answers = [OK + b"\r\n" + JPEG, moved, OK + b"\r\n" + JPEG]
    assert fetch(f"{host.url}{path}", LIMITS).data == JPEG
    assert fetch(f"{host.url}/moved", LIMITS).data == JPEG
    assert host.requests[0] == host.requests[2] == f"GET {requested} HTTP/1.1".encode()
    assert unquote(requested).isprintable()


def test_an_old_servers_latin_1_is_read_as_such(host: RawHost) -> None:
    host.answers = ["HTTP/1.1 302 Found\r\nLocation: /grün.jpg\r\n\r\n".encode("latin-1"), OK + b"\r\n" + JPEG]
    assert fetch(f"{host.url}/a", LIMITS).data == JPEG
    assert host.requests[1] == b"GET /gr%C3%BCn.jpg HTTP/1.1"


def test_what_is_not_there_yet_is_worth_another_try_and_what_is_gone_is_not(host: RawHost) -> None:
    host.answers = [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 410 Gone\r\n\r\n"]
    for transient in (True, False):
        with pytest.raises(SourceNotFound) as caught:
            fetch(f"{host.url}/a.jpg", LIMITS)
        assert caught.value.transient is transient


@pytest.mark.parametrize("seed", range(150))
def test_garbage_has_an_end_with_a_name(host: RawHost, seed: int) -> None:
    """Good answers with pieces of them lost, doubled, or in another's place, and bytes changed."""
    chance = random.Random(seed)
    good = [OK, b"Content-Length: 503\r\n", b"Transfer-Encoding: chunked\r\n", b"Location: /b\r\n", b"\r\n", b"1f7\r\n"]
    pieces = chance.choices([*good, JPEG, b"-", b"\0", b"0\r\n", b"HTTP/1.1 302 X\r\n", b"HTTP/1.1 100 C\r\n"], k=8)
    answer = bytearray(OK * chance.randrange(2) + b"".join(pieces))
    for _ in range(chance.randrange(6)):
        answer[chance.randrange(len(answer))] = chance.randrange(256)
    host.answers = [bytes(answer)] * 8
    ended: object = None
    try:
        ended = fetch(f"{host.url}/a.jpg", LIMITS)
    except SourceError as error:
        ended = error
    assert isinstance(ended, Fetched | SourceError)
