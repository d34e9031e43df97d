"""Hooks of shops at the gateway: on their topic when they are answered, and nothing else of them is taken."""

import time
from pathlib import Path

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from schemas import topics
from schemas.envelope import as_mapping
from streams.api.gateway import Gateway
from streams.api.routes.connectors import BODY_MAX_BYTES
from streams.consumer.clients import NotAcknowledged
from streams.consumer.letters import Outgoing
from streams.facts import Connectors, Database
from streams.facts.sealing import Sealer
from tests.contracts.shops.vendure import VendureStandIn
from tests.streams.flow import Recorder

Client = TestClient[ASGIApp]


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> VendureStandIn:
    made = VendureStandIn(tmp_path)
    made.url = "https://shop.example"
    Connectors(database, Sealer()).add(made.connector())
    return made


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_hook_is_on_its_topic_as_it_came_before_it_is_answered(
    client: Client, shop: VendureStandIn, recorder: Recorder, database: Database
) -> None:
    headers, body = shop.hook("7", now_ms())
    answer = client.post("/hooks/shop", content=body, headers=headers)
    assert (answer.status_code, answer.text) == (200, "ok\n")
    [record] = recorder.records
    assert (record.topic, record.key, record.value) == (topics.INBOUND.name, b"shop|7", body)
    assert as_mapping(record.headers)["packshot-hook"] == "h-1"
    assert Connectors(database, Sealer()).changes("shop", now_ms(), 9) == []  # whoever reads the topic notes it
    assert client.post("/hooks/shop", content=body, headers=headers).status_code == 200
    assert len(recorder.records) == 1


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"webhook-signature": "v1,AAAA"}, 401, "hook_signature"),
        ({"webhook-timestamp": "1"}, 401, "hook_signature"),
        ({"webhook-timestamp": "soon"}, 400, "hook_malformed"),
    ],
)
def test_what_is_not_the_shops_is_a_problem_and_goes_nowhere(
    client: Client, shop: VendureStandIn, recorder: Recorder, change: dict[str, str], status: int, code: str
) -> None:
    headers, body = shop.hook("7", now_ms())
    answer = client.post("/hooks/shop", content=body, headers=headers | change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert recorder.records == []


def test_one_that_is_old_or_of_nobody_or_too_large_is_a_problem(
    client: Client, shop: VendureStandIn, recorder: Recorder
) -> None:
    headers, body = shop.hook("7", now_ms() - 3_600_000)
    assert client.post("/hooks/shop", content=body, headers=headers).json()["code"] == "hook_stale"
    answer = client.post("/hooks/none", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_connector")
    answer = client.post("/hooks/shop", content=b" " * (BODY_MAX_BYTES + 1), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert recorder.records == []


def test_what_the_broker_does_not_take_is_to_be_sent_again(
    client: Client, shop: VendureStandIn, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_records: list[Outgoing]) -> None:
        raise NotAcknowledged("away")

    headers, body = shop.hook("7", now_ms())
    with monkeypatch.context() as patch:
        patch.setattr(gateway.producer, "send", away)
        answer = client.post("/hooks/shop", content=body, headers=headers)
        assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    assert client.post("/hooks/shop", content=body, headers=headers).status_code == 200
    assert isinstance(gateway.producer, Recorder)
    assert len(gateway.producer.records) == 1
