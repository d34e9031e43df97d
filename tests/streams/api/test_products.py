"""Products and campaigns over HTTP: taken as they are, checked as intake would, and read back."""

import time
from urllib.parse import quote

import msgspec
import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp

from schemas import codec
from schemas.records import CampaignRequested, CatalogChanged, RetractionDecided
from streams.api.gateway import Gateway
from streams.consumer.clients import NotAcknowledged
from streams.facts import Database
from streams.services.access import keys
from tests.streams.flow import Recorder, upsert

Client = TestClient[ASGIApp]
BODY = {"sources": [{"uri": "https://images.example/a.jpg"}], "channels": ["amazon"]}


def sent(recorder: Recorder) -> list[object]:
    return [codec.decode(record.value) for record in recorder.records]


def put(database: Database, **fields: object) -> CatalogChanged:
    event = upsert(**fields)  # type: ignore[arg-type]
    with database.begin() as facts:
        facts.products.put(event)
        facts.assets.put_plan(event.tenant, event.sku, event.version, {"amazon-1": ("amazon", None)})
    return event


def test_a_product_is_sent_with_acknowledgement_and_says_where_to_look(demo: Client, recorder: Recorder) -> None:
    answer = demo.put("/v1/products/MUG-1", json=BODY)
    assert answer.status_code == 202
    assert answer.headers["location"].endswith("/v1/products/MUG-1/assets")
    (event,) = sent(recorder)
    assert isinstance(event, CatalogChanged)
    assert (event.tenant, event.sku, event.version) == ("demo", "MUG-1", answer.json()["version"])
    assert ("ce_source", b"packshot/api") in recorder.records[0].headers


def test_a_version_that_was_read_is_taken_once(demo: Client, database: Database) -> None:
    put(database, sku="A", version=4)
    read = demo.get("/v1/products/A")
    assert read.headers["etag"] == '"4"'
    assert demo.put("/v1/products/A", json=BODY, headers={"If-Match": '"3"'}).json()["code"] == "precondition_failed"
    taken = demo.put("/v1/products/A", json={**BODY, "title": "New"}, headers={"If-Match": read.headers["etag"]})
    assert (taken.status_code, taken.json()["version"]) == (202, 5)
    stale = demo.put("/v1/products/A", json={**BODY, "version": 3})
    assert (stale.status_code, stale.json()["code"], stale.json()["field"]) == (409, "version_conflict", "version")


def test_the_same_again_makes_no_new_version(demo: Client, database: Database) -> None:
    put(database, sku="A", version=4)
    assert demo.put("/v1/products/A", json=BODY).json()["version"] == 4
    assert demo.delete("/v1/products/A").json()["version"] > 4
    assert demo.delete("/v1/products/B").status_code == 404


def test_what_is_wrong_is_named(demo: Client, recorder: Recorder) -> None:
    wrong = [
        ({**BODY, "sources": [{"uri": ""}]}, "invalid_event", "sources[0].uri"),
        ({**BODY, "colour": 5}, "invalid_event", "colour"),
        ({**BODY, "channels": ["nowhere"]}, "unknown_channel", "channels"),
        ({**BODY, "recipe": "nothing"}, "unknown_recipe", "recipe"),
        ({**BODY, "sources": [{"uri": "file:///etc/passwd"}]}, "source_not_allowed", "sources[0].uri"),
        ({**BODY, "sources": [{"uri": "gopher://a/b"}]}, "source_not_allowed", "sources[0].uri"),
    ]
    for body, code, field in wrong:
        problem = demo.put("/v1/products/A", json=body).json()
        assert (problem["code"], problem["field"]) == (code, field)
    assert recorder.records == []


def test_a_broker_that_is_away_is_reported_within_the_time(demo: Client, recorder: Recorder) -> None:
    def refuse(_records: object) -> None:
        raise NotAcknowledged("timed out")

    recorder.send = refuse  # type: ignore[method-assign,assignment]
    answer = demo.put("/v1/products/A", json=BODY)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "not_acknowledged", "2")
    (line,) = lines(
        demo.post(
            "/v1/products:batch", content=b'{"sku":"A","sources":[{"uri":"https://a/b"}],"channels":["web"]}'
        ).content
    )
    assert (line["status"], line["retryable"]) == (503, True)


def lines(content: bytes) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in content.splitlines()]


def test_a_batch_is_newer_than_what_came_through_a_clock_that_was_ahead(
    demo: Client, recorder: Recorder, database: Database
) -> None:
    ahead = time.time_ns() // 1_000_000 + 2 * 24 * 3_600_000
    put(database, version=ahead)
    line = b'{"sku":"A","sources":[{"uri":"https://images.example/%d.jpg"}],"channels":["amazon"]}'
    demo.post("/v1/products:batch", content=b"\n".join([line % 1, line % 2]))
    assert [event.version for event in sent(recorder)] == [ahead + 1, ahead + 2]  # type: ignore[attr-defined]


