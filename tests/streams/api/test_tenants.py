"""Keys, scopes and tenants: every route is found by itself and tried with somebody else's names."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from litestar.types import ASGIApp

from schemas.records import CampaignRequested, Step
from streams.api import app
from streams.blobs import Blobs
from streams.consumer import letters, reading
from streams.consumer.letters import Delivery
from streams.facts import Database, Webhooks
from streams.facts.keys import ApiKeys
from streams.facts.sealing import Sealer
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.services.access import keys
from streams.services.integrations import webhooks
from streams.services.ordering.orders import Order, Slip
from streams.services.ordering.pictures import begun
from streams.services.ordering.uploads import Upload, Uploads
from streams.services.recovery import dead
from streams.services.recovery.dead import DeadLetter, Replayed
from tests.streams.flow import Flow
from tests.streams.test_undoing import doubtful

Client = TestClient[ASGIApp]
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")
BODIES: dict[str, Any] = {
    "/v1/products/{sku:str}": {"sources": [{"uri": "https://images.example/a.jpg"}], "channels": ["amazon"]},
    "/v1/products/{sku:str}/retraction": {"reason": "wrong"},
    "/v1/campaigns/{campaign:str}": {"skus": ["A"], "channels": ["amazon"]},
    "/v1/reviews/{review_id:str}/decision": {"approved": True},
    "/v1/webhooks": {"url": "https://shop.example/hook"},
    "/v1/webhooks/{endpoint:str}": {"state": "paused"},
    "/v1/webhooks/{endpoint:str}/rotation": {},
    "/v1/webhooks/{endpoint:str}/replay": {"since_ms": 0},
    "/v1/uploads/{upload_id:str}": {},
    "/v1/reviews/cases/{case_id:str}/decision": {"outcome": "approve"},
    "/v1/reviews/cases/{case_id:str}/claim": {"holder": "ada"},
}
SHARED = ("/v1/recipes", "/v1/channels", "/v1/brands")  # every tenant's
# Each tenant has names of its own.
MADE = {
    ("PUT", "/v1/products/{sku:str}"): 202,
    ("PUT", "/v1/campaigns/{campaign:str}"): 202,
    ("PUT", "/v1/uploads/{upload_id:str}"): 200,
}


def routes() -> Iterator[tuple[str, str, Any]]:
    made: Litestar = app.build_app(app.nothing())
    for route in made.routes:
        for handler in route.route_handlers:  # type: ignore[union-attr]
            for method in sorted(getattr(handler, "http_methods", ())):
                if method in METHODS:
                    yield method, route.path, handler


OURS = sorted(routes(), key=lambda found: found[:2])  # each process that tests has the same order
CLOSED = [(method, path) for method, path, handler in OURS if not handler.opt.get("open")]
NAMED = [(method, path) for method, path in CLOSED if "{" in path and not path.startswith(SHARED)]


def test_every_route_says_who_may_use_it() -> None:
    assert [
        path for _, path, handler in OURS if not handler.opt.get("open") and handler.opt.get("scope") not in keys.SCOPES
    ] == []
    assert {path for _, path, handler in OURS if handler.opt.get("open")} == {
        "/livez", "/readyz", "/problems", "/problems/{code:str}", "/openapi.json", "/asyncapi.json", "/docs",
        "/hooks/{connector:str}",
    }  # fmt: skip
    assert len(NAMED) >= 13


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_no_route_answers_without_a_key(method: str, path: str, client: Client) -> None:
    answer = client.request(method, concrete(path, "x"), json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_required")
    answer = client.request(method, concrete(path, "x"), json={}, headers={"X-Api-Key": f"psk_live_{'A' * 33}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown")


def concrete(path: str, name: str) -> str:
    begin, _, rest = path.partition("{")
    return f"{begin}{name}{rest.partition('}')[2]}" if rest else begin


@pytest.fixture
def theirs(database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the tenant demo has, by the name of the part of a path that names it."""
    review = doubtful(Flow(database))
    sku = review.completed.task.sku
    with database.begin() as facts:
        facts.campaigns.put(
            CampaignRequested(tenant="demo", campaign="SALE", skus=[sku], channels=["amazon"], version=1)
        )
    record = Delivery(
        "imagery.dead", 0, 7, f"demo|{sku}".encode(), b"", [(letters.ORIGIN_TOPIC, b"imagery.catalog")], 1
    )
    monkeypatch.setattr(dead, "find", lambda _settings, wanted, **_: list(filter(wanted.fits, [DeadLetter(record)])))
    monkeypatch.setattr(dead, "replay", lambda _settings, wanted, _by: Replayed(dead.find(_settings, wanted), []))
    monkeypatch.setattr(reading, "read", lambda *_args, **_more: iter([record]))
    hook = webhooks.add(Webhooks(database, Sealer()), (), "demo", "https://demo.example/hook", (), "v1").endpoint
    job = begun(Order(tenant="demo"), Slip("c" * 64, Step(operation="cutout")), now_ms() + 60_000)
    blobs.put_result(job.job_id, msgspec.json.encode(job))
    upload = Upload(hashlib.sha256(b"{}").hexdigest(), 2, "image/png")
    Uploads(blobs).put("demo", upload, b"{}")
    ids = {"job_id": job.job_id, "review_id": review.review_id, "letter_id": "0-7", "upload_id": upload.upload_id}
    return {"sku": sku, "campaign": "SALE", "endpoint": hook, "case_id": review.doubts[0].case, **ids}


