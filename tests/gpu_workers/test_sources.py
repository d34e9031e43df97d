"""What the name says."""

import hashlib
import socket
import time
from http.server import BaseHTTPRequestHandler
from typing import cast

import pytest

from gpu_workers.sources import errors as source_errors
from gpu_workers.sources import http as http_source
from gpu_workers.sources.errors import (
    DigestMismatch,
    NotAnImage,
    SourceError,
    SourceForbidden,
    SourceNotFound,
    SourceRefused,
    SourceTimeout,
    SourceTooLarge,
    SourceUnavailable,
)
from gpu_workers.sources.fetch import fetch, sniff
from tests.gpu_workers.source_server import JPEG, Server, limits, picture


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


def test_the_promised_digest_is_checked(server: Server) -> None:
    uri = server.serves("/a.jpg")
    assert fetch(uri, limits(), sha256=hashlib.sha256(JPEG).hexdigest()).data == JPEG
    with pytest.raises(DigestMismatch, match=r"0{64}"):
        fetch(uri, limits(), sha256="0" * 64)


def test_every_error_has_its_own_code_and_stands_in_the_tree() -> None:
    kinds = [kind for kind in vars(source_errors).values() if isinstance(kind, type)]
    leaves = [kind for kind in kinds if issubclass(kind, SourceError) and not kind.__subclasses__()]
    assert len({kind.code for kind in leaves}) == len(leaves) == 15
    assert all(kind.__name__ in (source_errors.__doc__ or "") for kind in leaves)


def test_certificates_are_checked_for_the_host_that_was_asked_for() -> None:
    context = http_source._tls()
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
