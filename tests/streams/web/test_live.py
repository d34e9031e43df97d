"""What pages are told while somebody looks: whose it is, when it is told, and that it ends."""

import pytest

from streams.facts import Database
from streams.web.routes import live
from tests.streams.case_flow import requested_reviews
from tests.streams.flow import Flow, upsert
from tests.streams.web.conftest import SignIn


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LIVES_S", 1.0)
    monkeypatch.setattr(live, "TICK_S", 0.05)


def told(text: str) -> list[tuple[str, str]]:
    """The events of a stream: the name and the data of each."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(": ") for line in block.splitlines()]
        names = [value for key, _, value in lines if key == "event"]
        if names:
            found.append((names[0], "\n".join(value for key, _, value in lines if key == "data")))
    return found


def test_parts_are_told_once_and_again_only_when_they_are_others(sign_in: SignIn, database: Database) -> None:
    requested_reviews(Flow(database), upsert(sku="<script>alert(1)</script>"))
    answer = sign_in("demo").get("/desk/demo/live?parts=waiting,lanes")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    events = told(answer.text)
    assert [name for name, _ in events] == ["waiting", "lanes"], "nothing changed in that second"
    assert events[0][1] == "1"
    assert "Tasks that wait" in events[1][1]
    assert "<script" not in answer.text


def test_what_changes_is_told(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100))
    monkeypatch.setitem(live.PARTS, "waiting", live.Part(lambda *_: str(next(numbers)), 0.1))
    events = told(sign_in("demo").get("/desk/demo/live?parts=waiting").text)
    assert len(events) > 2
    assert [data for _, data in events] == [str(number) for number in range(len(events))]


def test_a_tenant_hears_of_its_own(sign_in: SignIn, database: Database) -> None:
    requested_reviews(Flow(database))
    client = sign_in("other")
    assert told(client.get("/desk/other/live?parts=waiting").text) == [("waiting", "0")]
    assert client.get("/desk/demo/live?parts=waiting").status_code == 404
    assert sign_in().get("/desk/demo/live?parts=waiting", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    ("query", "status"), [("parts=readers", 403), ("parts=secrets", 404), ("parts=", 200), ("", 200)]
)
def test_what_is_not_there_or_not_yours_is_no_stream(sign_in: SignIn, query: str, status: int) -> None:
    answer = sign_in("demo", role="viewer").get(f"/desk/demo/live?{query}")
    assert answer.status_code == status
    assert told(answer.text) == []


def test_where_the_broker_is_away_the_part_says_so(sign_in: SignIn) -> None:
    (event,) = told(sign_in("demo", role="operator").get("/desk/demo/live?parts=readers").text)
    assert event[0] == "readers"
    assert "does not answer" in event[1]


def test_a_gateway_that_has_enough_listeners_refuses_and_counts_none_twice(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STREAMS_MAX", 1)
    client = sign_in("demo")
    for _ in range(2):
        assert client.get("/desk/demo/live?parts=waiting").status_code == 200
    monkeypatch.setattr(live._Open, "count", 1)
    assert client.get("/desk/demo/live?parts=waiting").status_code == 503