@pytest.mark.parametrize(("method", "path"), NAMED)
def test_what_another_tenant_has_is_not_there(
    method: str, path: str, client: Client, database: Database, theirs: dict[str, str]
) -> None:
    name = path.partition("{")[2].partition(":")[0]
    of = {tenant: keys.create(database, tenant, (tenant,))[0] for tenant in ("demo", "other")}

    def ask(tenant: str) -> Any:
        headers = {"Authorization": f"Bearer {of[tenant]}"}
        return client.request(method, concrete(path, theirs[name]), json=BODIES.get(path), headers=headers)

    if (method, path) in MADE:
        assert ask("other").status_code == MADE[method, path]
        return
    answer = ask("other")
    assert (answer.status_code, answer.json()["code"][:8]) == (404, "unknown_"), answer.text
    own = ask("demo")
    assert own.status_code in (200, 201, 202, 204, 409, 422, 503), own.text  # a photograph lies nowhere


LISTS = ("products", "assets", "reviews", "reviews/cases", "dead-letters", "costs", "quality", "webhooks")


@pytest.mark.parametrize("path", [f"/v1/{name}" for name in LISTS])
def test_lists_hold_only_ones_own(path: str, client: Client, database: Database, theirs: dict[str, str]) -> None:
    assert theirs
    text, _ = keys.create(database, "other", ("other",))
    answer = client.get(path, headers={"Authorization": f"Bearer {text}"}).json()
    assert next(answer[name] for name in ("items", "groups", "channels") if name in answer) == []


def test_a_key_of_several_tenants_says_which(client: Client, database: Database) -> None:
    text, _ = keys.create(database, "agency", ("demo", "other"))
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/v1/products", headers=headers).json()["code"] == "tenant_required"
    assert client.get("/v1/products", headers={**headers, "Packshot-Tenant": "demo"}).status_code == 200
    assert client.get("/v1/products", headers={**headers, "Packshot-Tenant": "third"}).status_code == 403


def test_a_scope_is_all_that_a_key_may_do(client: Client, database: Database) -> None:
    text, _ = keys.create(database, "reader", ("demo",), ("read",))
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/v1/products", headers=headers).status_code == 200
    refused = client.put("/v1/products/A", json=BODIES["/v1/products/{sku:str}"], headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


def test_keys_are_kept_as_digests_and_end(database: Database) -> None:
    text, key = keys.create(database, "shop", ("demo",))
    assert keys.is_well_formed(text)
    assert not keys.is_well_formed(text[:-1] + ("a" if text[-1] != "a" else "b"))
    assert text not in repr(ApiKeys(database).every())
    assert keys.opened(database, text) == key
    assert ApiKeys(database).every()[0].last_used_at_ms is not None
    second, _ = keys.create(database, "shop", ("demo",))
    with pytest.raises(Refused, match="revoke one"):
        keys.create(database, "shop", ("demo",))
    keys.revoke(database, key.key_id)
    assert keys.opened(database, text) is None
    assert keys.opened(database, second) is not None
    with pytest.raises(Refused):
        keys.revoke(database, key.key_id)
    over, _ = keys.create(database, "over", ("demo",), expires_at_ms=1)
    assert keys.opened(database, over) is None
