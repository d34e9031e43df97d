"""Whatever is live and seen on a page can be taken down from there, and what let it pass can be taken back."""

import pytest

from schemas import codec
from schemas.records import DecisionUndone, PictureRated, PublishRequested
from streams.facts import Database
from streams.services.review import sampling
from tests.streams.flow import Flow, Recorder, done, published, tasks, upsert
from tests.streams.test_lapsing import Kept, asked, live_by_approval, released
from tests.streams.web.conftest import SignIn

TAKES_DOWN = 'action="/desk/demo/product/take-down"'


@pytest.fixture
def asked_again(database: Database) -> str:
    """A picture that is live by an approval, and about which newer rules ask; the id of its review."""
    flow = Kept(database)
    live_by_approval(flow)
    return asked(flow, released(flow, "2026-11.2", 0.88)).review_id


@pytest.mark.usefixtures("asked_again")
def test_what_is_asked_about_again_is_live_meanwhile_and_can_be_taken_down(sign_in: SignIn) -> None:
    client = sign_in("demo")
    for page in ("quality", "product?sku=A", "products"):
        assert TAKES_DOWN in client.get(f"/desk/demo/{page}").text, page
    viewer = sign_in("demo", role="viewer", name="eva")
    assert TAKES_DOWN not in viewer.get("/desk/demo/quality").text


def test_what_let_it_pass_can_be_taken_back(sign_in: SignIn, asked_again: str, recorder: Recorder) -> None:
    client = sign_in("demo")
    assert "Take the decision back" in client.get("/desk/demo/product?sku=A").text
    client.post("/desk/demo/product/undo", data={"review": asked_again, "reason": "wrong key"})
    (event,) = [codec.decode(each.value) for each in recorder.records]
    assert isinstance(event, DecisionUndone)
    assert (event.decision.review_id, event.version, event.decided_by) == (asked_again, 2, "desk/ada")


@pytest.mark.parametrize(("right", "is_offered"), [("no", True), ("yes", False)])
def test_what_is_live_and_wrong_by_a_second_look_can_be_taken_down(
    right: str, is_offered: bool, sign_in: SignIn, database: Database, recorder: Recorder
) -> None:
    flow = Flow(database)
    (cut,) = tasks(flow.say(upsert(sku="<b>S1</b>")))
    for task in tasks(flow.say(done(cut))):
        for request in flow.say(done(task)):
            if isinstance(request, PublishRequested):
                flow.say(published(request))
    with database.read() as facts:
        seen = sampling.sample("demo", facts).next_for("desk/ada")
    assert seen is not None
    client = sign_in("demo")
    assert TAKES_DOWN not in client.get("/desk/demo/sample").text, "nothing tells which are live"
    answer = client.post(
        "/desk/demo/sample/rate", data={"picture": seen.digest, "right": right, "reason": "the colour"}
    )
    assert (TAKES_DOWN in answer.text) == is_offered
    assert "<b>S1</b>" not in answer.text
    (event,) = [codec.decode(each.value) for each in recorder.records]
    assert isinstance(event, PictureRated)
    assert event.is_right != is_offered
