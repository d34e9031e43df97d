"""Every page is found by itself and tried with somebody else's names: a tenant sees and touches only its own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.records import CampaignRequested
from streams.consumer import backlog, letters
from streams.consumer.letters import Delivery
from streams.facts import Database
from streams.facts.keys import ApiKeys
from streams.runtime.settings import Settings
from streams.services.access import keys
from streams.services.assessing import kept
from streams.services.display.showing import Showing
from streams.services.recovery import dead
from streams.services.recovery.dead import DeadLetter, Replayed
from streams.services.releases import recipe_drafts
from streams.services.review import cases
from streams.web import app
from streams.web.place import Place
from streams.web.visitors import ROLES
from tests.streams.flow import Flow, Recorder
from tests.streams.test_undoing import doubtful
from tests.streams.web.assessed import assessment
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")
OPEN = {
    "/",
    "/desk/-/sign-in",
    "/desk/-/oidc",
    "/desk/-/oidc/back",
    "/desk/-/static/{version:str}/{name:str}",
}
# What each page names of a tenant's, besides the tenant: by the page, its query and its form or body.
QUERIES: dict[str, tuple[str, ...]] = {
    "product": ("sku",),
    "campaign": ("name",),
    "flow/letter": ("letter",),
    "picture/asset": ("sku", "asset"),
    "picture/source": ("sku",),
    "picture/review": ("review",),
    "review/alike": ("case",),
    "review/case": ("case",),
    "review/claim": ("case",),
    "review/picture": ("case", "digest"),
    "review/photograph": ("case",),
    "review/where": ("case", "digest"),
    "mend": ("case",),
    "mend/marks": ("case",),
    "mend/mask": ("case",),
    "sample/picture": ("picture",),
    "model/picture": ("task",),
    "assessments/file": ("at", "file"),
    "assessments/picture": ("at", "n", "side"),
}
FORMS: dict[str, tuple[str, ...]] = {
    "product/rate": ("sku", "asset"),
    "sample/rate": ("picture",),
    "product/take-down": ("sku",),
    "product/again": ("sku",),
    "product/undo": ("review",),
    "flow/replay": ("letter",),
    "campaign/cancel": ("name",),
}
BODIES: dict[str, dict[str, Any]] = {
    "review/keep": {"epoch": 1},
    "review/release": {"epoch": 1},
    "review/decide": {"decision": {"outcome": "approve"}},
    "review/undo": {},
    "review/decide-alike": {"decision": {"outcome": "approve"}},
    "review/next": {},
    "mend/preview": {},
    "recipe/preview": {"text": recipe_drafts.begun("packshot", "web")},
}
FILES = {"mend/mask": "mask"}
# Pages that name nothing: they show what the tenant has, or begin something of its own.
LISTS = {
    "try", "try/render", "try/sample", "try/catalogue", "products", "campaigns", "flow", "flow/lanes", "flow/readers",
    "flow/letters", "quality", "costs", "keys", "webhooks", "review", "review/cases", "review/next",
    "sample", "agreement", "library", "library/scene", "library/brand", "connectors", "shelf", "audit", "audit/newest",
    "audit/begin", "recipe", "recipe/check", "recipe/release", "live", "model", "assessments",
}  # fmt: skip


def routes() -> Iterator[tuple[str, str, Any]]:
    settings = Settings()
    made = app.pages(Place(settings, Database("sqlite:///:memory:"), Recorder(), Showing(settings)))
    for route in made.routes:
        for handler in route.route_handlers:  # type: ignore[union-attr]
            for method in sorted(getattr(handler, "http_methods", ())):
                if method in METHODS:
                    yield method, route.path, handler


OURS = sorted(routes(), key=lambda found: found[:2])
OF_TENANTS = [(method, path) for method, path, _ in OURS if "{tenant:str}" in path]


def named(path: str) -> str:
    return path.removeprefix("/desk/{tenant:str}/")


def test_every_page_says_who_may_see_it() -> None:
    assert {path for _, path, handler in OURS if handler.opt.get("open")} == OPEN
    closed = [(path, handler.opt.get("role")) for _, path, handler in OURS if path not in OPEN]
    assert [path for path, role in closed if role not in ROLES] == []
    assert {path for path, _ in closed if "{tenant:str}" not in path} == {"/desk", "/desk/-/sign-out"}


def test_every_page_is_tried_below() -> None:
    pages = {named(path) for _, path in OF_TENANTS}
    assert pages == LISTS | QUERIES.keys() | FORMS.keys() | BODIES.keys()


# Their files are not there, or they ask a broker that is not.
PICTURES = (
    "picture/", "review/picture", "review/photograph", "review/where", "try/sample", "library/scene", "library/brand",
    "sample/picture", "model/picture", "flow/readers",
)  # fmt: skip
MAYBE = {200, 400, 404, 422, 503}


@pytest.fixture
def theirs(database: Database, place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the tenant demo has, by the name under which a page asks for it."""
    review = doubtful(Flow(database))
    sku = review.completed.task.sku
    with database.begin() as facts:
        facts.campaigns.put(
            CampaignRequested(tenant="demo", campaign="SALE", skus=[sku], channels=["amazon"], version=1)
        )
    origin = (letters.ORIGIN_TOPIC, b"imagery.catalog")
    record = Delivery("imagery.dead", 0, 7, f"demo|{sku}".encode(), b"", [origin], 1)
    monkeypatch.setattr(dead, "find", lambda _settings, wanted, **_: list(filter(wanted.fits, [DeadLetter(record)])))
    monkeypatch.setattr(dead, "replay", lambda _settings, wanted, _by: Replayed(dead.find(_settings, wanted), []))
    monkeypatch.setattr(backlog, "find", lambda _settings: [])
    waiting = cases.page(database, cases.Wanted(tenant="demo")).items
    kept.keep(place.blobs.store, "demo", assessment("SALE"), {kept.PAPER: b"%PDF-"}, 5)
    return {
        "sku": sku, "asset": "amazon-1", "name": "SALE", "review": review.review_id, "letter": "0/7",
        "case": waiting[0].case_id, "digest": waiting[0].picture.digest,
        "picture": waiting[0].picture.digest, "task": review.completed.task.task_id,
        "at": "5", "file": "pdf", "n": "0", "side": "before",
    }  # fmt: skip


