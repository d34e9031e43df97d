"""Errors, traces, limits and repeats: one shape everywhere, each code explained, nothing done twice."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import uvicorn
from litestar.exceptions import InternalServerException
from litestar.testing import TestClient
from litestar.types import ASGIApp
from uvicorn.server import ServerState

import gpu_workers
import streams
from streams.api import problems
from streams.api.codes import CODES
from streams.api.gateway import Gateway
from streams.api.idempotency import Idempotent
from streams.api.problems import ProblemDetails
from streams.api.protocol import protocol
from streams.client.tries import TRIES
from streams.facts import Database, DatabaseUnavailable
from streams.facts.answers import KEPT_MS, LEFT_AFTER_MS, ApiAnswer, ApiAnswers
from streams.services.access import keys
from tests.streams.flow import Recorder

Client = TestClient[ASGIApp]
BODY = {"sources": [{"uri": "https://images.example/a.jpg"}], "channels": ["amazon"]}
ROOT = Path(streams.__file__).parent
SERVICES = (
    *("case_decisions", "cases", "catalogue", "dead", "decisions", "double_review", "orders", "pictures"),
    *("submission", "uploads", "webhooks"),
)
REACHED = (
    *(next((ROOT / "services").rglob(f"{name}.py")) for name in SERVICES),
    ROOT / "facts/tables.py",
    ROOT / "flow/processors/planning.py",
)
WITHIN = {"missing_source", "missing_input"}  # of tasks that we did not write
NOT_ORDERED = {"source_error", "upscale_error", "too_few_examples", "bad_example", "unknown_operation", *WITHIN}
NOT_FROM_HERE = {
    "missing_attribute",
    "bad_attribute",
    "too_many_assets",
    "unknown_operation",
}  # of what a worker or a plan is asked


def problem(client: Client, method: str, path: str, **request: object) -> ProblemDetails:
    answer = client.request(method, path, **request)  # type: ignore[arg-type]
    assert answer.headers["content-type"] == "application/problem+json"
    details = msgspec.json.decode(answer.content, type=ProblemDetails)
    assert details.status == answer.status_code
    assert details.type.endswith(f"/problems/{details.code}")
    assert re.fullmatch("[0-9a-f]{32}", details.trace_id)
    assert client.get(f"/problems/{details.code}").status_code == 200
    return details


@pytest.mark.parametrize(
    "body", [b'{"a":' * 100_000, b"[" * 100_000, b'{"channels":["\xff"]}', b'{"a":' * 900 + b"1" + b"}" * 900]
)
def test_a_body_that_nests_without_an_end_or_is_no_utf_8_is_the_callers_fault(demo: Client, body: bytes) -> None:
    for method, path in (("PUT", "/v1/products/A"), ("PUT", "/v1/campaigns/A"), ("POST", "/v1/cutouts")):
        found = problem(demo, method, path, content=body, headers={"Content-Type": "application/json"})
        assert (found.status, found.retryable) == (422, False) or found.status == 400, found


@pytest.mark.parametrize("given", ["abc", "0", "-1", "601", "1.5"])
def test_a_header_that_is_wrong_is_called_as_it_was_sent(demo: Client, given: str) -> None:
    headers = {"Content-Type": "image/jpeg", "Cancel-After": given}
    found = problem(demo, "POST", "/v1/cutouts", content=b"x", headers=headers)
    assert (found.code, found.field) == ("malformed_request", "Cancel-After")


WRONG = [
    ("GET", "/v1/assets?state=x", "", "state"),
    ("GET", "/v1/assets?limit=0", "", "limit"),
    ("PUT", "/v1/products/A", "", ""),
    ("PUT", "/v1/products/A", "{}", "sources"),
    ("PUT", "/v1/products/A", '{"no": 1}', "no"),
    ("PUT", "/v1/products/A", '{"sources": [{}], "channels": ["amazon"]}', "sources[0].uri"),
    ("PUT", "/v1/products/A", '{"sources": [{"uri": 7}], "channels": ["amazon"]}', "sources[0].uri"),
    ("PUT", "/v1/products/A", '{"sources": [], "channels": ["amazon"]}', "sources"),
    ("POST", "/v1/uploads", '{"sha256": "x"}', "sha256"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), WRONG)
def test_what_is_wrong_is_called_as_callers_call_it(
    demo: Client, method: str, path: str, body: str, field: str
) -> None:
    """Never by the names that our functions have for it."""
    found = problem(demo, method, path, content=body, headers={"Content-Type": "application/json"})
    assert (found.field, [each.field for each in found.errors][:1]) == (field, [field])
    assert "data" not in found.detail


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/products/%FF%FE"), ("GET", "/v1/products/%C3"), ("GET", "/v1/assets?sku=a%FF")]
)
def test_an_address_that_is_no_utf_8_is_nobodys_name(demo: Client, recorder: Recorder, method: str, path: str) -> None:
    found = problem(demo, method, path, **({"json": BODY} if method == "PUT" else {}))
    assert (found.code, found.field) == ("malformed_request", "query" if "?" in path else "path")
    assert recorder.records == []


@pytest.mark.parametrize("sku", ["%00", "x" * 300])
def test_a_text_that_no_record_holds_is_explained(demo: Client, sku: str) -> None:
    assert problem(demo, "GET", f"/v1/products/{sku}").code == "unkept_text"


def test_who_ends_a_connection_within_a_body_is_no_error_of_ours() -> None:
    found = problems.problem_of(InternalServerException("client disconnected prematurely"))
    assert (found.code, found.status) == ("malformed_request", 400)
    assert problems.problem_of(InternalServerException("anything else")).code == "unexpected"


class Sent(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.is_open = True

    def write(self, data: Any) -> None:
        self.data += data

    def close(self) -> None:
        self.is_open = False

    def is_closing(self) -> bool:
        return not self.is_open


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000]
)
def test_what_is_no_http_is_answered_in_that_shape_too(data: bytes) -> None:
    async def answered() -> Sent:
        config = uvicorn.Config(lambda *_: None, log_config=None)
        config.load()
        http = protocol("https://api.example")(config, ServerState(), {}, asyncio.get_running_loop())
        sent = Sent()
        http.connection_made(sent)
        http.data_received(data)
        return sent

    sent = asyncio.run(answered())
    head, _, body = sent.data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert b'"type":"https://api.example/problems/malformed_request"' in body
    assert not sent.is_open


def test_every_error_has_the_same_shape(demo: Client) -> None:
    calls = [
        ("GET", "/nowhere", "not_found"),
        ("PATCH", "/v1/products/A", "method_not_allowed"),
        ("GET", "/v1/products/A", "unknown_product"),
        ("GET", "/v1/assets?limit=x", "malformed_request"),
        ("GET", "/problems/nothing", "unknown_code"),
        ("GET", "/v1/recipes/nothing", "unknown_recipe"),
    ]
    for method, path, code in calls:
        assert problem(demo, method, path).code == code
    assert problem(demo, "PUT", "/v1/products/A", content=b"{").code == "malformed_request"


@pytest.mark.parametrize("method", ["OPTIONS", "PATCH", "TRACE"])
@pytest.mark.parametrize("key", ["", "Bearer nothing"])
def test_a_method_that_is_not_there_is_reported_with_those_that_are(method: str, key: str, client: Client) -> None:
    for path, allowed in (("/v1/products/A", "DELETE, GET, PUT"), ("/livez", "GET"), ("/v1/products:batch", "POST")):
        refused = client.request(method, path, headers={"Authorization": key} if key else {})
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        assert refused.json()["code"] == "method_not_allowed"


def test_what_nobody_foresaw_tells_nothing_of_our_inside(demo: Client, recorder: Recorder) -> None:
    def break_down(_records: object) -> None:
        raise RuntimeError("postgresql://user:secret@host")

    recorder.send = break_down  # type: ignore[method-assign,assignment]
    details = problem(demo, "PUT", "/v1/products/A", json=BODY)
    assert (details.code, details.status, details.retryable, details.detail) == ("unexpected", 500, True, "")


def test_a_database_that_is_away_is_reported(demo: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: object) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(Database, "read", away)
    details = problem(demo, "GET", "/v1/products")
    assert (details.code, details.retryable) == ("unavailable", True)


def test_the_callers_trace_goes_on(demo: Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = demo.get("/v1/products/A", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.json()["trace_id"] == trace
    assert answer.headers["traceparent"].split("-")[1] == trace


def test_every_code_that_a_service_refuses_with_is_explained() -> None:
    codes = {code for file in REACHED for code in re.findall(r'(?:Refused|Unkept)\(\s*"(\w+)"', file.read_text())}
    assert codes - CODES.keys() - NOT_FROM_HERE == set()
    api = "".join(file.read_text() for file in (ROOT / "api").rglob("*.py"))
    assert set(re.findall(r'Problem\("(\w+)"', api)) - CODES.keys() == set()


def test_every_failure_that_a_worker_tells_has_a_page() -> None:
    """But for those that only teach a brand or read a base class's name."""
    at = Path(gpu_workers.__path__[0])
    files = [file.read_text() for file in at.rglob("*.py") if file.parent.name != "local"]  # that is a command's
    told = {code for text in files for code in re.findall(r'^    code(?:: ClassVar\[str\])? = "(\w+)"', text, re.M)}
    refused = {code for text in files for code in re.findall(r'Refused\("(\w+)"', text)}
    assert len(told) > 30
    assert (told | refused) - CODES.keys() == NOT_ORDERED


