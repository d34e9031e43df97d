"""A record that ends the process of whoever works on it, by a signal: it dies, and all others are worked on."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas import topics
from schemas.records import Source, Step, Task
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.isolation import CAREFUL_FROM_STARTS, TRIES_MAX
from streams.consumer.letters import ERROR_CODE, ERROR_KIND, Delivery, Outgoing, RetryPolicy, outgoing
from streams.consumer.reading import has_record, read
from streams.embedded import choose_broker
from streams.facts import Database
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.services.audit.standing import progress
from streams.services.recovery.dead import Wanted, find
from tests.streams.flow import upsert

pytestmark = pytest.mark.heavy

WITHIN_S = 900.0  # half a dozen starts of a role, on a busy machine
RETRY_MS = 1000
CACHE = Path(__file__).parents[2] / ".cache"
COUNT, KILLER = 7, 3

ROLE = """
    import os, sys

    from schemas.codec import Codec
    from streams.services.operating import roles
    from streams.consumer import retrier
    from streams.runtime.settings import Settings

    role, pool, number = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
    decode, returned = Codec.decode, retrier.returned

    def deadly_decode(codec, data, *more):
        if b"KILLER" in data:
            os.kill(os.getpid(), number)
        return decode(codec, data, *more)

    def deadly_returned(letter, *more):
        if b"KILLER" in letter.value:
            os.kill(os.getpid(), number)
        return returned(letter, *more)

    if role == "retrier":
        retrier.returned = deadly_returned
    else:
        Codec.decode = deadly_decode
    roles.run(role, pool, Settings())
"""


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings for a broker of its own, on which every topic has one partition."""
    broker = choose_broker(tmp_path, CACHE, "kafka")
    broker.start()
    try:
        fields = {"kafka_bootstrap_servers": broker.bootstrap_servers, "kafka_partitions": 1, "data_folder": tmp_path}
        made = Settings(**{**fields, "cache_folder": CACHE, "retry_delays_ms": [str(RETRY_MS)]})
        make_topics(made)
        database = Database(made.database)
        database.create_tables()
        database.close()
        yield made
    finally:
        broker.stop()


@contextmanager
def role(settings: Settings, name: str, pool: str, number: signal.Signals) -> Iterator[list[int]]:
    """A role that is started again whenever it has ended, for as long as the block lasts; how it ended each time."""
    environment = os.environ | {
        "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "PACKSHOT_KAFKA_PARTITIONS": "1",
        "PACKSHOT_KAFKA_SESSION_TIMEOUT_MS": "6000",
        "PACKSHOT_DATA_FOLDER": str(settings.data_folder),
        "PACKSHOT_CACHE_FOLDER": str(CACHE),
        "PACKSHOT_RETRY_DELAYS_MS": str(RETRY_MS),
    }
    program = [sys.executable, "-c", textwrap.dedent(ROLE), name, pool, str(number.value)]
    ends: list[int] = []
    stop = threading.Event()

    def supervise() -> None:
        while not stop.is_set():
            with subprocess.Popen(program, env=environment) as process:
                while process.poll() is None and not stop.wait(0.1):
                    pass
                if stop.is_set():
                    process.kill()
                else:
                    ends.append(process.returncode)

    thread = threading.Thread(target=supervise)
    thread.start()
    try:
        yield ends
    finally:
        stop.set()
        thread.join()


def skus() -> list[str]:
    return ["KILLER" if number == KILLER else f"S{number}" for number in range(COUNT)]


def catalogue_events() -> list[Outgoing]:
    return [outgoing(upsert(1, sku=sku), "test") for sku in skus()]


def tasks() -> list[Outgoing]:
    step, source = Step(operation="cutout"), Source(uri="https://x/a.jpg")
    made = [
        Task(task_id=f"{number:064x}", tenant="demo", sku=sku, version=1, lane="urgent", step=step, source=source)
        for number, sku in enumerate(skus())
    ]
    return [outgoing(each, "test") for each in made]


def letters() -> list[Outgoing]:
    policy = RetryPolicy([RETRY_MS])
    refusal = Refused("away", "not now", transient=True)
    read_before = [Delivery(topics.REVIEWS.name, 0, n, b"demo|A", sku.encode()) for n, sku in enumerate(skus())]
    return [policy.letter(each, refusal, 1) for each in read_before]


@pytest.mark.parametrize(
    ("name", "pool", "number", "records", "answers"),
    [
        ("streams", "", signal.SIGKILL, catalogue_events, topics.TASKS["cutout", "standard"].name),
        ("streams", "", signal.SIGSEGV, catalogue_events, topics.TASKS["cutout", "standard"].name),
        ("worker", "cutout", signal.SIGSEGV, tasks, topics.COMPLETED.name),
        ("retrier", "", signal.SIGKILL, letters, topics.REVIEWS.name),
    ],
)
def test_a_record_that_ends_its_process_dies_and_the_others_are_worked_on(
    settings: Settings,
    name: str,
    pool: str,
    number: signal.Signals,
    records: Callable[[], Sequence[Outgoing]],
    answers: str,
) -> None:
    producer = AcknowledgedProducer(settings)
    written = records()
    producer.send(written)
    with role(settings, name, pool, number) as ends:
        give_up_at = time.monotonic() + WITHIN_S
        while not _is_done(settings, written[0].topic, answers):
            assert time.monotonic() < give_up_at, f"{name} ended by {ends}"
            assert set(ends) <= {-number}
            time.sleep(1.0)
    producer.close()
    assert len(ends) <= CAREFUL_FROM_STARTS + TRIES_MAX + 1  # it is decoded once more to tell what ends with it
    [letter] = find(settings, Wanted(), whole=True)
    assert (letter.header(ERROR_CODE), letter.header(ERROR_KIND)) == ("ended_the_process", "poison")
    assert letter.record.value == written[KILLER].value


def _is_done(settings: Settings, topic: str, answers: str) -> bool:
    """Whether all that was written is answered or dead, and committed."""
    if len({record.value for record in read(settings, [answers])}) < COUNT - 1 or not find(settings, Wanted()):
        return False
    try:
        return not has_record(settings, (topic, 0), progress(settings)[topic, 0])
    except Unavailable:  # a young group has no coordinator yet
        return False
