"""Receivers believe what was signed by the sender's secret a moment ago, and nothing else."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from streams.client.webhooks import BadSignature, verified
from streams.webhooks.signing import Scheme, headers, new_secret, verifier

BODY = b'{"type":"asset.published","data":{"sku":"M\xc3\xbcg"}}'
AT_S = 1_790_000_000


@pytest.mark.parametrize("scheme", ["v1", "v1a"])
def test_what_we_sign_is_believed(scheme: Scheme) -> None:
    old, new = new_secret(scheme), new_secret(scheme)
    signed = headers("msg_1", AT_S, BODY, [new, old])
    title_case = {name.title(): value for name, value in signed.items()}
    for secret in (old, new):
        assert verified(title_case, BODY, verifier(secret), AT_S)["data"]["sku"] == "Müg"
    with pytest.raises(BadSignature):
        verified(signed, BODY, verifier(new_secret(scheme)), AT_S)
    with pytest.raises(BadSignature):
        verified(signed, BODY + b" ", verifier(new), AT_S)
    with pytest.raises(BadSignature):
        verified({**signed, "webhook-id": "msg_2"}, BODY, verifier(new), AT_S)


def test_what_the_standards_own_library_signs_is_believed() -> None:
    secret = "whsec_" + base64.b64encode(b"x" * 32).decode()
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(AT_S, UTC), BODY.decode())
    signed = {"webhook-id": "msg_1", "webhook-timestamp": str(AT_S), "webhook-signature": f"v1,!! v2,x {signature}"}
    assert verified(signed, BODY, secret, AT_S)["type"] == "asset.published"


@pytest.mark.parametrize("at", [str(AT_S - 301), str(AT_S + 301), "", "soon", "²"])
def test_the_time_counts(at: str) -> None:
    secret = new_secret("v1")
    signed = headers("msg_1", AT_S, BODY, [secret]) | {"webhook-timestamp": at}
    with pytest.raises(BadSignature, match="time"):
        verified(signed, BODY, secret, AT_S)


def test_nothing_is_believed_without_headers() -> None:
    with pytest.raises(BadSignature):
        verified({}, BODY, new_secret("v1"))
