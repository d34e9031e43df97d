"""Webhooks by the API: a secret is shown once, kept nowhere else, and changed without a gap."""

from typing import Any

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from schemas.records import AssetRetracted
from streams.api.gateway import Gateway
from streams.consumer import reading
from streams.consumer.letters import Delivery, outgoing
from streams.facts import Database, Webhooks
from streams.facts.sealing import Sealer
from streams.services.access import keys

Client = TestClient[ASGIApp]
HOOK = {"url": "https://shop.example/hook", "events": ["asset.retracted"]}


def test_an_endpoint_is_added_changed_rotated_and_removed(demo: Client) -> None:
    added = demo.post("/v1/webhooks", json=HOOK)
    assert (added.status_code, added.json()["secret"][:6]) == (201, "whsec_")
    place = f"/v1/webhooks/{added.json()['endpoint']}"
    (known,) = demo.get("/v1/webhooks").json()["items"]
    assert (known["url"], known["events"], known["state"]) == (HOOK["url"], HOOK["events"], "active")
    assert known["secrets"] == [{"scheme": "v1", "public_key": None, "until_ms": None}]
    assert demo.patch(place, json={"state": "paused", "why": "moving"}).json()["why"] == "moving"
    new = demo.post(f"{place}/rotation", json={"keep_s": 60}).json()["secret"]
    assert new != added.json()["secret"]
    refused = demo.post(f"{place}/rotation", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "rotation_running")
    shown = demo.get(place).text
    assert new not in shown
    assert added.json()["secret"] not in shown
    assert demo.delete(place).status_code == 204
    assert demo.get(place).json()["code"] == "unknown_endpoint"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"url": "http://shop.example/"}, "bad_url", "url"),
        ({"url": "https://127.0.0.1/"}, "private_address", "url"),
        ({**HOOK, "events": ["asset.made"]}, "unknown_event", "events"),
        ({**HOOK, "scheme": "v2"}, "invalid_event", "scheme"),
        ({}, "invalid_event", "url"),
    ],
)
def test_what_can_be_no_endpoint_is_refused(body: Any, code: str, field: str, demo: Client) -> None:
    answer = demo.post("/v1/webhooks", json=body)
    details = answer.json()
    assert (answer.status_code, details["code"], details["field"]) == (422, code, field)


def test_a_repeat_adds_nothing_and_no_secret_is_kept_for_it(demo: Client, database: Database) -> None:
    headers = {"Idempotency-Key": "once"}
    secret = demo.post("/v1/webhooks", json=HOOK, headers=headers).json()["secret"]
    again = demo.post("/v1/webhooks", json=HOOK, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "endpoint_exists")
    assert len(demo.get("/v1/webhooks").json()["items"]) == 1
    with database.look() as connection:
        kept = connection.exec_driver_sql("SELECT body FROM api_answers").all()
    assert kept
    assert not any(secret.encode() in bytes(body or b"") for (body,) in kept)


def test_deliveries_are_reported_and_a_range_is_sent_again(
    demo: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = demo.post("/v1/webhooks", json=HOOK).json()["endpoint"]
    monkeypatch.setattr(reading, "read", lambda *_args, **_more: iter([record(1), record(2), record(3, "other")]))
    sent = demo.post(f"/v1/webhooks/{endpoint}/replay", json={"since_ms": 0, "until_ms": 2})
    assert (sent.status_code, sent.json()) == (202, {"endpoint": endpoint, "sent_again": 1})
    (delivery,) = demo.get(f"/v1/webhooks/{endpoint}/deliveries?state=waiting").json()["items"]
    assert (delivery["type"], delivery["sku"], delivery["tries"], delivery["log"]) == ("asset.retracted", "A", 0, [])
    assert demo.get(f"/v1/webhooks/{endpoint}").json()["deliveries"] == {"waiting": 1}
    assert Webhooks(gateway.database, Sealer()).counts(endpoint) == {"waiting": 1}


def record(at_ms: int, tenant: str = "demo") -> Delivery:
    event = AssetRetracted(
        tenant=tenant, sku="A", version=1, asset="amazon-1", reason="gone", urls=[], retracted_at_ms=1
    )
    made = outgoing(event, "test")
    return Delivery(made.topic, 0, at_ms, made.key, made.value, made.headers, at_ms)


def test_a_test_key_changes_nothing(client: Client, database: Database) -> None:
    text, _ = keys.create(database, "tests", ("demo",), mode="test")
    answer = client.post("/v1/webhooks", json=HOOK, headers={"Authorization": f"Bearer {text}"})
    assert (answer.status_code, Webhooks(database, Sealer()).endpoints()) == (403, [])
