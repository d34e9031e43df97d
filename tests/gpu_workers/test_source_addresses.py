"""Sources: which addresses, files and buckets may be read."""

import io
import os
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from gpu_workers.sources.errors import (
    BadUri,
    PrivateAddress,
    SourceError,
    SourceForbidden,
    SourceNotFound,
    SourceTooLarge,
    SourceUnavailable,
)
from gpu_workers.sources.fetch import FetchLimits, fetch
from schemas.networks import NOT_PUBLIC, is_public
from tests.gpu_workers.source_server import JPEG, Server, limits


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
    found: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        found.append(host)
        return ["127.0.0.1"] if len(found) == 1 else ["127.0.0.99"]

    fetched = fetch(f"http://shop.example:{server.port}/a.jpg", limits(), resolve=rebinding)
    assert fetched.data == JPEG
    assert found == ["shop.example"]


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
        self.requests: list[tuple[str, str]] = []

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        self.requests.append((Bucket, Key))
        if isinstance(self._answer, Exception):
            raise self._answer
        return {"Body": io.BytesIO(self._answer)}


def from_bucket(answer: bytes | Exception, uri: str = "s3://photos/a%20b.jpg", **values: Any) -> bytes:
    client: Any = Bucket(answer)
    allowed = FetchLimits(buckets=frozenset({"photos"}), **values)
    data = fetch(uri, allowed, s3=client).data
    assert client.requests == [("photos", "a b.jpg")]
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
