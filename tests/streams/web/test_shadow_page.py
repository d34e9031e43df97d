"""Networks in the shadow on their page, and what is put back after a take-down."""

from collections.abc import Callable

import pytest

from schemas import codec
from schemas.records import ReplanRequested, RetractionDecided
from streams.facts import Database
from streams.services.display.showing import Shown
from streams.services.releases import shadows
from streams.web.place import Place
from tests.streams.flow import Flow, Recorder, done, published, tasks, upsert
from tests.streams.test_shadows import OTHER, compared, cutout
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]


def test_two_networks_are_seen_side_by_side(
    sign_in: SignIn, database: Database, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = compared(Flow(database), "<b>S1</b>", 0.4)
    mine, theirs = cutout(10, 30), cutout(20, 35)
    monkeypatch.setattr(type(place.showing), "blob", lambda *_: mine)
    monkeypatch.setattr(shadows, "made_by_other", lambda *_: theirs)
    client, task = sign_in("demo"), event.task.task_id
    page = client.get(f"/desk/demo/model?ref={OTHER}&task={task}").text
    assert "<b>S1</b>" not in page
    assert page.count("/model/picture?") == 3
    told = {what: picture(client, task, what) for what in ("used", "other", "difference")}
    assert told["used"] == mine
    assert told["other"] == theirs
    assert told["difference"] == shadows.difference(mine, theirs)
    assert client.get(f"/desk/demo/model/picture?ref={OTHER}&task={task}&what=all").status_code == 400
    assert client.get(f"/desk/demo/model/picture?ref=none@1&task={task}").status_code == 404
    assert "Side by side" in client.get("/desk/demo/model").text, "of the first that was compared"


def picture(client: Client, task: str, what: str) -> Shown:
    answer = client.get(f"/desk/demo/model/picture?ref={OTHER}&task={task}&what={what}&size=0")
    assert answer.status_code == 200, answer.text
    return Shown(answer.content, answer.headers["content-type"])


def test_who_only_looks_makes_no_pictures(sign_in: SignIn, database: Database) -> None:
    event = compared(Flow(database), "S1", 0.4)
    client, task = sign_in("demo", role="viewer"), event.task.task_id
    assert "/model/picture?" not in client.get(f"/desk/demo/model?ref={OTHER}&task={task}").text
    assert client.get(f"/desk/demo/model/picture?ref={OTHER}&task={task}").status_code == 403


def test_what_was_taken_down_is_put_back(sign_in: SignIn, database: Database, recorder: Recorder) -> None:
    flow = Flow(database)
    (cut,) = tasks(flow.say(upsert()))
    for task in tasks(flow.say(done(cut))):
        for request in flow.say(done(task)):
            flow.say(published(request))  # type: ignore[arg-type]
    assert set(flow.states().values()) == {"published"}
    client = sign_in("demo")
    assert "Take all down" in client.get("/desk/demo/products").text
    assert "Take down" in client.get("/desk/demo/shelf").text
    assert "Put back" not in client.get("/desk/demo/product?sku=A").text
    client.post("/desk/demo/product/take-down", data={"sku": "A", "reason": "logo"})
    flow.say(taken(recorder))
    assert "published" not in flow.states().values()
    assert "Put back" in client.get("/desk/demo/product?sku=A").text
    client.post("/desk/demo/product/again", data={"sku": "A", "reason": "it was right"})
    event = taken(recorder)
    assert isinstance(event, ReplanRequested)
    (again,) = tasks(flow.say(event))
    for task in tasks(flow.say(done(again))):
        flow.say(done(task))
    assert set(flow.states().values()) == {"published"}, "nobody had taken it away yet"
    viewer = sign_in("demo", role="viewer", name="eva")
    assert viewer.post("/desk/demo/product/again", data={"sku": "A"}).status_code == 403
    assert client.post("/desk/demo/product/again", data={"sku": "nothing"}).status_code == 404


def taken(recorder: Recorder) -> RetractionDecided | ReplanRequested:
    """What the desk sent last."""
    event = codec.decode(recorder.records[-1].value)
    assert isinstance(event, RetractionDecided | ReplanRequested)
    return event
