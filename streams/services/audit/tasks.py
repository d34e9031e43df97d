"""The ledger of tasks: each time that one was read and committed, it ended; and all of it ends in one outcome."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.codec import HASHED, Codec, WireError
from schemas.records import Task, TaskCompleted, TaskFailed
from streams.consumer import replies
from streams.consumer.letters import Delivery
from streams.services.audit.findings import Finding, Kind

Place = tuple[str, int]
FAILED = "failed"


@dataclass
class Entry:
    """What is known of one task, of which the facts know nothing where it `stands_alone`.

    `read` counts the records of it that the workers have committed.
    """

    name: str
    product: tuple[str, str]
    fresh: int = 0
    read: int = 0
    ended: int = 0
    waiting: int = 0
    outcomes: list[str] = field(default_factory=list)
    open_letters: int = 0
    stands_alone: bool = False

    @property
    def state(self) -> str:
        """in_flight, lost, dead, or the outcome that was told last."""
        if self.waiting:
            return "in_flight"
        if self.ended < self.read:
            return "lost"
        return self.outcomes[-1] if self.outcomes else "dead"

    @property
    def conflicts(self) -> bool:
        """Whether it was done and failed, though it was asked for only once."""
        return self.fresh == 1 and {"done", FAILED} <= set(self.outcomes)


class TaskLedger:
    """Is shown the task topics first, then the retries, completions and dead letters.

    `committed` is how far the groups had got before any of that was read. What is older than `horizon_ms` is left out:
    its outcome may have passed its retention.
    """

    def __init__(self, committed: Mapping[Place, int], horizon_ms: int = 0, codec: Codec = HASHED) -> None:
        self._codec = codec
        self._committed = committed
        self._horizon_ms = horizon_ms
        self._foreign: dict[str, str] = {}  # by position: a letter need not have the bytes of its original in it
        self.entries: dict[str, Entry] = {}

    def written(self, record: Delivery) -> None:
        """A record of a task topic. One that holds no task goes by the hash of its bytes."""
        if record.timestamp_ms < self._horizon_ms:
            return
        task, identity, product = self._identity(record)
        if task is None:
            self._foreign[record.position] = identity
        entry = self.entries.setdefault(identity, Entry(identity[:12], product))
        entry.fresh += record.attempt == 0
        entry.stands_alone |= replies.stands_alone(record)
        if self._is_committed(record):
            entry.read += 1
        else:
            entry.waiting += 1

    def retried(self, letter: Delivery) -> None:
        """A letter of a retry topic that came from a task topic."""
        entry = self._entry(letter)
        if entry is not None:
            entry.ended += 1
            entry.waiting += not self._is_committed(letter)

    def died(self, letter: Delivery, *, is_open: bool) -> None:
        """A dead letter that came from a task topic."""
        entry = self._entry(letter)
        if entry is not None:
            entry.ended += 1
            entry.open_letters += is_open

    def note(self, event: TaskCompleted | TaskFailed) -> None:
        """A completion, or the failure that goes with a dead letter."""
        entry = self.entries.get(event.task.task_id)
        if entry is None:
            return
        if isinstance(event, TaskCompleted):
            entry.ended += 1
            entry.outcomes.append(event.outcome)
        else:
            entry.outcomes.append(FAILED)

    def counts(self) -> dict[str, int]:
        """How many tasks there are, how they stand, and how many ends were surplus: told twice by a repeat."""
        states = Counter(entry.state for entry in self.entries.values())
        apart = {"in_flight", "lost", "dead", FAILED}
        return {
            "tasks": len(self.entries),
            "completed": sum(count for state, count in states.items() if state not in apart),
            "failed": states[FAILED],
            "dead": states["dead"],
            "in_flight": states["in_flight"],
            "duplicates": sum(max(0, entry.ended - entry.read) for entry in self.entries.values()),
        }

    def findings(self) -> list[Finding]:
        """The lost and the conflicting tasks."""
        lost = [
            _finding("lost", entry, f"read {entry.read} times, ended {entry.ended} times")
            for entry in self.entries.values()
            if entry.state == "lost"
        ]
        conflicting = [
            _finding("conflicting", entry, ", ".join(entry.outcomes))
            for entry in self.entries.values()
            if entry.conflicts
        ]
        return lost + conflicting

    def busy(self) -> set[tuple[str, str]]:
        """The products of which a task is in flight."""
        return {entry.product for entry in self.entries.values() if entry.waiting}

    def _entry(self, letter: Delivery) -> Entry | None:
        return self.entries.get(self._foreign.get(letter.origin_position) or self._identity(letter)[1])

    def _is_committed(self, record: Delivery) -> bool:
        return record.offset < self._committed.get((record.topic, record.partition), 0)

    def _identity(self, record: Delivery) -> tuple[Task | None, str, tuple[str, str]]:
        """The task in a record if it is one, its id and its product."""
        try:
            event = self._codec.decode(record.value, (Task,))
        except WireError:
            event = None
        if isinstance(event, Task):
            return event, event.task_id, (event.tenant, event.sku)
        return None, hashlib.sha256(record.value).hexdigest(), ("", record.subject)


def _finding(kind: Kind, entry: Entry, text: str) -> Finding:
    return Finding(kind, entry.name, f"{'|'.join(entry.product)}: {text}", entry.product[0])
