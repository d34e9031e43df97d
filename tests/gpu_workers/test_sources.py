import hashlib
import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from PIL import Image

from gpu_workers.sources import errors as source_errors
from gpu_workers.sources import http as http_source
from gpu_workers.sources.errors import (
    BadUri,
    DigestMismatch,
    NotAnImage,
    PrivateAddress,
    SourceError,
    SourceForbidden,
    SourceNotFound,
    SourceRefused,
    SourceTimeout,
    SourceTooLarge,
    SourceUnavailable,
)
from gpu_workers.sources.fetch import FetchLimits, fetch, sniff
from schemas.networks import NOT_PUBLIC, is_public

LOOPBACK = ("127.0.0.0/8",)
Answer = Callable[[BaseHTTPRequestHandler], None]


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (80, 80), (200, 30, 30)).save(stream, kind)
    return stream.getvalue()


JPEG = picture("JPEG")


class Handler(BaseHTTPRequestHandler):
    answers: dict[str, Answer]

    def do_GET(self) -> None:
        self.answers[self.path](self)

    def log_message(self, *_: object) -> None:
        pass


class Server:
    """A host on loopback whose paths answer as a test says. `waiting` ends answers that would never end."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.closing = threading.Event()
        handler = type("TestHandler", (Handler,), {"answers": self.answers})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def serves(self, path: str, body: bytes = JPEG, status: int = 200, **headers: str) -> str:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in ({"Content_Length": str(len(body))} | headers).items():
                request.send_header(name.replace("_", "-"), value)
            request.end_headers()
            request.wfile.write(body)

        return self.answers_with(path, answer)

    def answers_with(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def limits(**values: Any) -> FetchLimits:
    given: dict[str, Any] = {"private_networks": LOOPBACK, "time_s_max": 30.0}
    return FetchLimits(**given | values)


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [(kind, f"image/{kind.lower()}") for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP")],
)
def test_the_media_type_comes_from_the_content(server: Server, kind: str, media_type: str) -> None:
    data = picture(kind)
    fetched = fetch(server.serves("/shoe.txt", data, Content_Type="text/plain"), limits())
    assert fetched.media_type == media_type
    assert fetched.data == data
    assert fetched.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("data", "likeness"),
    [
        (b"", "an empty file"),
        (b"just some words, called photo.jpg", "text"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>", "an HTML page"),
        (b"%PDF-1.7", "PDF"),
        (b"\x00\x01\x02\x03" * 20, "unknown data"),
        (b"BMwhat a day, said the text that began with two letters", "text"),
    ],
)
def test_what_is_no_picture_is_named_by_what_it_looks_like(data: bytes, likeness: str) -> None:
    with pytest.raises(NotAnImage, match=likeness) as caught:
        sniff(data, "https://shop.example/photo.jpg")
    assert caught.value.uri == "https://shop.example/photo.jpg"


@pytest.mark.parametrize(
    ("status", "error", "transient"),
    [
        (400, SourceRefused, False),
        (401, SourceForbidden, False),
        (403, SourceForbidden, False),
        (404, SourceNotFound, True),
        (410, SourceNotFound, False),
        (429, SourceUnavailable, True),
        (500, SourceUnavailable, True),
        (503, SourceUnavailable, True),
    ],
)
def test_answers_that_are_no_picture(server: Server, status: int, error: type[SourceError], transient: bool) -> None:
    uri = server.serves("/gone.jpg", b"sorry", status)
    with pytest.raises(error, match=str(status)) as caught:
        fetch(uri, limits())
    assert type(caught.value) is error
    assert caught.value.transient is transient
    assert (caught.value.field, caught.value.uri) == ("sources", uri)


def test_a_body_longer_than_announced_or_than_the_limit_is_cut_off(server: Server) -> None:
    with pytest.raises(SourceTooLarge, match=r"the limit is 100"):
        fetch(server.serves("/announced"), limits(size_bytes_max=100))

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while not server.closing.is_set():
                request.wfile.write(JPEG * 100)
        except OSError:
            pass

    with pytest.raises(SourceTooLarge, match=r"more than 1,000,000 bytes"):
        fetch(server.answers_with("/endless", endless), limits(size_bytes_max=1_000_000))


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_trickle_ends_at_the_deadline(server: Server, part: str) -> None:
    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"X: " if part == "headers" else b"\r\n" + JPEG))
        try:
            while not server.closing.wait(0.02):
                request.wfile.write(b"x")
        except OSError:
            pass

    began_s = time.monotonic()
    with pytest.raises(SourceTimeout, match=r"0\.3 s") as caught:
        fetch(server.answers_with("/slow", trickle), limits(time_s_max=0.3))
    assert caught.value.transient
    assert time.monotonic() - began_s < 2.0


def test_silence_and_a_stuck_name_service_end_at_the_deadline(server: Server) -> None:
    silent = server.answers_with("/silent", lambda _: cast(None, server.closing.wait()))
    with pytest.raises(SourceTimeout):
        fetch(silent, limits(time_s_max=0.2))

    def stuck(_host: str, _port: int) -> list[str]:
        server.closing.wait()
        return ["127.0.0.1"]

    with pytest.raises(SourceTimeout):
        fetch("http://stuck.example/a.jpg", limits(time_s_max=0.2), resolve=stuck)


def test_a_body_cut_off_is_worth_another_try(server: Server) -> None:
    uri = server.serves("/cut.jpg", JPEG, Content_Length=str(len(JPEG) + 7))
    with pytest.raises(SourceUnavailable, match="cut off with 7 bytes to come"):
        fetch(uri, limits())


def test_nobody_listening_is_worth_another_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SourceUnavailable, match="refused") as caught:
        fetch(f"http://127.0.0.1:{port}/a.jpg", limits())
    assert caught.value.transient


def test_a_packed_body_is_refused(server: Server) -> None:
    with pytest.raises(SourceRefused, match="packs"):
        fetch(server.serves("/packed", Content_Encoding="gzip"), limits())


def test_redirects_are_followed_up_to_the_limit(server: Server) -> None:
    server.serves("/2", JPEG)
    server.serves("/1", b"", 302, Location="2")
    uri = server.serves("/0", b"", 301, Location="/1")
    assert fetch(uri, limits(redirects_max=2)).data == JPEG
    with pytest.raises(SourceRefused, match="more than 1 redirects"):
        fetch(uri, limits(redirects_max=1))


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "s3://private/key", "gopher://x/", "data:image/png;base64,eA=="]
)
def test_a_redirect_may_not_leave_http(server: Server, target: str) -> None:
    with pytest.raises(BadUri, match="leads to"):
        fetch(server.serves("/out", b"", 302, Location=target), limits())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "168.63.129.16",
        "192.0.0.8",
        "192.88.99.1",
        "192.0.2.1",
        "240.0.0.1",
        "fec0::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::1",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "4000::1",
    ],
)
def test_private_addresses_are_refused_before_any_connection(address: str) -> None:
    with pytest.raises(PrivateAddress, match=r"inside\.example is") as caught:
        fetch("https://inside.example/a.jpg", FetchLimits(), resolve=lambda *_: ["93.184.216.34", address])
    assert caught.value.code == "source_private_address"


@pytest.mark.parametrize("network", NOT_PUBLIC)
def test_the_ends_of_every_network_that_is_not_public_are_refused(network: str) -> None:
    whole = ip_network(network)
    assert not any(is_public(str(address)) for address in (whole[0], whole[-1]))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "168.63.129.17", "2606:4700::1", "64:ff9b::808:808"])
def test_what_is_public_may_be_reached(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f.1", "127.1"])
def test_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises(PrivateAddress):
        fetch(f"http://{host}:1/a.jpg", FetchLimits())


def test_a_redirect_to_a_private_address_is_refused(server: Server) -> None:
    uri = server.serves("/a", b"", 302, Location="http://169.254.169.254/latest/meta-data")
    with pytest.raises(PrivateAddress, match=r"169\.254\.169\.254"):
        fetch(uri, limits())


def test_the_connection_goes_to_the_address_that_was_checked(server: Server) -> None:
    server.serves("/a.jpg")
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.99"]

    fetched = fetch(f"http://shop.example:{server.port}/a.jpg", limits(), resolve=rebinding)
    assert fetched.data == JPEG
    assert asked == ["shop.example"]


def test_the_host_header_names_the_host_and_not_the_address(server: Server) -> None:
    heard: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        heard.append(request.headers["Host"])
        request.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + JPEG)

    server.answers_with("/a.jpg?size=1", answer)
    fetch(f"http://shop.example:{server.port}/a.jpg?size=1#part", limits(), resolve=lambda *_: ["127.0.0.1"])
    assert heard == [f"shop.example:{server.port}"]


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://shop.example/a.jpg",
        "photo.jpg",
        "http:///a.jpg",
        "http://[::1/a.jpg",
        "http://shop.example:99999/a.jpg",
        "https://user:secret@shop.example/a.jpg",
        "file://server/share/a.jpg",
        "s3://bucket",
    ],
)
def test_addresses_that_cannot_be_read(uri: str) -> None:
    with pytest.raises(BadUri) as caught:
        fetch(uri, FetchLimits(), resolve=lambda *_: ["93.184.216.34"])
    assert "secret" not in str(caught.value)


def test_the_promised_digest_is_checked(server: Server) -> None:
    uri = server.serves("/a.jpg")
    assert fetch(uri, limits(), sha256=hashlib.sha256(JPEG).hexdigest()).data == JPEG
    with pytest.raises(DigestMismatch, match=r"0{64}"):
        fetch(uri, limits(), sha256="0" * 64)


def test_files_are_read_beneath_the_allowed_folders_only(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in side", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    for folder in (inside, outside):
        (folder / "a.jpg").write_bytes(JPEG)
    (inside / "link.jpg").symlink_to(outside / "a.jpg")
    allowed = FetchLimits(file_roots=(inside,))
    assert fetch(f"file://{inside}/a.jpg".replace(" ", "%20"), allowed).data == JPEG
    for path in (f"{outside}/a.jpg", f"{inside}/../outside/a.jpg", f"{inside}/link.jpg", "/etc/passwd"):
        with pytest.raises(SourceForbidden, match="allowed folders"):
            fetch(f"file://{path}", allowed)
    with pytest.raises(SourceForbidden):
        fetch(f"file://{inside}/a.jpg", FetchLimits())


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    allowed = FetchLimits(file_roots=(tmp_path,), size_bytes_max=len(JPEG) - 1)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.jpg").write_bytes(JPEG)
    for name in ("none.jpg", "pipe", "a.jpg/below", "."):
        with pytest.raises(SourceNotFound):
            fetch(f"file://{tmp_path}/{name}", allowed)
    with pytest.raises(SourceTooLarge):
        fetch(f"file://{tmp_path}/a.jpg", allowed)


class Bucket:
    """The one method of boto3's client that fetching uses."""

    def __init__(self, answer: bytes | Exception) -> None:
        self._answer = answer
        self.asked: list[tuple[str, str]] = []

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        self.asked.append((Bucket, Key))
        if isinstance(self._answer, Exception):
            raise self._answer
        return {"Body": io.BytesIO(self._answer)}