def test_a_batch_is_answered_line_by_line(demo: Client, recorder: Recorder) -> None:
    good = b'{"sku":"%b","sources":[{"uri":"https://images.example/a.jpg"}],"channels":["amazon"]}'
    body = b"\n".join([
        good % b"N1", b"", b"not json", good.replace(b'"sku"', b'"tenant":"other","sku"') % b"N2", b"x" * 1_100_000,
        b'{"type":"CampaignCancelled","campaign":"C"}', good % b"N3",
    ])  # fmt: skip
    answer = demo.post("/v1/products:batch", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 207
    outcomes = [(each["line"], each["status"], each.get("code", "")) for each in lines(answer.content)]
    assert outcomes == [
        (1, 202, ""),
        (3, 422, "invalid_event"),
        (4, 403, "tenant_forbidden"),
        (5, 413, "record_too_large"),
        (6, 202, ""),
        (7, 202, ""),
    ]
    assert [type(each).__name__ for each in sent(recorder)] == ["CatalogChanged", "CampaignCancelled", "CatalogChanged"]


def test_files_that_submit_takes_are_taken(demo: Client, recorder: Recorder) -> None:
    csv = b"sku,version,sources,channels,attributes.height_cm\nC1,1,https://a/1.jpg,amazon|web,12\nC2,1,,amazon,\n"
    answer = demo.post("/v1/products:batch", content=csv, headers={"Content-Type": "text/csv"})
    assert [(each["line"], each["status"]) for each in lines(answer.content)] == [(2, 202), (3, 422)]
    pretty = msgspec.json.format(msgspec.json.encode([{"sku": "J", **BODY}]))
    answer = demo.post("/v1/products:batch", content=pretty, headers={"Content-Type": "application/json"})
    assert [each["status"] for each in lines(answer.content)] == [202]
    assert demo.post("/v1/products:batch", content=b"", headers={"Content-Type": "image/png"}).status_code == 415
    assert len(recorder.records) == 2


def test_assets_are_paged_and_filtered(demo: Client, database: Database) -> None:
    for number in range(5):
        put(database, sku=f"P{number}")
    first = demo.get("/v1/assets", params={"limit": 3, "state": "planned"}).json()
    second = demo.get("/v1/assets", params={"limit": 3, "state": "planned", "cursor": first["next"]}).json()
    assert [each["sku"] for each in first["items"] + second["items"]] == ["P0", "P1", "P2", "P3", "P4"]
    assert second["next"] is None
    assert demo.get("/v1/assets", params={"cursor": first["next"]}).json()["code"] == "bad_cursor"
    assert demo.get("/v1/assets", params={"state": "published"}).json()["items"] == []
    mine = demo.get("/v1/products/P1/assets").json()
    assert (mine["settled"], mine["assets"][0]["state"]) == (False, "planned")
    paged = demo.get("/v1/products", params={"limit": 2}).json()
    assert [each["sku"] for each in paged["items"]] == ["P0", "P1"]


def test_what_is_known_is_not_sent_again(demo: Client, database: Database) -> None:
    put(database, sku="A")
    read = demo.get("/v1/products/A/assets")
    again = demo.get("/v1/products/A/assets", headers={"If-None-Match": read.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    anything = demo.get("/v1/products/A/assets", headers={"If-None-Match": "*"})
    assert (anything.status_code, anything.content) == (304, b""), "RFC 9110: whatever there is"
    assert demo.get("/v1/products/A/assets", headers={"If-None-Match": '"another"'}).status_code == 200


def test_campaigns_and_retractions(demo: Client, database: Database, recorder: Recorder) -> None:
    put(database, sku="A")
    assert demo.put("/v1/campaigns/SALE", json={"skus": ["A"], "channels": ["instagram"]}).status_code == 202
    assert demo.delete("/v1/campaigns/SALE").status_code == 404  # it is not noted yet
    assert demo.post("/v1/products/A/retraction", json={"reason": "wrong", "assets": ["x"]}).status_code == 422
    assert demo.post("/v1/products/A/retraction", json={"reason": "wrong"}).status_code == 202
    request, retraction = sent(recorder)
    assert isinstance(request, CampaignRequested)
    assert isinstance(retraction, RetractionDecided)
    assert (retraction.assets, retraction.decided_by) == (["amazon-1"], "api/shop")


def test_a_test_key_is_checked_and_sends_nothing(gateway: Gateway, client: Client, recorder: Recorder) -> None:
    text, _ = keys.create(gateway.database, "trial", ("demo",), mode="test")
    headers = {"Authorization": f"Bearer {text}"}
    assert text.startswith("psk_test_")
    assert client.put("/v1/products/A", json=BODY, headers=headers).json()["test"] is True
    assert client.put("/v1/products/A", json={}, headers=headers).status_code == 422
    assert recorder.records == []


def test_a_body_is_bounded_while_it_is_read(demo: Client, gateway: Gateway) -> None:
    def endless() -> object:
        for _ in range(gateway.settings.gateway_body_max_bytes // 2**20 + 2):
            yield b" " * 2**20

    answer = demo.put("/v1/products/A", content=endless())  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_every_line_of_ndjson_has_its_answer_whatever_it_holds(demo: Client, recorder: Recorder) -> None:
    """None is taken for a table's head: a table has another type, and its first line would have no answer."""
    odd = [b"sku,sources,channels", b"[]", b"null", b"7", b'"x"', b"sku", b",", b"\xff", b"\x00"]
    answer = demo.post("/v1/products:batch", content=b"\n".join(odd), headers={"Content-Type": "application/x-ndjson"})
    found = [(each["line"], each["status"], each["code"]) for each in lines(answer.content)]
    assert found == [(line, 422, "invalid_event") for line in range(1, len(odd) + 1)]
    assert recorder.records == []


@pytest.mark.parametrize(
    ("sku", "place"), [(".", "assets?sku=."), ("..", "assets?sku=.."), ("a?b#c", "products/a%3Fb%23c/assets")]
)
def test_where_a_products_assets_are_is_an_address_that_leads_there(demo: Client, sku: str, place: str) -> None:
    """Whoever reads an address takes dots alone away, and would ask for something else."""
    answer = demo.put(f"/v1/products/{quote(sku, safe='').replace('.', '%2E')}", json=BODY)
    assert (answer.status_code, answer.json()["subject"]) == (202, sku)
    assert answer.headers["location"].partition("/v1/")[2] == place
