"""Quotas by pixels and by work at once: over them who waits is told so, and who does not gets bulk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from streams.api.app import build_app
from streams.api.gateway import Gateway
from streams.runtime.settings import Settings
from streams.services.access.quotas import Buckets, Policy
from tests.streams.api.picture_workers import Workers, post

Client = TestClient[ASGIApp]
PIXELS = 200 * 200  # of the photograph


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, gateway_key_at_work=2, gateway_tenant_at_work=3)


@pytest.fixture
def gateway(working: Gateway) -> Gateway:
    return working


def levels(answer: Any) -> dict[str, int]:
    """What is left, by policy."""
    each = (one.strip().split(";") for one in answer.headers["ratelimit"].split(","))
    return {name.strip('"'): int(left.removeprefix("r=")) for name, left, *_ in each}


def policy(quota: int, name: str = "key") -> Policy:
    return Policy(name, name, quota)


def test_a_bucket_fills_evenly() -> None:
    now = [0.0]
    buckets = Buckets(lambda: now[0])
    taken = [buckets.take([policy(2)], 1)[0] for _ in range(3)]
    assert [each.left for each in taken] == [1, 0, 0]
    assert [each.wait_s for each in taken] == [0, 0, 30]
    now[0] = 30.0
    assert buckets.take([policy(2)], 1)[0].wait_s == 0
    assert buckets.take([policy(2, "other")], 1)[0].left == 1


def test_what_one_bucket_has_no_room_for_is_taken_from_none() -> None:
    buckets = Buckets(lambda: 0.0)
    narrow, wide = policy(1, "narrow"), policy(9, "wide")
    assert [each.left for each in buckets.take([narrow, wide], 1)] == [0, 8]
    assert [bool(each.wait_s) for each in buckets.take([narrow, wide], 1)] == [True, False]
    assert buckets.take([wide], 0)[0].left == 8


def test_more_than_a_whole_quota_waits_for_a_full_bucket_and_overdraws_it() -> None:
    now = [0.0]
    buckets = Buckets(lambda: now[0])
    assert buckets.take([policy(60)], 90)[0].wait_s == 0
    assert buckets.take([policy(60)], 1)[0].wait_s == 31
    now[0] = 31.0
    assert [buckets.take([policy(60)], amount)[0].wait_s for amount in (90, 1)] == [59, 0]


def test_what_was_used_already_is_taken_whatever_is_left() -> None:
    buckets = Buckets(lambda: 0.0)
    buckets.overdraw([policy(60)], 100)
    assert buckets.take([policy(60)], 1)[0].wait_s == 41


@pytest.fixture
def _unfilled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets that fill so slowly that none does while a test runs."""
    monkeypatch.setattr("streams.services.access.quotas.WINDOW_S", 10**12)


@pytest.mark.usefixtures("_unfilled")
def test_pictures_count_by_the_pixels_of_their_photograph_and_what_is_known_does_not(
    demo: Client, photo: bytes, gateway: Gateway
) -> None:
    first, again = post(demo, "cutouts", photo), post(demo, "cutouts", photo)
    megapixels = gateway.settings.gateway_key_megapixels_per_minute
    assert f'"key-pixels";q={megapixels}000000;w=60;qu="pixels"' in first.headers["ratelimit-policy"]
    assert '"key-work";q=2;qu="concurrent-requests"' in first.headers["ratelimit-policy"]
    assert levels(first)["key-pixels"] == megapixels * 10**6 - PIXELS
    assert levels(again)["key-pixels"] == levels(first)["key-pixels"]
    assert levels(again)["key"] == levels(first)["key"] - 1


@pytest.mark.usefixtures("_unfilled")
def test_a_photograph_that_lies_elsewhere_counts_once_it_is_known(
    demo: Client, photo: bytes, gateway: Gateway, tmp_path: Path
) -> None:
    assert photo
    body = {"source": {"uri": (tmp_path / "photo.png").as_uri()}}
    demo.post("/v1/cutouts", json=body, headers={"Prefer": "wait=60"})
    answer = post(demo, "cutouts", photo, speckle_share="0.01")
    assert levels(answer)["key-pixels"] == gateway.settings.gateway_key_megapixels_per_minute * 10**6 - 2 * PIXELS


def test_who_waits_gets_work_at_once_and_who_does_not_gets_bulk(
    demo: Client, workers: Workers, photo: bytes, gateway: Gateway
) -> None:
    workers.let.clear()
    for share in ("0.01", "0.02"):
        assert post(demo, "cutouts", photo, wait_s=0, speckle_share=share).json()["lane"] == "urgent"
    refused = post(demo, "cutouts", photo, wait_s=1, speckle_share="0.03")
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert refused.json()["violated-policies"] == ["key-work"]
    assert (refused.headers["retry-after"], levels(refused)["key-work"]) == ("1", 0)
    demoted = post(demo, "cutouts", photo, wait_s=0, speckle_share="0.03")
    why = "urgent was asked for, and the quota is 2 pictures at work at once"
    assert (demoted.status_code, demoted.json()["lane"], demoted.json()["demoted"]) == (202, "bulk", why)
    same = post(demo, "cutouts", photo, wait_s=0, speckle_share="0.03")
    assert same.json()["demoted"] == why, "the same is at work, in bulk"
    workers.let.set()
    path = demoted.headers["location"].removeprefix(gateway.settings.gateway)
    while (found := demo.get(path)).status_code == 202:
        pass
    assert (found.status_code, found.headers["x-packshot-demoted"]) == (200, why)
    assert [task.lane for task in workers.tasks] == ["urgent", "urgent", "bulk"]
    assert workers.tasks[2].demoted == why
    while levels(post(demo, "cutouts", photo, speckle_share="0.01"))["key-work"] < 2:
        pass


@pytest.mark.usefixtures("_unfilled")
def test_what_a_full_lane_refuses_counts_towards_no_quota(demo: Client, workers: Workers, photo: bytes) -> None:
    before = levels(post(demo, "cutouts", photo))
    workers.others = {"cutout": 10**9}
    refused = post(demo, "cutouts", photo, speckle_share="0.01")
    assert (refused.status_code, levels(refused)["key-pixels"]) == (503, before["key-pixels"])
    assert levels(refused)["key-work"] == 2


def test_pixels_over_the_quota_are_refused_too_and_leave_no_work_behind(
    working: Gateway, key: str, photo: bytes, workers: Workers
) -> None:
    settings = replace(working.settings, gateway_key_megapixels_per_minute=1, gateway_tenant_megapixels_per_minute=0)
    app = build_app(replace(working, settings=settings))
    client: Client = TestClient(app)
    with client:
        client.headers["Authorization"] = f"Bearer {key}"
        (bucket,) = app.state.quotas.allowance(_key(working), "demo").pixels
        app.state.quotas.buckets.overdraw([bucket], 10**6)
        refused = post(client, "cutouts", photo)
        assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["key-pixels"])
        assert app.state.quotas.at_work.look(app.state.quotas.allowance(_key(working), "demo").work)[0].left == 2
    assert workers.tasks == []


def _key(gateway: Gateway) -> Any:
    from streams.facts.keys import ApiKeys

    (known,) = ApiKeys(gateway.database).every()
    return known
