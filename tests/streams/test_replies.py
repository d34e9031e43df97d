"""Requests and replies: the address in a task's headers, and answers in the one partition that an asker reads."""

import time
from concurrent.futures import Future
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from gpu_workers.metering import Prices
from gpu_workers.results import Result, Results
from gpu_workers.worker import Worker
from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import Step, Task, TaskCompleted, TaskFailed
from streams.blobs import Blobs
from streams.consumer import groups, replies
from streams.consumer.clients import AcknowledgedProducer, delivery, make_topics, open_consumer
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing
from streams.consumer.replies import Address
from streams.consumer.work import Wait
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.audit.tasks import TaskLedger
from streams.services.ordering.replies import Replies
from streams.services.recovery.rebuilding import fill
from tests.memory_store import MemoryStore

SOON_S = 120
ADDRESS = Address(2, "a name")


def task(deadline_ms: int | None = None) -> Task:
    step = Step(operation="cutout")
    return Task(task_id="0" * 64, tenant="demo", sku="J", version=1, lane="urgent", step=step, deadline_ms=deadline_ms)


def request(address: Address = ADDRESS, deadline_ms: int | None = None) -> Delivery:
    return read(replies.asking(outgoing(task(deadline_ms), "test"), address))


def read(record: Outgoing) -> Delivery:
    return Delivery(record.topic, record.partition or 0, 0, record.key, record.value, list(record.headers))


@pytest.fixture
def worker() -> Worker:
    result = Result(outputs=[], measures={}, engine="e", timings_ms={})
    # A task that is answered alone needs no facts: asking this database would fail, for it has no tables.
    facts = Database("sqlite:///:memory:")
    return Worker("cutout", lambda *_: ("r", result, False), Results(Blobs(MemoryStore())), facts, Prices())


def test_an_answer_goes_to_its_address_alone(worker: Worker) -> None:
    (answer,) = worker.handle(request(), Wait())
    assert (answer.topic, answer.partition) == (topics.REPLIES.name, 2)
    assert replies.correlation_id(read(answer)) == "a name"
    event = codec.decode(answer.value)
    assert isinstance(event, TaskCompleted)
    assert event.outcome == "done"


def test_a_task_that_is_tried_again_or_given_up_is_answered_all_the_same(worker: Worker) -> None:
    refusal = Refused("source_away", "not now", transient=True)
    letter = RetryPolicy([1000]).letter(request(), refusal, now_ms=0)
    again = replace(request(), headers=list(letter.headers))
    assert replies.address_in(again) == ADDRESS
    (answer,) = worker.give_up(again, refusal)
    assert (answer.topic, answer.partition) == (topics.REPLIES.name, 2)
    assert isinstance(codec.decode(answer.value), TaskFailed)


def test_a_task_whose_deadline_is_over_is_not_begun(worker: Worker) -> None:
    (answer,) = worker.handle(request(deadline_ms=1), Wait())
    event = codec.decode(answer.value)
    assert isinstance(event, TaskCompleted)
    assert (event.outcome, event.costs) == ("expired", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (replies.TOPIC, b"imagery.catalog"),
        (replies.PARTITION, b"-1"),
        (replies.PARTITION, b"x"),
        (replies.PARTITION, b"99999999999"),
        (replies.CORRELATION, b""),
        (replies.CORRELATION, b"x" * 65),
        (replies.CORRELATION, "ä".encode()),
    ],
)
def test_what_is_no_address_is_refused(name: str, value: bytes, worker: Worker) -> None:
    wrong = replace(
        request(), headers=[(each, value if each == name else stated) for each, stated in request().headers]
    )
    with pytest.raises(Refused) as refused:
        worker.handle(wrong, Wait())
    assert (refused.value.code, refused.value.field) == ("bad_reply_address", name)
    assert worker.give_up(wrong, refused.value) == []


def test_a_question_comes_back_over_a_broker(memory_bootstrap: str, worker: Worker) -> None:
    settings = Settings(kafka_bootstrap_servers=memory_bootstrap)
    make_topics(settings)
    producer, asker, other = AcknowledgedProducer(settings), Replies(settings), Replies(settings)
    reader = open_consumer(settings, groups.READER)
    reader.subscribe([topics.tasks(task()).name])
    try:
        answers = [each.ask(task(), producer) for each in (asker, other, asker)]
        found = 0
        give_up_at = time.monotonic() + SOON_S
        while found < len(answers):
            assert time.monotonic() < give_up_at
            message = reader.poll(1.0)
            if message is None or message.error() is not None:
                continue
            record = delivery(message)
            producer.send(list(worker.handle(record, Wait())) * 2)  # an answer may come twice
            found += 1
        results = [each.result(SOON_S) for each in answers]
        assert all(isinstance(each, TaskCompleted) and each.outcome == "done" for each in results)
        nowhere = replies.asking(outgoing(task(), "test"), Address(9999, "of nobody"))
        producer.send(worker.handle(read(nowhere), Wait()))  # where nobody can read nothing is waited for
    finally:
        for each in (asker, other):
            each.close()
        reader.close()
        producer.close()


def test_a_record_that_is_no_answer_ends_in_a_refusal_of_whoever_asked() -> None:
    reader = Replies(Settings())
    question: Future[TaskCompleted | TaskFailed] = Future()
    reader._waiting["a name"] = question
    reader.tell(request())
    with pytest.raises(Refused) as refused:
        question.result(0)
    assert refused.value.code == "wrong_topic"


def test_an_error_that_nobody_expects_does_not_end_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, tries = Replies(Settings()), []

    def follow(_consumer: object) -> None:
        tries.append("a try")
        if len(tries) > 1:
            reader.close()
        raise ZeroDivisionError

    monkeypatch.setattr("streams.services.ordering.replies.AWAY_WAIT_S", 0.01)
    monkeypatch.setattr("streams.services.ordering.replies.open_consumer", lambda *_: StringIO())
    monkeypatch.setattr(reader, "_follow", follow)
    reader._read()
    assert len(tries) == 2


def test_facts_that_are_made_anew_know_nothing_of_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    with database.begin() as facts:
        fill(facts, [request()], [])
        assert facts.tasks.states() == {}
        fill(facts, [read(outgoing(task(), "test"))], [])
        assert len(facts.tasks.states()) == 1, "of any other they do"
    database.close()


def test_the_audit_holds_it_against_its_reply_and_not_against_facts() -> None:
    ledger = TaskLedger({(request().topic, 0): 1})
    ledger.written(request())
    (entry,) = ledger.entries.values()
    assert (entry.stands_alone, entry.state) == (True, "lost")
    ledger.note(TaskCompleted(task=task(), outcome="done"))
    assert (entry.state, ledger.findings()) == ("done", [])


def test_headers_name_the_address_and_nothing_else() -> None:
    headers = as_mapping(request().headers)
    assert {name: headers[name] for name in (replies.TOPIC, replies.PARTITION, replies.CORRELATION)} == {
        replies.TOPIC: topics.REPLIES.name,
        replies.PARTITION: "2",
        replies.CORRELATION: "a name",
    }