def ask(client: Client, method: str, path: str, has: Mapping[str, str], tenant: str = "demo") -> Any:
    page = named(path)
    query = urlencode({name: has[name] for name in QUERIES.get(page, ())})
    address = f"{path.replace('{tenant:str}', tenant)}?{query}"
    if page in FORMS:
        form = {name: has[name] for name in FORMS[page]}
        return client.request(method, address, data={**form, "reason": "wrong"}, follow_redirects=False)
    if page in FILES:
        return client.request(method, address, files={FILES[page]: b"x"}, follow_redirects=False)
    body = {"case": has["case"], **BODIES[page]} if page in BODIES and page not in LISTS else {}
    if page == "recipe/preview":
        body = {"sku": has["sku"], **BODIES[page]}
    if page == "review/decide-alike":
        body = {"cases": [has["case"]], **BODIES[page]}
    return client.request(method, address, json=None if method == "GET" else body, follow_redirects=False)


def test_another_tenants_pages_are_not_there(sign_in: SignIn, theirs: dict[str, str]) -> None:
    client = sign_in("other", role="operator")
    answers = {(method, path): ask(client, method, path, theirs).status_code for method, path in OF_TENANTS}
    assert {page: status for page, status in answers.items() if status != 404} == {}


@pytest.mark.parametrize(("method", "path"), [each for each in OF_TENANTS if named(each[1]) not in LISTS])
def test_what_another_tenant_has_is_not_there_on_ones_own_pages(
    method: str, path: str, sign_in: SignIn, theirs: dict[str, str]
) -> None:
    client = sign_in("other", role="operator")
    answer = ask(client, method, path, theirs, "other")
    if named(path) == "review/release":  # a claim that is nobody's is given up for good
        assert answer.status_code in (204, 404)
    else:
        assert answer.status_code in (404, 422), answer.text
        assert "claim" in answer.text or answer.status_code == 404


def test_ones_own_are(sign_in: SignIn, theirs: dict[str, str]) -> None:
    client = sign_in("demo", role="operator")
    for path in (path for method, path in OF_TENANTS if method == "GET"):
        answer = ask(client, "GET", path, theirs)
        expected = MAYBE if named(path).startswith(PICTURES) else {200}
        assert answer.status_code in expected, (path, answer.text)


LISTING: tuple[str, ...] = (
    "products",
    "campaigns",
    "flow/lanes",
    "flow/letters",
    "quality",
    "costs",
    "keys",
    "webhooks",
    "review",
    "sample",
    "agreement",
    "audit",
    "assessments",
)


@pytest.mark.parametrize("page", LISTING)
def test_lists_hold_only_ones_own(page: str, sign_in: SignIn, database: Database, theirs: dict[str, str]) -> None:
    assert theirs
    keys.create(database, "theirs", ("demo",))
    assert ApiKeys(database).every()
    text = sign_in("other", role="operator").get(f"/desk/other/{page}").text
    for name in ("demo", "SALE", "theirs", "amazon-1", "0/7"):
        assert name not in text


def test_no_page_is_shown_to_nobody(client: Client, theirs: dict[str, str]) -> None:
    for method, path in OF_TENANTS:
        answer = ask(client, method, path, theirs)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/desk/-/sign-in"), (method, path)
