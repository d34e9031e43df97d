"""`packshot review --remote`: cases are listed, shown, decided and taken back through the API."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import codec
from schemas.records import DecisionUndone, ReviewDecided
from streams.client import Client
from streams.client.problems import NotFound
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.services.review import cases, remote_review
from streams.services.review.cases import Decision, Wanted
from tests.streams.case_flow import CHANNELS, case_of, requested_reviews
from tests.streams.client.test_remote import packshot
from tests.streams.flow import Flow, Recorder, upsert


@pytest.fixture
def flow(database: Database) -> Flow:
    return Flow(database)


@pytest.fixture
def case_id(flow: Flow) -> str:
    return case_of(requested_reviews(flow, upsert(channels=CHANNELS)))


@pytest.fixture
def client(url: str, key: str) -> Iterator[Client]:
    with Client(url, key) as opened:
        yield opened


def test_cases_are_the_same_as_here(client: Client, database: Database, case_id: str) -> None:
    assert remote_review.every(client, Wanted()) == cases.every(database, Wanted())
    assert remote_review.every(client, Wanted(older_than_s=3600.0)) == []
    assert remote_review.every(client, Wanted(channel="ebay", check="cutout.uncertainty")) != []
    assert remote_review.get(client, case_id).summary == cases.get(database, "demo", case_id).summary


def test_ids_are_shortened_and_what_is_not_there_is_reported(client: Client, case_id: str) -> None:
    assert remote_review.find(client, case_id[:8]) == case_id
    with pytest.raises(Refused, match="no case that waits"):
        remote_review.find(client, "zz")
    with pytest.raises(NotFound):
        remote_review.get(client, remote_review.find(client, "0" * 64))


def test_a_decision_is_sent_and_taken_back(client: Client, flow: Flow, recorder: Recorder, case_id: str) -> None:
    waiting = remote_review.get(client, case_id).summary.waiting
    decision = remote_review.decide(client, case_id, Decision(outcome="approve", reason="good"), "ada")
    assert (decision.case_id, decision.outcome, decision.assets) == (case_id, "approve", waiting)
    (record,) = recorder.records
    decided = codec.decode(record.value)
    assert isinstance(decided, ReviewDecided)
    assert (decided.case, decided.decided_by, decided.reason) == (case_id, "api/shop/ada", "good")
    flow.deliver(record)
    undone = remote_review.undo(client, case_id, "wrong one")
    assert isinstance(undone, DecisionUndone)
    assert undone.decision == decided


def test_the_command_goes_through_the_api(
    tmp_path: Path, url: str, key: str, recorder: Recorder, database: Database, case_id: str
) -> None:
    waiting = cases.get(database, "demo", case_id).summary.waiting
    around = {"PACKSHOT_REMOTE": url, "PACKSHOT_REMOTE_KEY": key}
    status, out, err = packshot(tmp_path, "review", "list", "--json", **around)
    assert (status, [each["case_id"] for each in json.loads(out)]) == (0, [case_id]), err
    status, out, err = packshot(tmp_path, "review", "approve", "--case", case_id[:9], "--by", "ada", **around)
    assert (status, f"approved case {case_id[:12]}: {waiting} assets" in out) == (0, True), err
    assert len(recorder.records) == 1
    status, _, err = packshot(tmp_path, "review", "approve", "0123", **around)
    assert (status, "--case" in err) == (2, True)