def test_over_the_quota_is_reported_and_reading_is_free(demo: Client, gateway: Gateway) -> None:
    quota = gateway.settings.gateway_key_per_minute
    answers = [demo.put("/v1/products/A", json=BODY) for _ in range(quota + 5)]
    assert [each.status_code for each in answers[:quota]] == [202] * quota
    assert answers[0].headers["ratelimit-policy"] == f'"key";q={quota};w=60, "tenant";q=3000;w=60'
    over = [each for each in answers if each.status_code == 429]
    assert over
    assert over[0].json()["violated-policies"] == ["key"]
    assert int(over[0].headers["retry-after"]) >= 1
    assert demo.get("/v1/products").status_code == 200


def test_a_repeat_is_answered_as_the_first_and_does_nothing(demo: Client, recorder: Recorder) -> None:
    headers = {"Idempotency-Key": "9f3c"}
    first = demo.put("/v1/products/A", json=BODY, headers=headers)
    again = demo.put("/v1/products/A", json=BODY, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert len(recorder.records) == 1
    assert problem(demo, "PUT", "/v1/products/B", json=BODY, headers=headers).code == "idempotency_mismatch"
    wrong = problem(demo, "PUT", "/v1/products/A", json=BODY, headers={"Idempotency-Key": "a b"})
    assert wrong.code == "bad_idempotency_key"


def test_an_error_is_repeated_but_not_that_something_is_away(demo: Client, recorder: Recorder) -> None:
    bad, away = {"Idempotency-Key": "bad"}, {"Idempotency-Key": "away"}
    answers = [demo.put("/v1/products/A", json={}, headers=bad) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    send = recorder.send

    def refuse(_records: object) -> None:
        raise DatabaseUnavailable("gone")

    recorder.send = refuse  # type: ignore[method-assign,assignment]
    assert demo.put("/v1/products/A", json=BODY, headers=away).status_code == 503
    recorder.send = send  # type: ignore[method-assign]
    assert demo.put("/v1/products/A", json=BODY, headers=away).status_code == 202


def test_an_answer_is_noted_before_anybody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else who repeats at once is told that the first is still at work."""
    course: list[str] = []
    monkeypatch.setattr(ApiAnswers, "begin", lambda *_: None)
    monkeypatch.setattr(ApiAnswers, "end", lambda *_: course.append("noted"))

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        course.append(message["type"])

    user = SimpleNamespace(tenant="demo", key=SimpleNamespace(key_id="k"))
    request = {"type": "http", "method": "PUT", "path": "/v1/products/A", "query_string": b"", "user": user}
    litestar = SimpleNamespace(state=SimpleNamespace(gateway=SimpleNamespace(database=None)))
    scope: Any = {**request, "headers": [(b"idempotency-key", b"k")], "litestar_app": litestar}
    asyncio.run(Idempotent(app)(scope, receive, send))
    assert course == ["noted", "http.response.start", "http.response.body"]


def test_a_first_that_is_at_work_is_not_overtaken(demo: Client, database: Database) -> None:
    answers = ApiAnswers(database)
    assert answers.begin("demo", "k", "request", 1000) is None
    known = answers.begin("demo", "k", "request", 1000 + LEFT_AFTER_MS)
    assert known is not None
    assert known.status is None
    assert answers.begin("other", "k", "request", 1000) is None
    assert answers.begin("demo", "k", "request", 1001 + LEFT_AFTER_MS) is None  # whoever was at work on it is gone
    assert answers.begin("demo", "k", "request", 1002 + LEFT_AFTER_MS + KEPT_MS) is None
    assert demo.get("/livez").text == "ok\n"


def test_our_client_outwaits_a_gateway_that_died_over_its_request(
    demo: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApiAnswers, "begin", lambda _self, _tenant, _key, request, _now_ms: ApiAnswer(request, None))
    answer = demo.put("/v1/products/A", json=BODY, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert (TRIES - 1) * int(answer.headers["Retry-After"]) * 1000 > LEFT_AFTER_MS


def test_keys_are_never_logged(demo: Client, key: str, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    demo.get("/v1/products")
    demo.get("/v1/nothing")
    keys.revoke(database, keys.digest_of(key)[: keys.ID_CHARACTERS])
    demo.get("/v1/products")
    printed = capsys.readouterr()
    assert key not in printed.out + printed.err
