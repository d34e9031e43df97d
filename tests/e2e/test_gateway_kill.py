"""SIGKILL of the gateway in a batch and while somebody waits for a picture, and of whoever delivers webhooks.

At every step, and at random: nothing is lost, nothing is made twice, and who asked gets an answer by asking again.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from loadtest.chaos.listener import published, unheard
from streams.client import Client, ClientError, Product, calls
from streams.client.records import LineAnswer
from tests.e2e.dying_system import DyingSystem
from tests.e2e.system import draw_product

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("kafka_bootstrap"), pytest.mark.timeout(3600)]

WITHIN_S = 600.0
LINES = 10  # in groups of 4: see tests.e2e.dying_role
TRIES = 30  # of a client: a gateway is away for as long as it takes to start, minutes on a busy machine
SEED, KILLS = 16, 6
CHANNELS = ["web"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DyingSystem]:
    with DyingSystem(tmp_path_factory.mktemp("dying")) as started:
        yield started


def product(system: DyingSystem, sku: str) -> dict[str, Any]:
    """A product with a photograph of its own."""
    colour = random.Random(sku).randbytes(3)
    draw_product(system.folder / f"{sku}.png", (colour[0], colour[1], colour[2]))
    source = {"uri": (system.folder / f"{sku}.png").as_uri()}
    return {"sku": sku, "version": 1, "sources": [source], "channels": CHANNELS}


def sent(system: DyingSystem, products: list[dict[str, Any]]) -> list[LineAnswer]:
    """What a client is answered that sends a batch, and asks again where it was not."""
    with Client(system.url, system.key, tries=TRIES) as client:
        return list(client.batch(products))


def cutout(system: DyingSystem, photograph: bytes) -> httpx.Response:
    """The cutout that somebody waits for, who asks again where there was no answer, or none yet."""
    headers = {"Authorization": f"Bearer {system.key}", "Content-Type": "image/png"}
    give_up_at = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_at:
        try:
            wishes = headers | {"Prefer": "wait=30", "Cancel-After": "600"}
            answer = httpx.post(f"{system.url}/v1/cutouts", content=photograph, headers=wishes, timeout=60)
        except httpx.TransportError:
            time.sleep(0.5)
            continue
        if answer.status_code not in (202, 503):
            return answer
        time.sleep(0.5)
    raise AssertionError(system.log("gateway", "cutout"))


def until(holds: Callable[[], Any], system: DyingSystem) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < give_up_at, system.log()
        time.sleep(0.5)


def is_live(system: DyingSystem, skus: list[str]) -> bool:
    with Client(system.url, system.key, tries=TRIES) as client:
        for sku in skus:
            try:
                assets = client.send(calls.get_product_assets(sku))
            except ClientError:
                return False
            if not assets.settled or [each.state for each in assets.assets] != ["published"]:
                return False
    return True


def check_products(system: DyingSystem, skus: list[str]) -> None:
    """Each is live, was announced once and told of by webhooks; no task was worked on twice."""
    until(lambda: is_live(system, skus), system)
    announced = {name: count for name, count in system.announced().items() if name[0] in skus}
    assert announced == {(sku, "web-1"): 1 for sku in skus}
    until(lambda: not list(unheard(list(published(system.settings)), list(system.listener.heard))), system)
    assert system.listener.unsigned == 0
    assert set(system.made().values()) == {1}


@pytest.mark.parametrize("moment", ["before AcknowledgedProducer.send 2", "behind AcknowledgedProducer.send 2"])
def test_a_batch_is_gone_on_with_by_sending_it_again(moment: str, system: DyingSystem) -> None:
    system.wait_until_ready()
    skus = [f"{moment[:6].upper()}-{number}" for number in range(LINES)]
    system.die(moment)
    with ThreadPoolExecutor(1) as beside:
        answers = beside.submit(sent, system, [product(system, sku) for sku in skus])
        system.await_death("gateway")
        assert [(each.line, each.status, each.subject) for each in answers.result(WITHIN_S)] == [
            (number + 1, 202, sku) for number, sku in enumerate(skus)
        ]
    check_products(system, skus)


@pytest.mark.parametrize(
    "moment",
    [
        "before Replies.ask 1",
        "behind Replies.ask 1",
        "before Replies.tell 1",
        "before Pictures._keep 1",
        "behind Pictures._keep 1",
    ],
)
def test_who_waits_for_a_picture_gets_it_by_asking_again(moment: str, system: DyingSystem) -> None:
    system.wait_until_ready()
    draw_product(system.folder / "photograph.png", (len(moment), 80, 90))
    photograph = (system.folder / "photograph.png").read_bytes() + moment.encode()  # another file each time
    made = system.made()
    system.die(moment)
    with ThreadPoolExecutor(1) as beside:
        pending = beside.submit(cutout, system, photograph)
        system.await_death("gateway")
        answer = pending.result(WITHIN_S)
    assert answer.status_code == 200, answer.text
    assert Image.open(BytesIO(answer.content)).mode == "RGBA"
    again = cutout(system, photograph)
    assert (again.content, again.headers["x-packshot-cost-nanos"]) == (answer.content, "0")
    assert (system.made() - made).total() == 1


@pytest.mark.parametrize(
    "moment",
    [
        "behind Webhooks.note 1",
        "before Poster.post 1",
        "behind Poster.post 1",
        "before Webhooks.settle 1",
        "behind Webhooks.settle 1",
    ],
)
def test_webhooks_tell_of_everything_whenever_they_are_killed(moment: str, system: DyingSystem) -> None:
    system.wait_until_ready()
    sku = "HOOK-" + moment.replace(" ", "-").replace("_", "").upper()
    system.die(moment)
    assert [each.status for each in sent(system, [product(system, sku)])] == [202]
    system.await_death("webhooks")
    check_products(system, [sku])


def test_nothing_is_lost_or_made_twice_when_they_are_killed_at_random(system: DyingSystem) -> None:
    """Products, pictures and webhooks at once."""
    system.wait_until_ready()
    chance, over = random.Random(SEED), threading.Event()
    skus = [f"RANDOM-{number}" for number in range(3 * LINES)]
    products = [product(system, sku) for sku in skus]
    photographs = [Path(system.folder / f"{sku}.png").read_bytes() + b"again" for sku in skus[:LINES]]

    def kills() -> None:
        for _ in range(KILLS):
            over.wait(chance.uniform(1, 8))
            system.kill(chance.choice(["gateway", "webhooks"]))

    with ThreadPoolExecutor(4) as beside:
        batch = beside.submit(sent, system, products)
        answer = [beside.submit(cutout, system, each) for each in photographs]
        killing = beside.submit(kills)
        assert {each.status for each in batch.result(WITHIN_S)} == {202}
        assert {each.result(WITHIN_S).status_code for each in answer} == {200}
        killing.result(WITHIN_S)
    check_products(system, skus)


def test_one_product_is_put_though_the_gateway_dies_of_it(system: DyingSystem) -> None:
    system.wait_until_ready()
    known = product(system, "ONE")
    system.die("behind AcknowledgedProducer.send 1")
    with ThreadPoolExecutor(1) as beside, Client(system.url, system.key, tries=TRIES) as client:
        put = Product(sources=known["sources"], channels=CHANNELS)
        answer = beside.submit(client.send, calls.put_product("ONE", put))
        system.await_death("gateway")
        assert answer.result(WITHIN_S).subject == "ONE"
    check_products(system, ["ONE"])
