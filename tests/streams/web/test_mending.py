"""Mending at the desk: marks are made in a real browser, seen, sent, and kept as they were made."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from gpu_workers.pools.answers import SUBJECT, Answers, answers_id, keep
from gpu_workers.pools.outputs import code_fingerprint
from schemas import codec, retouching
from schemas.records import CutoutRetouched, ModelReleased, TaskCompleted
from schemas.retouching import Box, Brush, Click, Retouch, Scribble
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.services.display.showing import Shown
from streams.services.review import cases, masks, mending
from streams.services.review.mending import PreviewRequest, Seen
from streams.services.submitting.progress import Progress
from streams.web.place import Place
from tests.servers import skip_or_fail
from tests.streams.case_flow import CHANNELS, case_of, finished, requested_reviews, retouch
from tests.streams.flow import Flow, Recorder, tasks, upsert
from tests.streams.web import desk_world
from tests.streams.web.browsing import NoBrowser, chromium, opened
from tests.streams.web.conftest import Client
from tests.streams.web.desk_world import TENANT, DeskWorld

SignIn = Callable[..., Client]
MARKS = Retouch(marks=[Scribble(points=[(0.2, 0.3), (0.4, 0.3)], radius=0.01, keep=True)])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as opened_one:
            yield opened_one
    except NoBrowser as missing:
        skip_or_fail(str(missing))


def picture(width: int = 80, height: int = 80) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), (20, 120, 80)).save(written, "PNG")
    return written.getvalue()


def test_a_preview_names_a_case_that_is_ones_own(sign_in: SignIn, database: Database) -> None:
    case_id = case_of(requested_reviews(Flow(database)))
    body = {"case": case_id, "step": "packshot", "parameters": {"colour": "red"}}
    ours, other = sign_in("demo"), sign_in("other", name="eve")
    assert other.post("/desk/other/mend/preview", json=body).status_code == 404
    refused = ours.post("/desk/demo/mend/preview", json={**body, "step": "cutout"})
    assert (refused.status_code, "colour" in refused.text) == (422, True)
    assert ours.post("/desk/demo/mend/preview", json={**body, "review": "0" * 64}).status_code == 404
    assert ours.post("/desk/demo/mend/preview", json={**body, "marks": []}).status_code == 400
    assert sign_in("demo", role="viewer", name="eva").post("/desk/demo/mend/preview", json=body).status_code == 403


def test_what_is_tried_is_made_by_the_recipe_with_a_persons_word_over_it(database: Database) -> None:
    flow = Flow(database)
    case_id = case_of(requested_reviews(flow, upsert(channels=CHANNELS)))
    wanted = PreviewRequest(case=case_id, parameters={"speckle_share": "0.01"})

    def parameters() -> dict[str, str]:
        with database.read() as facts:
            review = facts.cases.reviews(case_id)[0]
            return mending._cutout_parameters(review.request.completed.task, wanted, facts)

    assert parameters() == {"speckle_share": "0.01"}
    (again,) = tasks(flow.say(retouch(strokes="c" * 64)))
    finished(flow, [again], {"uncertainty": 0.5}, {})
    assert parameters() == {"speckle_share": "0.01", "retouch": "c" * 64}, (
        "of a word its parameters go, its strokes stay"
    )


def test_another_network_may_be_chosen_but_for_one_that_is_recalled(sign_in: SignIn, database: Database) -> None:
    case_id = case_of(requested_reviews(Flow(database)))

    def page() -> str:
        return str(sign_in("demo").get("/desk/demo/mend", params={"case": case_id}).text)

    assert "u2netp@1 | u2netp-fast@1" in page() or "u2netp-fast@1 | u2netp@1" in page()
    with database.begin() as facts:
        facts.models.put_release(
            ModelReleased(operation="cutout", model="u2netp-fast@1", stage="withdrawn", recall=True, released_at_ms=1)
        )
    assert "u2netp-fast@1" not in page()
    assert "u2netp@1" in page()


def test_another_network_is_asked_anew(place: Place, database: Database) -> None:
    """What the one of before said is kept for the same one only."""
    flow = Flow(database)
    case_of(requested_reviews(flow, upsert(channels=CHANNELS)))
    made_by = made_cutout(database)
    making = mending._Making(place.settings, place.blobs, Reads())  # type: ignore[arg-type]
    identity = answers_id("p" * 64, made_by.engine, None)
    known = Answers()
    known.seeing(SUBJECT, lambda picture: np.ones(picture.shape[:2], np.float32))(np.zeros((8, 8, 3), np.uint8))
    keep(place.blobs, identity, known)
    assert making._answers("p" * 64, {}, made_by).known
    assert not making._answers("p" * 64, {"model": "u2netp-fast@1"}, made_by).known


class Reads:
    """A studio that reads nothing."""

    def reader(self) -> None:
        return None


def made_cutout(database: Database) -> TaskCompleted:
    """What made the first cutout that there is, as if this code had."""
    with database.read() as facts:
        review = facts.reviews.every()[0]
        found = mending._cut_by(review.request.completed.task, facts)
    assert found is not None
    return msgspec.structs.replace(found, engine=f"{'e' * 16}+{code_fingerprint('cutout')[:16]}")


def test_marks_of_before_are_there_to_go_on_from(sign_in: SignIn, place: Place, database: Database) -> None:
    flow = Flow(database)
    case_id = case_of(requested_reviews(flow))
    client = sign_in("demo")
    assert client.get("/desk/demo/mend/marks", params={"case": case_id}).json() is None
    digest = place.blobs.put(retouching.written(MARKS), retouching.MEDIA_TYPE)
    flow.say(retouch(strokes=digest))
    written = client.get("/desk/demo/mend/marks", params={"case": case_id}).content
    assert msgspec.json.decode(written, type=Retouch) == MARKS


def test_a_mask_is_kept_and_a_text_is_none(sign_in: SignIn, place: Place, database: Database) -> None:
    case_id = case_of(requested_reviews(Flow(database)))
    client = sign_in("demo")
    address = f"/desk/demo/mend/mask?case={case_id}"
    kept = client.post(address, files={"mask": ("mask.png", picture(), "image/png")})
    assert kept.status_code == 201, kept.text
    assert place.blobs.get(kept.json()["mask"]) == picture()
    assert client.post(address, files={"mask": ("mask.png", b"no picture", "image/png")}).status_code == 422
    assert client.post(address, data={"mask": "text"}).status_code in (400, 422)


def test_strokes_begin_from_no_mask_of_another_tenant(sign_in: SignIn, place: Place, database: Database) -> None:
    case_id = case_of(requested_reviews(Flow(database)))
    client = sign_in("demo")
    theirs = mending.keep_mask(place.blobs, "other", picture(90))
    body: dict[str, Any] = {"case": case_id, "retouch": {"mask": theirs}}
    refused = client.post("/desk/demo/mend/preview", json=body)
    assert (refused.status_code, "no mask" in refused.text) == (422, True)
    redo = cases.Decision(outcome="redo", step="cutout", retouch=Retouch(mask=theirs))
    with pytest.raises(Refused, match="no mask"):
        decided(place, case_id, redo)
    assert mending.keep_mask(place.blobs, "demo", picture(90)) == theirs
    assert decided(place, case_id, redo) == 1


def test_a_mask_that_was_sent_before_masks_were_noted_may_stay(place: Place) -> None:
    before = Retouch(mask=place.blobs.put(picture(91)))
    known = retouch(strokes=place.blobs.put(retouching.written(before)))
    masks.check(place.blobs, "demo", msgspec.structs.replace(before, marks=MARKS.marks), known)
    with pytest.raises(Refused, match="no mask"):
        masks.check(place.blobs, "demo", before, None)


def decided(place: Place, case_id: str, decision: cases.Decision) -> int:
    """The place of a person's word among those on a case; it is checked, not sent."""
    about: dict[str, Any] = {"blobs": place.blobs, "is_trial": True, "twice_share": 0.0}
    return cases.decide(place.database, Recorder(), "demo", case_id, decision, "ada", **about).version


