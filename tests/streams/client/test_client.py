"""The client against the real API: what it sends, what it tries again, what it raises, what it listens to."""

import ast
import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec
import pytest

from schemas import codec
from schemas.records import AssetRetracted, CatalogChanged, Event
from streams.api.gateway import Gateway
from streams.client import AsyncClient, CampaignRequest, Client, Product, base, calls, tries
from streams.client.problems import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    TooMany,
    Unauthorized,
    Unreachable,
    Unreadable,
)
from streams.consumer.letters import Delivery, outgoing
from streams.facts import Database
from streams.services.access import keys
from tests.streams.flow import Recorder

MUG = Product(sources=[{"uri": "https://images.example/a.jpg"}], channels=["amazon"], title="Mug")


class Open(Protocol):
    def __call__(self, own: str = "", **options: Any) -> Client: ...


@pytest.fixture
def opened(url: str, key: str) -> Iterator[Open]:
    """Makes clients, and closes them."""
    with ExitStack() as stack:

        def made(own: str = "", **options: Any) -> Client:
            return stack.enter_context(Client(url, own or key, **options))

        yield made


@pytest.fixture
def client(opened: Open) -> Client:
    return opened(tries=1)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "WAIT_S", 0.01)


def sent_by(recorder: Recorder) -> list[Event]:
    return [codec.decode(each.value) for each in recorder.records]


def take_in(database: Database, recorder: Recorder) -> None:
    """What intake does with what was sent."""
    with database.begin() as facts:
        for event in sent_by(recorder):
            if isinstance(event, CatalogChanged):
                facts.products.put(event)


def test_products_and_campaigns_there_and_back(client: Client, database: Database, recorder: Recorder) -> None:
    sent = client.send(calls.put_product("MUG-ü", MUG))
    assert (sent.subject, sent.test) == ("MUG-ü", False)
    take_in(database, recorder)
    known = client.send(calls.get_product("MUG-ü"))
    assert (known.version, known.title) == (sent.version, "Mug")
    assert client.send(calls.get_product_assets("MUG-ü")).assets == []
    with pytest.raises(Conflict) as refused:
        client.send(calls.put_product("MUG-ü", MUG, if_match=1))
    assert (refused.value.code, refused.value.field) == ("precondition_failed", "If-Match")
    client.send(calls.put_campaign("SALE", CampaignRequest(skus=["MUG-ü"], channels=["amazon"])))
    with pytest.raises(Invalid, match="unknown_asset"):
        client.send(calls.retract_product("MUG-ü", "wrong colour"))
    client.send(calls.delete_product("MUG-ü", if_match=sent.version))
    assert [type(each).__name__ for each in sent_by(recorder)] == [
        "CatalogChanged", "CampaignRequested", "CatalogChanged",
    ]  # fmt: skip
    assert client.send(calls.list_reviews()).items == []


def test_problems_are_typed(client: Client, opened: Open, database: Database) -> None:
    with pytest.raises(NotFound) as gone:
        client.send(calls.get_product("NONE"))
    assert gone.value.code == "unknown_product"
    with pytest.raises(Invalid) as wrong:
        client.send(calls.put_product("A", msgspec.structs.replace(MUG, sources=[{"uri": "ftp://a/b.jpg"}])))
    assert (wrong.value.code, wrong.value.field) == ("source_not_allowed", "sources[0].uri")
    with pytest.raises(Unauthorized):
        opened("psk_live_none", tries=1).send(calls.list_products())
    reader, _ = keys.create(database, "reader", ("demo",), ("read",))
    with pytest.raises(Forbidden):
        opened(reader, tries=1).send(calls.put_product("A", MUG))


def test_pages_are_walked(client: Client, database: Database, recorder: Recorder) -> None:
    names = [f"P{number:02}" for number in range(23)]
    answers = list(client.batch({"sku": name, "version": 1, **msgspec.to_builtins(MUG)} for name in names))
    assert [(each.line, each.status) for each in answers] == [(number, 202) for number in range(1, 24)]
    take_in(database, recorder)
    assert [each.sku for each in client.pages(calls.list_products(limit=5))] == names


