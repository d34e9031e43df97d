"""Pages: what people wrote is text and never markup, nothing comes from elsewhere, and errors are pages, too."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.records import CampaignCancelled, CampaignRequested, Check, Verdict
from streams.facts import Database, DatabaseUnavailable, Judged, Share
from streams.flow.processors import planning
from streams.services.recovery import dead
from streams.web import files, telling
from streams.web.routes import quality
from tests.streams.flow import Flow, Recorder, tasks, upsert
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]
FIRST_PAGE_BYTES_MAX = 150_000
HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</title><svg/onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "'-alert(1)-'",
    "&lt;b&gt;",
    "مرحبا <b>",
]
PAGES = [
    "shelf",
    "try",
    "products",
    "campaigns",
    "flow",
    "quality",
    "costs",
    "keys",
    "webhooks",
    "review",
    "sample",
    "agreement",
    "audit",
    "recipe",
    "library",
]
ROOT = Path(files.__file__).parent


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def check_harmless(text: str) -> None:
    """Raises where a page has anything that its policy would stop, or anything from elsewhere."""
    for tag, attributes in Elements(text).found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        if tag == "script":
            assert (attributes["src"] or "").startswith("/desk/-/static/")
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), (tag, attributes)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_people_wrote_is_text(
    hostile: str, sign_in: SignIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "check_texts", lambda *_: None)  # as before there was a policy
    flow, event = Flow(database), upsert()
    flow.say(replace(event, sku="A", title=hostile, category=hostile, attributes={"x": hostile}))
    client = sign_in("demo")
    for address in ("products", "products?q=" + "x", "product?sku=A", "review"):
        check_harmless(client.get(f"/desk/demo/{address}").text)
    answer = client.get("/desk/demo/products", params={"q": hostile, "channel": hostile})
    check_harmless(answer.text)
    page = client.get("/desk/demo/product", params={"sku": "A", "done": hostile}).text
    check_harmless(page)
    assert page.count("<h1>") == 1
    assert hostile in "".join(Elements(page).texts)


@pytest.mark.parametrize("sku", ["A/B", "../../etc", "A&b=c", "A?x#y", "A%2FB", "ä ö", '"><b>'])
def test_a_sku_of_any_kind_has_a_page(sku: str, sign_in: SignIn, database: Database) -> None:
    Flow(database).say(replace(upsert(), sku=sku))
    client = sign_in("demo")
    listed = client.get("/desk/demo/products").text
    check_harmless(listed)
    links = [
        attributes["href"] or "" for tag, attributes in Elements(listed).found if attributes.get("class") == "name"
    ]
    assert len(links) == 1
    assert client.get(links[0]).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_a_policy_and_keeps_to_it(page: str, sign_in: SignIn) -> None:
    answer = sign_in("demo", role="operator").get(f"/desk/demo/{page}")
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    check_harmless(answer.text)


def test_errors_have_the_policy_too(client: Client, sign_in: SignIn) -> None:
    for answer in (client.get("/desk/-/sign-in"), sign_in("demo").get("/desk/demo/nothing")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        check_harmless(answer.text)


def test_the_first_page_is_small(client: Client, sign_in: SignIn) -> None:
    """With all that it loads, without pictures."""
    door, first = client.get("/desk/-/sign-in"), sign_in("demo").get("/desk/demo/try")
    named = set(re.findall(r"/desk/-/static/\w+/([\w.]+)", door.text + first.text))
    imported = {"talking.js"}
    sizes = {name: len((ROOT / "static" / name).read_bytes()) for name in named | imported}
    assert sum(sizes.values()) + len(door.content) + len(first.content) < FIRST_PAGE_BYTES_MAX, sizes


def test_files_are_kept_by_their_version(client: Client) -> None:
    address = files.address("desk.css")
    answer = client.get(address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert client.get(address.replace(address.split("/")[4], "0" * 12)).status_code == 404
    assert client.get(address.rpartition("/")[0] + "/..%2Fpages.py").status_code == 404


def test_scripts_put_no_markup_together() -> None:
    """What a script shows is text; a part of a page is made by our templates."""
    for file in (ROOT / "static").glob("*.js"):
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", file.read_text()
        )
        assert found == (["innerHTML"] if file.name == "desk.js" else []), file.name


def test_products_are_found(sign_in: SignIn, database: Database) -> None:
    flow = Flow(database)
    for sku, title in (("MUG-1", "Stoneware mug"), ("BOX_1", "Tea 100%"), ("BOXX1", "Tin")):
        flow.say(replace(upsert(), sku=sku, title=title))
    client = sign_in("demo")

    def found(**query: str) -> list[str]:
        return re.findall(r'class="sku">([^<]+)', client.get("/desk/demo/products", params=query).text)

    assert found() == ["BOXX1", "BOX_1", "MUG-1"]
    assert found(q="stoneware") == ["MUG-1"]
    assert found(q="box_") == ["BOX_1"]
    assert found(q="100%") == ["BOX_1"]
    assert found(state="published") == []
    assert found(channel="amazon", state="planned") == ["BOXX1", "BOX_1", "MUG-1"]
    assert client.get("/desk/demo/products", params={"state": "nonsense"}).status_code == 400


def test_a_late_campaign_says_so(sign_in: SignIn, database: Database) -> None:
    flow = Flow(database)
    flow.say(upsert())
    for name, deadline_ms in (("late", 1_700_000_000_000), ("early", 9_000_000_000_000)):
        flow.say(
            CampaignRequested(
                tenant="demo", campaign=name, skus=["A"], channels=["instagram"], deadline_ms=deadline_ms, version=1
            )
        )
    text = sign_in("demo").get("/desk/demo/campaigns").text
    assert re.findall(r'class="name" href="[^"]+">(\w+)', text) == ["late", "early"]
    assert text.count(">late</span>") == 1
    assert "waits for its cutout" in sign_in("demo").get("/desk/demo/campaign?name=late").text


def test_what_is_away_is_a_page(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in("demo", role="operator")

    def away(*_: object) -> None:
        raise DatabaseUnavailable("postgresql://user:secret@host")

    monkeypatch.setattr(dead, "find", away)
    answer = client.get("/desk/demo/flow/letters")
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_what_nobody_foresaw_tells_nothing_of_our_inside(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in("demo")

    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(dead, "find", broken)
    answer = client.get("/desk/demo/flow/letters")
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_figures_are_reported_in_few_digits() -> None:
    assert [telling.span(each) for each in (0, 59, 60, 3600, 90_000)] == ["0 s", "59 s", "1 min", "1 h", "1 d"]
    assert [telling.figure(each) for each in (None, 0.41938, 1600.0, 3.0)] == ["not measured", "0.419", "1,600", "3"]
    assert [telling.price(each) for each in (None, 0, 41_000, 2_500_000_000)] == ["–", "0", "0.00004", "2.50"]
    assert telling.share(1, 0) == "–"


def test_the_backlog_is_reported_in_work_by_what_tasks_took(sign_in: SignIn, database: Database) -> None:
    flow = Flow(database)
    first, second = upsert(sku="A"), upsert(sku="B", photo="b.jpg")
    (cut,) = tasks(flow.say(first))
    client = sign_in("demo")
    assert "not known" in client.get("/desk/demo/flow").text
    with database.begin() as facts:
        facts.costs.put([share(cut.task_id, "amazon-1", 40_000.0), share(cut.task_id, "web-1", 20_000.0)])
    flow.say(second)
    page = client.get("/desk/demo/flow/lanes").text
    assert "2 min" in page, "two cutouts wait, and one took a minute"
    assert "not known" not in page


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("cutout.uncertainty is 0.47, the limit ≤ 0.25", "Doubt about the cutout is 0.47, the limit ≤ 0.25"),
        ("fill was not measured", "Share of the frame that the product fills was not measured"),
        ("of a kind that nobody named is 3, the limit ≤ 2", "of a kind that nobody named is 3, the limit ≤ 2"),
        ("<b>logo</b> cut off", "<b>logo</b> cut off"),
        ("", ""),
    ],
)
def test_why_an_asset_waits_is_reported_in_words(reason: str, words: str) -> None:
    assert telling.worded(reason) == words


def test_of_each_product_one_picture_is_among_the_worst() -> None:
    def judged(sku: str, asset: str, *names: str) -> Judged:
        checks = [
            Check(point="edges", name=name, outcome="fail", measured=1.0, limit="≤ 0", rule="r") for name in names
        ]
        return Judged(sku, asset, "amazon", "review", Verdict(outcome="fail", checks=checks, rules="r"))

    rows = [judged("A", "one", "a"), judged("A", "two", "a", "b"), judged("B", "one", "a"), judged("C", "one")]
    assert [(each.sku, each.asset) for each, _ in quality._worst(rows)] == [("A", "two"), ("B", "one")]


def test_a_campaign_is_cancelled_with_who_and_why(sign_in: SignIn, database: Database, recorder: Recorder) -> None:
    with database.begin() as facts:
        facts.campaigns.put(
            CampaignRequested(tenant="demo", campaign="SALE", skus=["A"], channels=["amazon"], version=1)
        )
    client = sign_in("demo")
    assert "Cancel the campaign" in client.get("/desk/demo/campaign?name=SALE").text
    assert (
        "Cancel the campaign"
        not in sign_in("demo", role="viewer", name="eva").get("/desk/demo/campaign?name=SALE").text
    )
    form = {"name": "SALE", "reason": "sold out"}
    assert client.post("/desk/demo/campaign/cancel", data=form, follow_redirects=False).status_code == 303
    (event,) = [codec.decode(each.value) for each in recorder.records]
    assert isinstance(event, CampaignCancelled)
    assert (event.campaign, event.reason) == ("SALE", "desk/ada: sold out")


def share(task_id: str, asset: str, work_ms: float) -> Share:
    """What falls to an asset of a cutout's work, a third of it the engine's."""
    return Share(
        task_id=task_id,
        result_id="r",
        asset=asset,
        tenant="demo",
        sku="A",
        version=1,
        channel="amazon",
        operation="cutout",
        digest="",
        engine_ms=work_ms / 3,
        cpu_ms=work_ms * 2 / 3,
        size_bytes=1,
        price_nanos=1,
        saved_engine_ms=0.0,
        saved_price_nanos=0,
    )