def drag(page: Page, *places: tuple[float, float]) -> None:
    """A stroke over the board, by shares of its width and height."""
    box = page.locator("#board").bounding_box()
    assert box is not None
    (left, top), *others = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=5)
    page.mouse.up()


def seen_at_once(monkeypatch: pytest.MonkeyPatch) -> list[PreviewRequest]:
    """Previews answer a plain picture, and what was asked of them is kept."""
    requests: list[PreviewRequest] = []

    def preview(*arguments: Any) -> Seen:
        requests.append(arguments[-1])
        shown = Shown(picture(), "image/png")
        return Seen(shown, shown, None, {"uncertainty": 0.1})

    monkeypatch.setattr(mending, "preview", preview)
    return requests


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    with desk_world.running(tmp_path, doubtful=1) as made:
        yield made


def mended(browser: Browser, world: DeskWorld) -> Page:
    """The page on which the world's first case is marked."""
    (first, *_) = cases.page(world.database, cases.Wanted(tenant=TENANT)).items
    page = opened(browser, world.link("reviewer")).page
    page.goto(f"{world.base_url}/desk/{TENANT}/mend?case={first.case_id}")
    page.wait_for_selector("#mend[data-ready]")
    return page


def retouches(world: DeskWorld) -> list[CutoutRetouched]:
    events = [codec.decode(each.value) for each in world.recorder.records]
    return [each for each in events if isinstance(each, CutoutRetouched)]