def test_each_line_of_a_batch_is_answered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.client.clients.LINES_AT_ONCE", 2)
    good = {"sku": "A", "version": 1, **msgspec.to_builtins(MUG)}
    outcomes = list(client.batch([good, {"sku": "B"}, good, {"sku": "C", "colour": 7}]))
    assert [(each.line, each.status) for each in outcomes] == [(1, 202), (2, 422), (3, 202), (4, 422)]


class Unreliable(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Lets something happen to the first requests, and gives the others on."""

    def close(self) -> None:
        self._on.close()

    async def aclose(self) -> None:
        await self._async_on.aclose()

    def __init__(self, *failures: Callable[[], httpx.Response]) -> None:
        self._failures = list(failures)
        self._on, self._async_on = httpx.HTTPTransport(), httpx.AsyncHTTPTransport()
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._failures.pop(0)() if self._failures else self._on.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._failures.pop(0)() if self._failures else await self._async_on.handle_async_request(request)


def away() -> httpx.Response:
    return httpx.Response(503, json={"status": 503, "code": "unavailable"}, headers={"Retry-After": "0"})


def cut_off() -> httpx.Response:
    raise httpx.ReadError("reset by peer")


def proxy() -> httpx.Response:
    return httpx.Response(502, text="<html>Bad Gateway</html>")


def too_often() -> httpx.Response:
    return httpx.Response(429, json={"status": 429, "code": "quota_exceeded"}, headers={"Retry-After": "3600"})


def test_what_may_work_later_is_sent_again_as_the_same_request(
    opened: Open, url: str, key: str, recorder: Recorder
) -> None:
    transport = Unreliable(away, cut_off, proxy)
    sent = opened(transport=transport).send(calls.put_product("MUG", MUG))
    assert len({each.headers["Idempotency-Key"] for each in transport.requests}) == 1
    assert (len(transport.requests), len(recorder.records), sent.subject) == (4, 1, "MUG")
    asyncio.run(retried(url, key))


async def retried(url: str, key: str) -> None:
    transport = Unreliable(away, cut_off, proxy)
    async with AsyncClient(url, key, transport=transport) as client:
        sent = await client.send(calls.put_product("JUG", MUG))
    assert (len(transport.requests), sent.subject) == (4, "JUG")


def test_an_answer_that_was_lost_is_given_again(opened: Open, recorder: Recorder) -> None:
    """The request arrives, its answer does not: the repeat has the first one's answer, and nothing is sent twice."""
    transport = Unreliable()
    on = transport._on.handle_request
    lost: list[httpx.Response] = []

    def losing(request: httpx.Request) -> httpx.Response:
        answer = on(request)
        if not lost:
            answer.read()
            lost.append(answer)
            raise httpx.ReadError("reset by peer")
        return answer

    transport._on.handle_request = losing  # type: ignore[method-assign]
    sent = opened(transport=transport).send(calls.put_product("MUG", MUG))
    assert sent.event_id == lost[0].json()["event_id"]
    assert len(recorder.records) == 1


def test_tries_end(opened: Open) -> None:
    with pytest.raises(Unreachable, match="reset by peer"):
        opened(tries=2, transport=Unreliable(cut_off, cut_off)).send(calls.list_products())
    with pytest.raises(Problem, match="unavailable"):
        opened(tries=2, transport=Unreliable(away, away)).send(calls.list_products())
    with pytest.raises(Unreadable, match="Bad Gateway"):
        opened(tries=1, transport=Unreliable(proxy)).send(calls.list_products())
    transport = Unreliable(too_often)
    with pytest.raises(TooMany):  # an hour is longer than anybody wants to be kept
        opened(transport=transport).send(calls.list_products())
    assert len(transport.requests) == 1


def record(offset: int, sku: str = "A") -> Delivery:
    fields: Any = {"urls": [], "retracted_at_ms": 1, "version": offset, "asset": "amazon-1", "reason": "gone"}
    made = outgoing(AssetRetracted(tenant="demo", sku=sku, **fields), "test")
    return Delivery(made.topic, 0, offset, made.key, made.value, made.headers, 1)


def deliver(gateway: Gateway, records: list[Delivery]) -> threading.Thread:
    """Tells once somebody listens."""

    def telling() -> None:
        while not gateway.progress._listeners:
            threading.Event().wait(0.01)
        for each in records:
            gateway.progress.tell(each)

    thread = threading.Thread(target=telling)
    thread.start()
    return thread


def test_what_happens_is_heard_and_goes_on_after_a_cut(opened: Open, url: str, key: str, gateway: Gateway) -> None:
    delivering = deliver(gateway, [record(1), record(2, sku="B"), record(3)])
    news = opened(transport=Unreliable(cut_off, away)).events(sku="A")
    first = next(news)
    assert (first.type, first.sku, first.version, first.detail) == ("AssetRetracted", "A", 1, "gone")
    assert next(news).version == 3
    news.close()  # type: ignore[attr-defined]
    delivering.join()
    again = opened().events(after=first.id)
    assert [next(again).version for _ in range(2)] == [2, 3]
    again.close()  # type: ignore[attr-defined]
    assert asyncio.run(heard(url, key, first.id)) == [2, 3]
    lost = opened().events(after="imagery.published/0/99")
    assert next(lost).type == "reset"
    lost.close()  # type: ignore[attr-defined]
    with pytest.raises(Unauthorized):
        next(opened("psk_live_none").events())


async def heard(url: str, key: str, after: str) -> list[int]:
    found = []
    async with AsyncClient(url, key) as client:
        async for news in client.events(after=after):
            found.append(news.version)
            if len(found) == 2:
                break
    return found


def test_a_stream_that_is_cut_before_any_news_goes_on_from_its_beginning() -> None:
    heard = tries.Events(None, 3)
    assert [*heard.read(": packshot"), *heard.read("id: imagery.published/0/7"), *heard.read("")] == []
    assert heard.headers["Last-Event-ID"] == "imagery.published/0/7"


def test_the_same_for_asyncio(url: str, key: str, database: Database, recorder: Recorder) -> None:
    async def course() -> list[str]:
        async with AsyncClient(url, key) as client:
            events = [{"sku": f"P{n}", "version": 1, **msgspec.to_builtins(MUG)} for n in range(7)]
            assert [each.status async for each in client.batch(events)] == [202] * 7
            take_in(database, recorder)
            with pytest.raises(NotFound):
                await client.send(calls.get_campaign("NONE"))
            return [each.sku async for each in client.pages(calls.list_products(limit=3))]

    assert asyncio.run(course()) == [f"P{n}" for n in range(7)]


def test_a_fresh_interpreter_imports_nothing_but_httpx_and_msgspec() -> None:
    code = "import sys, streams.client, streams.client.webhooks; print(*{e.partition('.')[0] for e in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"confluent_kafka", "faust", "sqlalchemy", "pydantic", "boto3", "litestar", "structlog", "opentelemetry"}
    assert loaded & (heavy | {"schemas", "gpu_workers", "numpy", "cryptography", "aiohttp"}) == set()
    ours = "import sys, streams.client; print(*(e for e in sys.modules if e.startswith('streams')))"
    done = subprocess.run([sys.executable, "-c", ours], capture_output=True, text=True, check=True)
    assert [e for e in done.stdout.split() if e != "streams" and not e.startswith("streams.client")] == []


def test_what_is_written_by_hand_is_short() -> None:
    """400 lines of code are the most: without blank lines, comments and docstrings."""
    files = {each for each in Path(base.__file__).parent.glob("*.py") if "Generated from" not in each.read_text()}
    assert {"base.py", "clients.py", "problems.py", "tries.py", "webhooks.py"} <= {each.name for each in files}
    assert sum(len(lines_of_code(ast.parse(each.read_text()))) for each in files) <= 400


def lines_of_code(module: ast.Module) -> set[int]:
    """The lines that statements stand on, docstrings left out."""
    statements = [each for each in ast.walk(module) if isinstance(each, ast.stmt)]
    texts = [each for each in statements if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)]
    documented = {line for each in texts for line in range(each.lineno, (each.end_lineno or 0) + 1)}
    lines = {line for each in statements for line in range(each.lineno, (each.end_lineno or 0) + 1)}
    return lines - documented