def from_bucket(answer: bytes | Exception, uri: str = "s3://photos/a%20b.jpg", **values: Any) -> bytes:
    client: Any = Bucket(answer)
    allowed = FetchLimits(buckets=frozenset({"photos"}), **values)
    data = fetch(uri, allowed, s3=client).data
    assert client.asked == [("photos", "a b.jpg")]
    return data


def test_objects_are_read_from_the_allowed_buckets_only() -> None:
    assert from_bucket(JPEG) == JPEG
    with pytest.raises(SourceForbidden, match="'secrets'"):
        from_bucket(JPEG, "s3://secrets/a.jpg")
    with pytest.raises(SourceTooLarge):
        from_bucket(JPEG, size_bytes_max=10)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject"), SourceNotFound),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"), SourceForbidden),
        (ClientError({"Error": {"Code": "SlowDown"}}, "GetObject"), SourceUnavailable),
        (EndpointConnectionError(endpoint_url="http://s3"), SourceUnavailable),
    ],
)
def test_an_object_store_that_does_not_deliver(failure: Exception, error: type[SourceError]) -> None:
    with pytest.raises(error):
        from_bucket(failure)


def test_every_error_has_its_own_code_and_stands_in_the_tree() -> None:
    kinds = [kind for kind in vars(source_errors).values() if isinstance(kind, type)]
    leaves = [kind for kind in kinds if issubclass(kind, SourceError) and not kind.__subclasses__()]
    assert len({kind.code for kind in leaves}) == len(leaves) == 15
    assert all(kind.__name__ in (source_errors.__doc__ or "") for kind in leaves)


def test_certificates_are_checked_for_the_host_that_was_asked_for() -> None:
    context = http_source._tls()
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