def test_every_kind_of_mark_is_made_seen_and_sent(
    browser: Browser, world: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = seen_at_once(monkeypatch)
    page = mended(browser, world)
    drag(page, (0.4, 0.5), (0.6, 0.5))
    page.keyboard.press("x")
    page.keyboard.press("b")
    drag(page, (0.5, 0.3), (0.5, 0.4))
    page.keyboard.press("o")
    page.keyboard.press("k")
    drag(page, (0.3, 0.2), (0.7, 0.8))
    page.keyboard.press("c")
    drag(page, (0.5, 0.5))
    drag(page, (0.6, 0.6))
    page.keyboard.press("u")
    page.wait_for_selector("#mend[data-marks='4']")
    assert page.is_disabled("#send"), "nothing is sent that was not seen"
    page.keyboard.press("p")
    page.wait_for_selector("#send:not([disabled])")
    page.keyboard.press("k")
    page.fill("#reason", "the rim")
    page.click("#send")
    page.wait_for_url("**/review")
    (event,) = retouches(world)
    assert (event.approved, event.reason, event.decided_by) == (True, "the rim", "desk/ada")
    assert event.strokes is not None
    kept = retouching.read(Place.of(world_stores(world)).blobs.get(event.strokes))
    assert kept.marks == (requests[0].retouch or kept).marks
    assert [type(each) for each in kept.marks] == [Scribble, Brush, Box, Click]
    assert [each.keep for each in kept.marks] == [True, False, True, True]
    page.context.close()


def world_stores(world: DeskWorld) -> Any:
    """A desk's stores."""

    class Stores:
        settings, database, producer = world.settings, world.database, world.recorder
        progress = Progress(world.settings)

    return Stores()


def test_marks_are_made_by_keyboard_too(browser: Browser, world: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = seen_at_once(monkeypatch)
    page = mended(browser, world)
    page.focus("#board")
    for key in ("ArrowLeft", " ", "x", "o", " ", "ArrowRight", "ArrowDown", " "):
        page.keyboard.press(key)
    page.wait_for_selector("#mend[data-marks='2']")
    page.keyboard.press("p")
    page.wait_for_selector("#send:not([disabled])")
    marks = (requests[0].retouch or MARKS).marks
    assert [(type(each), each.keep) for each in marks] == [(Scribble, True), (Box, False)]
    page.keyboard.press("v")
    page.keyboard.press("u")
    assert page.is_disabled("#send"), "what is sent is what was seen"
    page.context.close()


def test_the_background_is_picked_from_the_photograph(
    browser: Browser, world: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = seen_at_once(monkeypatch)
    page = mended(browser, world)
    page.click("#picture-more summary")
    page.click("#pick")
    drag(page, (0.5, 0.1))
    colour = page.input_value("#asset-parameters [name='background.color']")
    assert len(colour) == 7
    page.click("#see-asset")
    page.wait_for_selector("#send:not([disabled])")
    (wanted,) = requests
    assert (wanted.step, wanted.parameters, wanted.retouch) == ("transparent", {"background.color": colour}, None)
    page.click("#send")
    page.wait_for_url("**/review")
    (event,) = [codec.decode(each.value) for each in world.recorder.records]
    assert (event.redo, event.parameters) == (True, {"background.color": colour})  # type: ignore[union-attr]
    page.context.close()


def test_a_picture_is_straightened_by_a_line(
    browser: Browser, world: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along what should be upright: a line that leans to the right by 5 of 40 has the picture turned back by it."""
    wishes = seen_at_once(monkeypatch)
    page = mended(browser, world)
    page.keyboard.press("t")
    drag(page, (0.5, 0.7), (0.5, 0.3))
    box = page.locator("#board").bounding_box()
    assert box is not None
    across = 0.05 * box["height"] / box["width"]
    assert float(page.input_value("#asset-parameters [name='straighten.angle']")) == pytest.approx(0, abs=0.3)
    drag(page, (0.5, 0.7), (0.5 + across, 0.3))
    lean = float(page.input_value("#asset-parameters [name='straighten.angle']"))
    assert lean == pytest.approx(-7.1, abs=0.4)
    assert page.get_attribute("#mend", "data-marks") == "0", "a line is no mark"
    assert page.input_value("#turn") == str(lean)
    page.fill("#asset-parameters [name='straighten.angle']", "3")
    assert page.input_value("#turn") == "3"
    page.click("#see-asset")
    page.wait_for_selector("#send:not([disabled])")
    assert wishes[0].parameters == {"straighten.angle": "3"}
    page.context.close()


def test_what_is_made_again_is_seen_before_it_is_sent(
    browser: Browser, world: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = seen_at_once(monkeypatch)
    page = opened(browser, world.link("reviewer")).page
    page.goto(f"{world.base_url}/desk/{TENANT}/review")
    page.wait_for_selector("#review[data-case]")
    page.keyboard.press("e")
    page.select_option("#step", "transparent")
    page.fill("#parameters [name='padding']", "0.2")
    page.fill("#again-why", "too large")
    assert page.is_disabled("#again-say"), "nothing is sent that was not seen"
    page.click("#again-see")
    page.wait_for_selector("#again-say:not([disabled])")
    assert page.is_visible("#again-picture")
    page.fill("#parameters [name='padding']", "0.1")
    assert page.is_disabled("#again-say"), "what is sent is what was seen"
    page.click("#again-see")
    page.wait_for_selector("#again-say:not([disabled])")
    page.click("#again-say")
    page.goto(f"{world.base_url}/desk/{TENANT}/products")  # which sends what waits
    while not world.recorder.records:
        page.wait_for_timeout(50)
    (event,) = [codec.decode(each.value) for each in world.recorder.records]
    assert (event.redo, event.parameters, event.reason) == (True, {"padding": "0.1"}, "too large")  # type: ignore[union-attr]
    assert [each.parameters for each in wishes] == [{"padding": "0.2"}, {"padding": "0.1"}]
    page.context.close()


@pytest.mark.long
def test_marks_count_whatever_the_network_sees(world: DeskWorld) -> None:
    """A real network, real strokes."""
    (first, *_) = cases.page(world.database, cases.Wanted(tenant=TENANT)).items
    place = Place.of(world_stores(world))
    marks = Retouch(marks=[Box(left=0.2, top=0.2, right=0.8, bottom=0.8, keep=True), *MARKS.marks])
    seen = mending.preview(
        place.settings, place.database, place.blobs, TENANT, PreviewRequest(case=first.case_id, retouch=marks)
    )
    assert seen.cutout is not None
    assert seen.asset is not None
    assert seen.verdict is not None
    alpha = np.asarray(Image.open(io.BytesIO(seen.cutout.data)).convert("RGBA"))[..., 3]
    height, width = alpha.shape
    assert not alpha[: round(0.19 * height)].any(), "nothing is product outside the box"
    assert alpha[round(0.3 * height), round(0.3 * width)] == 255, "what lies under a scribble is product"
