"""A recipe's page: what a draft makes of a product is seen with the gates' word, and only then released."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image
from playwright.sync_api import Browser

from gpu_workers.local.studio import Made
from schemas import codec
from schemas.records import Check, RecipeReleased, Verdict
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.access import sessions
from streams.services.releases import preview, recipe_drafts
from streams.services.releases.preview_page import Entry, Shown
from streams.web.place import Place
from tests.e2e.system import draw_product
from tests.servers import skip_or_fail
from tests.streams.flow import Flow, Recorder, upsert
from tests.streams.web import desk_world
from tests.streams.web.browsing import NoBrowser, chromium, opened
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]
AT = "/desk/demo/recipe"
PADDED = recipe_drafts.begun("packshot", "amazon").replace("amazon}", "amazon, parameters: {padding: 0.15}}")


@pytest.fixture
def known(database: Database) -> Flow:
    flow = Flow(database)
    flow.say(replace(upsert(channels=["amazon"]), sku="MUG"))
    return flow


def test_a_page_begins_with_the_next_version(sign_in: SignIn, known: Flow) -> None:
    assert known
    page = sign_in("demo").get(AT, params={"name": "marketplace"}).text
    assert "name: marketplace\nversion: 2\n" in page
    assert 'value="MUG"' in page
    assert sign_in("demo").get(AT, params={"name": "nothing"}).status_code == 404
    begun = sign_in("demo").get(AT, params={"operation": "packshot", "channel": "amazon"}).text
    assert "{operation: packshot, channel: amazon}" in begun
    assert sign_in("demo").get(AT, params={"operation": "packshot", "channel": "<b>"}).status_code == 404


def test_what_is_wrong_with_a_draft_is_reported_with_its_line(sign_in: SignIn) -> None:
    client = sign_in("demo")
    answer = client.post(f"{AT}/check", json={"text": "name: x\nversion: 1\nsteps:\n  - operation: nothing\n"})
    assert answer.status_code == 422
    assert "4" in answer.text
    assert "nothing" in answer.text
    defaults = client.post(f"{AT}/check", json={"text": "tenant: demo\nversion: 1\ndefaults: []\n"})
    assert defaults.status_code == 422
    old = client.post(f"{AT}/check", json={"text": "name: marketplace\nversion: 1\nsteps:\n  - operation: cutout\n"})
    assert old.status_code == 422
    assert client.post(f"{AT}/check", json={"text": "x" * 70_000}).status_code == 422


def test_a_release_tells_what_is_made_again_and_is_an_operators_of_all(
    sign_in: SignIn, known: Flow, recorder: Recorder, database: Database
) -> None:
    known.say(replace(upsert(channels=["amazon"]), sku="B", tenant="other"))
    with database.read() as facts:
        text = recipe_drafts.draft("marketplace", facts).text
    text = text.replace("each: channel", "each: channel\n        parameters: {padding: 0.15}")
    own = sign_in("demo", role="operator")
    assert own.post(f"{AT}/check", json={"text": text}).json() == {"ref": "marketplace@2", "own": 1, "all": 1}
    assert own.post(f"{AT}/release", json={"text": text}).status_code == 403
    every = sign_in("*", role="operator", name="root")
    page = every.post(f"{AT}/release", json={"text": text, "reason": "more air"})
    assert (page.status_code, page.json()) == (202, {"ref": "marketplace@2", "own": 1, "all": 2})
    (event,) = [codec.decode(each.value) for each in recorder.records]
    assert isinstance(event, RecipeReleased)
    assert (event.recipe, event.version, event.reason, event.released_by) == ("marketplace", 2, "more air", "desk/root")
    assert event.text == text


def test_a_draft_is_seen_on_a_product_with_what_does_not_pass(tmp_path: Path, database: Database) -> None:
    """By the operations' own code; the cutout is that of a product drawn on white."""
    draw_product(tmp_path / "MUG.png", (170, 40, 60))
    settings = Settings(data_folder=tmp_path / "data", source_file_roots=[str(tmp_path)])
    event = upsert(channels=["amazon"])
    source = replace(event.sources[0], uri=(tmp_path / "MUG.png").as_uri(), sha256=None)
    Flow(database).say(replace(event, sku="MUG", sources=[source]))
    (entry,) = recipe_drafts.seen(settings, database, "demo", "MUG", PADDED)
    (picture,) = entry.pictures
    assert picture.outcome == "fail", picture.why  # 70 % of the canvas is too little there
    assert picture.made is not None
    assert Image.open(io.BytesIO(picture.made.file)).width >= 1000
    with pytest.raises(Refused, match="no product"):
        recipe_drafts.seen(settings, database, "other", "MUG", PADDED)


