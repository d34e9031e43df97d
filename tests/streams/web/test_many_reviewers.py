"""Fifty people at the desk at once, on both databases: nobody meets an error, and every case is decided once."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import uvicorn

from infra.servers.process import free_port
from schemas import codec
from schemas.records import ReviewDecided
from streams.facts import Database
from streams.runtime.settings import Settings
from streams.services.access import sessions
from streams.services.display.showing import Showing
from streams.services.review import cases
from streams.web.app import build
from streams.web.place import Place
from streams.web.visitors import COOKIE
from tests.streams.case_flow import requested_reviews
from tests.streams.flow import Flow, Recorder, upsert

PEOPLE, CASES = 50, 200
WITHIN_S = 300.0


@pytest.fixture
def database(either_database: Database) -> Database:
    return either_database


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def address(database: Database, recorder: Recorder, tmp_path: Path) -> Iterator[str]:
    """A desk that listens."""
    settings = Settings(data_folder=tmp_path, gateway_port=free_port(), kafka_bootstrap_servers="127.0.0.1:1")
    app = build(Place(settings, database, recorder, Showing(settings)))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=settings.gateway_port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    yield settings.gateway
    server.should_exit = True
    thread.join()


def reviewing(address: str, database: Database, number: int) -> Counter[int]:
    """Somebody who decides whatever comes until nothing does; how often each status was answered."""
    link = sessions.link(database, f"person-{number}", ("demo",), "reviewer")
    token, _ = sessions.enter(database, link)
    headers = {"X-Form-Token": sessions.form_token(token)}
    statuses: Counter[int] = Counter()
    with httpx.Client(base_url=address, cookies={COOKIE: token}, headers=headers, timeout=WITHIN_S) as client:
        while True:
            answer = client.post("/desk/demo/review/next", json={})
            statuses[answer.status_code] += 1
            if answer.status_code != 200 or (found := answer.json()) is None:
                return statuses
            held = {"case": found["claim"]["case_id"], "epoch": found["claim"]["epoch"]}
            kept = client.post("/desk/demo/review/keep", json=held)
            decision = {"outcome": "approve", "epoch": held["epoch"]}
            decided = client.post("/desk/demo/review/decide", json={"case": held["case"], "decision": decision})
            statuses.update((kept.status_code, decided.status_code))


@pytest.mark.long
def test_fifty_people_meet_no_error_and_decide_each_case_once(
    address: str, database: Database, recorder: Recorder
) -> None:
    flow = Flow(database)
    for number in range(CASES):
        requested_reviews(flow, upsert(sku=f"S{number}", photo=f"{number}.jpg"))
    waiting = {each.case_id for each in cases.every(database, cases.Wanted(tenant="demo"))}
    assert len(waiting) == CASES
    with ThreadPoolExecutor(PEOPLE) as people:
        found = sum(people.map(lambda number: reviewing(address, database, number), range(PEOPLE)), Counter[int]())
    assert set(found) == {200, 202}, found
    assert found[202] == CASES
    events = [codec.decode(each.value) for each in recorder.records]
    decided = [event.case for event in events if isinstance(event, ReviewDecided)]
    assert len(decided) == len(set(decided)) == CASES
    assert set(decided) == waiting
