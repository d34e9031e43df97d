"""Hooks and keys of shops that mean harm: whatever comes, the answer is a refusal."""

import base64
import hashlib
import hmac
import http.server
import threading
from collections.abc import Iterator

import pytest

from streams.connectors.base import Shop, kind, kinds
from streams.connectors.http import Client
from streams.connectors.kinds.saleor import KEYS_MAX, Saleor
from streams.facts import Connector
from streams.runtime.errors import Refused
from tests.streams.connector_world import NETWORKS

NOW_MS = 1_780_000_000_000
SECRET = "s3cret"
BODIES = (
    b"", b"null", b"[]", b"1", b"[" * 5000, b'{"a":' * 50_000, b"\xff", b'{"id":"\xff"}', b'{"id":"\\ud800"}',
    b'{"id":1e400}', b'{"id":' + b"9" * 5000 + b"}", b'{"time":"0001-01-01T00:00:00+23:59","type":"x"}',
    b'{"time":"9999-12-31T23:59:59-23:59"}', b'{"issuedAt":"0001-01-01T00:00:00"}', b'{"data":{"id":"\\ud800"}}',
    b'{"updated_at":"0001-01-01T00:00:00","id":1}',
)  # fmt: skip
JWS_HEADS = (
    b'{"alg":"RS256","b64":false,"kid":"k"}', b'{"alg":"RS256","kid":{"a":1}}', b"[" * 50_000, b"null", b"[]", b"\xff",
    b'{"alg":"RS256"', b'{"kid":"\\ud800","alg":"RS256"}',
)  # fmt: skip
KEYS = (
    b"", b"null", b"[]", b"no JSON", b"\xff", b"[" * 50_000, b'{"keys":null}', b'{"keys":[1]}', b'{"keys":[{"n":1}]}',
    b'{"keys":[{"n":"' + b"A" * KEYS_MAX + b'"}]}',
)  # fmt: skip
FEW = ("", '{"keys":[{"kid":"k","kty":"RSA"}]}', '{"keys":[{"kid":"k","kty":"RSA","n":"AQ","e":"AQ"}]}', "null", "[[")


def headers(body: bytes) -> Iterator[dict[str, str]]:
    """Signed as each kind signs, and as none does."""
    signature = hmac.digest(SECRET.encode(), body, hashlib.sha256)
    in_base64 = base64.b64encode(signature).decode()
    yield {}
    yield {"x-akeneo-signature-primary": "zz", "x-akeneo-signature-secondary": signature.hex()}
    yield {"x-shopify-hmac-sha256": in_base64}
    yield {"x-shopify-hmac-sha256": in_base64, "x-shopify-triggered-at": "0001-01-01T00:00:00"}
    for at_s in ("1780000000", "\u00b2", "9" * 12):
        yield {"webhook-id": "m\x85", "webhook-timestamp": at_s, "webhook-signature": "v1,\u00e9 v1, v1,AAAA"}
    for head in JWS_HEADS:
        for behind in ("", "AAAA", "\u00e9", "A"):
            yield {"saleor-signature": f"{base64.urlsafe_b64encode(head).decode()}..{behind}"}


def shop(name: str, keys: str = "") -> Shop:
    made = kind(name)
    secrets = dict.fromkeys(made.SECRETS, SECRET)
    return made(Connector("shop", name, "demo", "https://a.example", ("web",), {"keys": keys}, secrets), Client())


@pytest.mark.parametrize(("name", "keys"), [*((name, "") for name in kinds()), *(("saleor", each) for each in FEW)])
def test_whatever_a_hook_says_it_is_taken_or_refused(name: str, keys: str) -> None:
    requested, refused = shop(name, keys), 0
    for body in BODIES:
        for each in headers(body):
            try:
                requested.received(each, body, NOW_MS)
            except Refused as refusal:
                refused += bool(refusal.code)
    assert refused > 0.9 * len(BODIES) * len(list(headers(b"")))


@pytest.mark.parametrize("body", KEYS)
def test_keys_that_are_none_take_no_known_ones_place(body: bytes) -> None:
    class Host(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(NETWORKS)
        url = f"http://127.0.0.1:{server.server_port}/graphql/"
        with pytest.raises(Refused) as refusal:
            Saleor(Connector("shop", "saleor", "demo", url, ("web",), {}, {"token": "t"}), client).published_keys()
        client.close()
        server.shutdown()
    assert refusal.value.code == "shop_malformed"
