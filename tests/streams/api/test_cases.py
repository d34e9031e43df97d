"""Review cases over HTTP: read, claimed and decided, each tenant's apart."""

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from schemas import codec
from schemas.records import RetractRequested, ReviewDecided
from streams.facts import Database
from streams.services.access import keys
from tests.streams.case_flow import CHANNELS, case_of, requested_reviews
from tests.streams.flow import Flow, Recorder, upsert
from tests.streams.test_lapsing import Kept, asked, live_by_approval, released, said

Client = TestClient[ASGIApp]


@pytest.fixture
def case_id(database: Database) -> str:
    return case_of(requested_reviews(Flow(database), upsert(channels=CHANNELS)))


def test_a_case_is_listed_read_claimed_and_decided(demo: Client, case_id: str, recorder: Recorder) -> None:
    listed = demo.get("/v1/reviews/cases", params={"check": "cutout.uncertainty", "channel": "ebay"}).json()
    assert [(each["case_id"], each["waiting"]) for each in listed["items"]] == [(case_id, 4)]
    assert demo.get("/v1/reviews/cases", params={"older_than": "2h"}).json()["items"] == []
    read = demo.get(f"/v1/reviews/cases/{case_id}").json()
    assert read["checks"][0]["name"] == "cutout.uncertainty"
    claim = demo.post(f"/v1/reviews/cases/{case_id}/claim", json={"holder": "ada"}).json()
    other = demo.post(f"/v1/reviews/cases/{case_id}/claim", json={"holder": "bob"})
    assert (other.status_code, other.json()["code"]) == (409, "case_claimed")
    kept = demo.post(f"/v1/reviews/cases/{case_id}/claim", json={"holder": "ada", "epoch": claim["epoch"]})
    assert kept.json()["until_ms"] >= claim["until_ms"]
    late = {"outcome": "approve", "epoch": claim["epoch"] + 1}
    refused = demo.post(f"/v1/reviews/cases/{case_id}/decision", params={"holder": "ada"}, json=late)
    assert (refused.status_code, refused.json()["code"]) == (409, "claim_lost")
    answer = demo.post(
        f"/v1/reviews/cases/{case_id}/decision", params={"holder": "ada"}, json={**late, "epoch": claim["epoch"]}
    )
    assert (answer.status_code, answer.json()["assets"]) == (202, 4)
    (event,) = (codec.decode(record.value) for record in recorder.records)
    assert isinstance(event, ReviewDecided)
    assert (event.case, event.decided_by, event.approved) == (case_id, "api/shop/ada", True)


def test_what_is_wrong_is_named(demo: Client, case_id: str, recorder: Recorder) -> None:
    path = f"/v1/reviews/cases/{case_id}/decision"
    wrong = demo.post(path, json={"outcome": "redo", "step": "cutout", "parameters": {"subject": "half"}})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "parameters.subject")
    wrong = demo.post(path, json={"outcome": "redo", "retouch": {"marks": [{"type": "click", "x": 7}]}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_event")
    assert demo.get("/v1/reviews/cases", params={"older_than": "long"}).json()["field"] == "older_than"
    assert demo.get("/v1/reviews/cases", params={"cursor": "x"}).json()["code"] == "bad_cursor"
    assert recorder.records == []


def test_who_rejects_a_picture_that_is_live_by_rules_of_before_takes_it_down(
    demo: Client, database: Database, recorder: Recorder
) -> None:
    flow = Kept(database)
    live_by_approval(flow)
    review = asked(flow, released(flow, "2026-11.2", 0.88))
    answer = demo.post(f"/v1/reviews/{review.review_id}/decision", json={"approved": False, "reason": "too small"})
    assert answer.status_code == 202
    _, gone = said(flow, recorder)
    assert isinstance(gone, RetractRequested)
    assert gone.assets == ["amazon-1"]


def test_a_test_key_decides_nothing(client: Client, database: Database, case_id: str, recorder: Recorder) -> None:
    text, _ = keys.create(database, "trial", ("demo",), mode="test")
    headers = {"Authorization": f"Bearer {text}"}
    answer = client.post(f"/v1/reviews/cases/{case_id}/decision", json={"outcome": "approve"}, headers=headers)
    assert answer.status_code == 202
    assert recorder.records == []
    claimed = client.post(f"/v1/reviews/cases/{case_id}/claim", json={"holder": "ada"}, headers=headers)
    assert claimed.status_code == 200, "nobody has said anything of it"


def test_no_picture_but_the_cases_own_is_read(demo: Client, case_id: str) -> None:
    answer = demo.get(f"/v1/reviews/cases/{case_id}/picture", params={"digest": "0" * 64})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_picture")