def test_a_gateway_reads_no_file_that_it_may_not(tmp_path: Path, database: Database) -> None:
    """The command reads whatever its user may; a page does not."""
    draw_product(tmp_path / "MUG.png", (170, 40, 60))
    settings = Settings(data_folder=tmp_path / "data")
    event = upsert(channels=["amazon"])
    source = replace(event.sources[0], uri=(tmp_path / "MUG.png").as_uri(), sha256=None)
    Flow(database).say(replace(event, sku="MUG", sources=[source]))
    (entry,) = recipe_drafts.seen(settings, database, "demo", "MUG", PADDED)
    assert entry.pictures[0].made is None
    assert "source" in entry.pictures[0].why


def test_the_page_shows_them(sign_in: SignIn, known: Flow, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known
    assert place
    monkeypatch.setattr(recipe_drafts, "open_studio", _no_studio)
    monkeypatch.setattr(preview, "made", _one_picture)
    (page,) = sign_in("demo").post(f"{AT}/preview", json={"text": PADDED, "sku": "MUG"}).json()
    assert (page["asset"], page["outcome"]) == ("amazon-1", "review")
    assert [each["subject"] for each in page["missed"]] == ["Doubt about the cutout"]
    assert Image.open(io.BytesIO(base64.b64decode(page["file"]))).size == (900, 900)


def test_only_what_was_seen_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real browser, by somebody who may see every tenant."""
    monkeypatch.setattr(recipe_drafts, "open_studio", _no_studio)
    monkeypatch.setattr(preview, "made", _one_picture)
    with _browser() as browser, desk_world.running(tmp_path, doubtful=3) as world:
        link = sessions.link(world.database, "root", ("*",), "operator")
        tab = opened(browser, sessions.address(world.base_url, link))
        page = tab.go(f"{world.base_url}/desk/demo/recipe?name=campaign")
        assert page.is_disabled("#release")
        page.click("#see")
        page.wait_for_selector("#release:not([disabled])")
        assert page.locator("#made article img").count() == 3
        assert "a person would look" in page.inner_text("#made")
        page.fill("#text", page.input_value("#text") + "# another\n")
        assert page.is_disabled("#release"), "what is released is what was seen"
        page.click("#see")
        page.wait_for_selector("#release:not([disabled])")
        page.fill("#reason", "more air")
        page.click("#release")
        page.wait_for_selector("#again:has-text('is released')")
        (event,) = [codec.decode(each.value) for each in world.recorder.records]
        assert isinstance(event, RecipeReleased)
        assert (event.recipe, event.version, event.reason) == ("campaign", 2, "more air")
        assert event.text.endswith("# another\n")
        page.fill("#text", "name: campaign")
        page.click("#see")
        page.wait_for_selector("#wrong:not([hidden])")
        assert page.is_disabled("#release")
        assert [each for each in tab.complaints if "422" not in each] == []


@contextmanager
def _browser() -> Iterator[Browser]:
    try:
        with chromium() as opened_one:
            yield opened_one
    except NoBrowser as missing:
        skip_or_fail(str(missing))


@contextmanager
def _no_studio(_settings: Any) -> Iterator[None]:
    yield None


def _one_picture(_settings: Any, _studio: Any, wanted: Any, _progress: Any) -> list[Any]:
    (product, source, _), *_ = wanted
    written = io.BytesIO()
    Image.new("RGB", (1200, 1200), "white").save(written, "PNG")
    check = Check(point="edges", name="cutout.uncertainty", outcome="review", measured=0.4, limit="≤ 0.25", rule="r")
    verdict = Verdict(outcome="review", checks=[check], rules="r")
    measures = {"width_px": 1200.0, "height_px": 1200.0, "size_bytes": 1.0}
    shown = Shown("amazon-1", Made(written.getvalue(), "image/png", measures, verdict, []))
    return [Entry(product, source, written.getvalue(), [shown])]
