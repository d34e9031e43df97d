"""One streams process of the simulation, which may be killed or stopped anywhere in a batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from schemas.codec import HASHED
from streams.consumer.letters import Outgoing, RetryPolicy
from streams.facts import Facts
from streams.flow.processing import Processing

if TYPE_CHECKING:
    from tests.simulation.flow_world import FlowWorld

POLICY = RetryPolicy((1000,), random_share=lambda: 0.0)


class Killed(BaseException):
    """The process is gone."""


class Member:
    """A streams process. `fate` is where it dies or stands still in the batch in hand."""

    codec = HASHED

    def __init__(self, world: "FlowWorld", index: int) -> None:
        self.world = world
        self.index = index
        self.fate = ""
        self.processing = Processing(_Doomed(world, self), self, POLICY)  # type: ignore[arg-type]

    def send(self, records: Sequence[Outgoing]) -> None:
        """See streams.flow.relay.Sender."""
        if self.fate == "after_commit":
            raise Killed
        if self.fate == "stopped":
            self.world.meanwhile(self)
        ids = self.processing._relay.sending  # type: ignore[attr-defined]
        for number, record in enumerate(records):
            if self.fate == "in_between" and number >= len(records) // 2:
                raise Killed
            self.world.append(record, ids[number])
        if self.fate == "after_send":
            raise Killed


class _Doomed:
    """Facts whose transactions may be cut off before they are kept."""

    def __init__(self, world: "FlowWorld", member: Member) -> None:
        self._world = world
        self._member = member

    @contextmanager
    def begin(self) -> Iterator[Facts]:
        with self._world.database.begin() as facts:
            yield facts
            if self._member.fate == "before_commit":
                raise Killed

    def read(self) -> Any:
        return self._world.database.read()
