"""A world of two worker processes, a broker, storage and a clock: every operation is one step of the simulation.

The processes are the production ones (ConsumerLoop, LaneReader, OffsetTracker, Lanes, Executor, RetryPolicy, Breaker,
Ledger, Publication); what they stand on is simulated. Whatever must hold is checked at every step, from what the broker
has and not from what the processes believe.
"""

import hashlib
from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, cast

import msgspec
from confluent_kafka import KafkaError

from schemas import topics
from schemas.envelope import as_mapping
from schemas.records import LANES, Blob, Lane, PublishRequested, Verdict
from streams.blobs import Blobs
from streams.blobs.store import StoreUnavailable
from streams.consumer.clients import NotAcknowledged
from streams.consumer.letters import (
    ORIGIN_OFFSET,
    ORIGIN_PARTITION,
    ORIGIN_TOPIC,
    Delivery,
    Outgoing,
    returned,
)
from streams.consumer.watchdog import Stalled
from streams.publishing.publication import Publication
from streams.publishing.renditions import Encoded
from streams.runtime.errors import Unavailable
from tests.simulation.broker import Broker, Group, Violation
from tests.simulation.clock import VirtualClock
from tests.simulation.process import (
    PARTITIONS,
    POSITION,
    RETRY_DELAYS_MS,
    Kind,
    Process,
    Work,
    Write,
    topic_of,
)
from tests.simulation.storage import Facts, Store

PROCESSES = 2
TASK_TOPICS = {topics.TASKS["cutout", lane].name for lane in LANES}
SETTLING_TURNS_MAX = 4000


class Died(Exception):
    """The publisher was killed in the middle of something."""


class SimulatedClock(VirtualClock):
    """While somebody sleeps the others go on."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def sleep(self, seconds: float, /) -> None:
        super().sleep(seconds)
        self._meanwhile()


class World:
    """Everything there is. `rng` decides what the operations leave open."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.clock = SimulatedClock(self._meanwhile)
        self.broker = Broker(rng, self._check_commit)
        self.facts = Facts()
        self.origin = Store(self._between_writes)
        self.publication = self._publication()
        self.writes: list[Write] = []
        self.processes: list[Process | None] = [None] * PROCESSES
        self.tasks: dict[int, Work] = {}
        self.is_calm = False
        self._open: set[str] = set()
        self._answered: set[str] = set()
        self._worked: Tally[str] = Tally()
        self._given_back = 0
        self._publishing = ""
        self._violation = ""
        for index in range(PROCESSES):
            self.start(index)

    # what may happen

    def produce(self, lane: Lane, sku: str, kind: Kind, is_newer: bool) -> Work:
        """A task is written; it may be of a version that is newer than all before."""
        version = self.facts.versions.get(sku, 1) + is_newer
        self.facts.versions[sku] = version
        work = Work(len(self.tasks), sku, version, kind)
        self.tasks[work.number] = work
        deadline = [("packshot-deadline-ms", str(self._now_ms() + 1000).encode())] if self.rng.random() < 0.2 else []
        self._append(Outgoing(topic_of(lane), f"{sku[0]}|{sku}".encode(), msgspec.json.encode(work), deadline))
        return work

    def duplicate(self) -> None:
        """A task is written again."""
        written = [record for lane in LANES for record in self.broker.log(topic_of(lane))]
        if written:
            self._append(self.rng.choice(written))

    def turn(self, index: int) -> None:
        """A process polls, collects and commits; it dies of a write that was refused, as it should."""
        process = self.processes[index]
        if process is None or process.is_busy:
            return
        process.is_busy = True
        self.clock.now_s += self.rng.choice([0.02, 0.3, 1.0])
        try:
            process.loop.turn()
            process.check()
        except NotAcknowledged:
            self._bury(index)
        finally:
            process.is_busy = False

    def begin(self, index: int) -> None:
        """A worker of a process takes a job."""
        process = self.processes[index]
        if process is not None:
            process.begin()

    def complete(self, index: int) -> None:
        """A worker of a process is through with its job, in whatever order; its records are under way."""
        process = self.processes[index]
        if process is not None and process.running:
            process.executor.work_on(process.running.pop(self.rng.randrange(len(process.running))))
        if self._violation:  # not raised where it was found: the executor would have taken it for the handler's error
            raise Violation(self._violation)

    def acknowledge(self) -> None:
        """The broker takes records, in whatever order."""
        if self.writes:
            write = self.writes.pop(self.rng.randrange(len(self.writes)))
            for record in write.records:
                self._append(record)
            write.on_end(None)

    def refuse(self) -> None:
        """The broker does not take records, or only some of them."""
        if self.writes:
            write = self.writes.pop(self.rng.randrange(len(self.writes)))
            for record in write.records[: self.rng.randrange(len(write.records))]:
                self._append(record)
            write.on_end(KafkaError(KafkaError._MSG_TIMED_OUT))

    def give_back(self) -> None:
        """A retry letter comes back, now and then twice."""
        letters = self.broker.log(topics.retry(RETRY_DELAYS_MS[0]).name)
        if self._given_back < len(letters):
            self._give_back_all(letters)

    def publish(self) -> None:
        """A publisher carries out a completion, any of them; it may be killed on the way, or come again."""
        done = [each for each in map(_outcome, self.broker.log(topics.COMPLETED.name)) if each[1] == "done"]
        if done:
            try:
                self._publish(self.rng.choice(done)[0])
            except (Died, Unavailable):
                return

    def revoke(self) -> None:
        """A partition changes hands."""
        group = self.broker.groups[topic_of(self.rng.choice(LANES))]
        self.broker.revoke(group, self.rng.randrange(PARTITIONS))

    def lose(self, index: int) -> None:
        """A process was silent for too long in one of its groups, and does not know it yet."""
        process = self.processes[index]
        if process is not None:
            self.broker.throw_out(self.rng.choice(process.members))

    def crash(self, index: int) -> None:
        """A process is killed; what it had under way may have arrived or not."""
        process = self.processes[index]
        if process is not None and not process.is_busy:
            self._bury(index)

    def stop(self, index: int) -> None:
        """A process is told to end, and ends in order."""
        process = self.processes[index]
        if process is None or process.is_busy:
            return
        process.is_busy = True
        try:
            process.loop.close()
        except (NotAcknowledged, Stalled):
            self._bury(index)
        self.processes[index] = None
        self._forget_writes(process)

    def start(self, index: int) -> None:
        """A process is started."""
        if self.processes[index] is None:
            self.processes[index] = Process(self, f"simulated-{index}")

    def jump(self) -> None:
        """The time of day is set, forwards or back; or everything stood still for a while."""
        self.clock.epoch_s += self.rng.choice([-7200.0, -1.0, 3600.0])
        self.clock.now_s += self.rng.choice([0.0, 0.0, 70.0, 1000.0])

    # the end

    def settle(self) -> None:
        """Nothing bad happens any more; when all is quiet, all that must hold at the end is checked."""
        self.is_calm = True
        for _ in range(SETTLING_TURNS_MAX):
            self.clock.now_s += 15.0  # breakers that are open let a few through now and then
            for index in range(PROCESSES):
                self.start(index)
                self.turn(index)
                self.begin(index)
                self.complete(index)
            while self.writes:
                self.acknowledge()
            self.give_back()
            if self._is_quiet():
                self._check_end()
                return
        raise Violation(f"it never came to an end: {len(self._answered)} answered, {len(self.writes)} under way")

    # what must hold

    def note_worked(self, delivery: Delivery) -> None:
        """Bounded duplicates: a delivery is worked on once for each time that its partition changed hands."""
        self._worked[delivery.position] += 1
        handovers = self.broker.groups[delivery.topic].handovers[delivery.partition]
        if self._worked[delivery.position] > handovers:
            self._violation = f"{delivery.position} worked on {self._worked[delivery.position]} times"

    def _check_commit(self, group: Group, partition: int, offset: int) -> None:
        """No loss: everything before a committed offset is answered in the log: completed, retried or dead."""
        log = self.broker.logs[group.topic, partition]
        if offset > log.end:
            raise Violation(f"{group.topic}/{partition}: {offset} committed, the log ends at {log.end}")
        for each, _, _ in log.records:
            if (
                group.committed.get(partition, 0) <= each < offset
                and f"{group.topic}/{partition}/{each}" not in self._answered
            ):
                raise Violation(f"{group.topic}/{partition}: {offset} committed, {each} is not answered")

    def _check_end(self) -> None:
        dead = [msgspec.json.decode(record.value, type=Work) for record in self.broker.log(topics.DEAD.name)]
        outcomes = [_outcome(record) for record in self.broker.log(topics.COMPLETED.name)]
        for work in self.tasks.values():
            expected = {"failed"} if work.kind in ("bad", "bug") else {"done", "superseded"}
            found = {outcome for each, outcome in outcomes if each.number == work.number}
            if not found or not found <= expected:
                raise Violation(f"{work} ended as {found or 'nothing'}")
            if ("failed" in found) != (work in dead):
                raise Violation(f"{work} has no dead letter")
        self._check_newest(outcomes)

    def _check_newest(self, outcomes: "list[tuple[Work, str]]") -> None:
        done = [work for work, outcome in outcomes if outcome == "done"]
        for work in self.rng.sample(done, len(done)):
            self._publish(work)
        for work in done:
            if work.version == self.facts.versions[work.sku]:
                live = self.publication_version(work.sku)
                if live != work.version:
                    raise Violation(f"{work.sku}: version {live} is live, not {work.version}")

    def publication_version(self, sku: str) -> int:
        """The version that is live of a product."""
        found = [stored for key, stored in self.origin.objects.items() if key == f"{sku[0]}/{sku}/manifest.json"]
        return cast(int, msgspec.json.decode(found[0].data)["version"]) if found else 0

    # how it goes

    def _meanwhile(self) -> None:
        """One process waits; the others, and its own workers, go on or take longer than it can wait."""
        index = self.rng.randrange(PROCESSES)
        if self.rng.random() < 0.002 and not self.is_calm:
            self.clock.now_s += 100.0
        step = self.rng.choice([self.turn, self.begin, self.complete, self.complete])
        step(index)
        if self.rng.random() < 0.5:
            self.acknowledge()

    def _append(self, record: Outgoing) -> None:
        position = self.broker.append(record, PARTITIONS, self._now_ms())
        if record.topic in TASK_TOPICS:
            self._open.add(position)
        headers = as_mapping(record.headers)
        if POSITION in headers:
            self._answer(headers[POSITION])
        elif ORIGIN_TOPIC in headers and record.topic != headers[ORIGIN_TOPIC]:
            self._answer("/".join(headers[name] for name in (ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET)))

    def _answer(self, position: str) -> None:
        self._answered.add(position)
        self._open.discard(position)

    def _bury(self, index: int) -> None:
        process = self.processes[index]
        assert process is not None
        self.processes[index] = None
        self._forget_writes(process)
        for member in process.members:
            member.vanish()

    def _forget_writes(self, process: Process) -> None:
        for write in [write for write in self.writes if write.writer is process]:
            self.writes.remove(write)
            for record in write.records[: self.rng.randint(0, len(write.records))]:
                self._append(record)

    def _give_back_all(self, letters: list[Outgoing]) -> None:
        for letter in letters[self._given_back :]:
            back = returned(Delivery(letter.topic, 0, 0, letter.key, letter.value, letter.headers))
            for _ in range(1 + (self.rng.random() < 0.1 and not self.is_calm)):
                self._append(back)
        self._given_back = len(letters)

    def _is_quiet(self) -> bool:
        letters = self.broker.log(topics.retry(RETRY_DELAYS_MS[0]).name)
        is_answered = not self._open and self._given_back == len(letters) and not self.writes
        return is_answered and self._is_committed()  # of an answer in two records the broker may have the first only

    def _is_committed(self) -> bool:
        """Whether every task that was ever written lies before the committed offset of its partition."""
        return all(
            not log.records or self.broker.groups[topic].committed.get(partition, 0) > log.records[-1][0]
            for (topic, partition), log in self.broker.logs.items()
            if topic in TASK_TOPICS
        )

    def _publish(self, work: Work) -> None:
        self._publishing = work.sku
        data = f"{work.sku} {work.version}".encode()
        digest = hashlib.sha256(data).hexdigest()
        file = Blob(role="asset", digest=digest, media_type="image/png", width_px=9, height_px=9, size_bytes=len(data))
        event = PublishRequested(
            tenant=work.sku[0],
            sku=work.sku,
            version=work.version,
            asset="web-1",
            channel="web",
            file=file,
            verdict=Verdict(outcome="pass", checks=[], rules="web-1"),
            engine="simulated",
            result_id=digest,
        )
        self.publication.apply(event, f"publish/0/{work.number}", [Encoded("image/png", 9, 9, data)], self._now_ms())

    def _between_writes(self) -> None:
        """Before a write to storage: a fault, death, another publisher, one that has something newer."""
        if self.is_calm:
            return
        chance = self.rng.random()
        if chance < 0.05:
            raise StoreUnavailable("away")
        if chance < 0.1:
            raise Died
        if chance < 0.15:
            self.publish()
        elif chance < 0.25:
            self._publish(self.produce("urgent", self._publishing, "good", is_newer=True))

    def _publication(self) -> Publication:
        publication = Publication(self.origin, Blobs(Store(lambda: None)), self.facts, "https://cdn", self._now_ms)
        publication._transfers = cast(ThreadPoolExecutor, _Inline())  # threads would not be the seed's
        return publication

    def _now_ms(self) -> int:
        return int(self.clock.time() * 1000)


class _Inline:
    """An executor that is none."""

    def map(self, do: Callable[..., Any], *arguments: Any) -> list[Any]:
        return list(map(do, *arguments))


def _outcome(record: Outgoing) -> tuple[Work, str]:
    return msgspec.json.decode(record.value, type=Work), as_mapping(record.headers)["outcome"]
