"""Bugs that other systems had, planted in ours: the simulation has to find every one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import msgspec
from confluent_kafka import KafkaError, TopicPartition

from schemas import topics
from schemas.records import ReleaseContinued, ReplansContinued, ReviewRequested
from streams.consumer.lanes import Lanes
from streams.consumer.letters import Outgoing
from streams.consumer.loop import ConsumerLoop
from streams.consumer.offsets import OffsetTracker
from streams.consumer.reader import LaneReader
from streams.facts import Unsent
from streams.facts.cases import Cases
from streams.facts.outbox import Outbox
from streams.flow.processing import PROCESSORS, Processing
from streams.flow.processors import campaigns, deciding
from streams.publishing import publication
from streams.publishing.manifest import Manifest, manifest_key
from tests.simulation.broker import Member
from tests.simulation.process import Process
from tests.simulation.storage import Store

DEAD_MAX = 3


@contextmanager
def commits_past_unfinished() -> Iterator[None]:
    """Faust: an acknowledgement out of order moves the offset past what is not finished."""
    finish = OffsetTracker.finish

    def faust(self: OffsetTracker, offset: int, epoch: int) -> None:
        finish(self, offset, epoch)
        self.acked = max(offset + 1, getattr(self, "acked", 0))  # type: ignore[attr-defined]

    with (
        patch.object(OffsetTracker, "finish", faust),
        patch.object(OffsetTracker, "committable", lambda self: getattr(self, "acked", None)),
    ):
        yield


@contextmanager
def commits_the_highest_seen() -> Iterator[None]:
    """parallel-consumer: the offset behind the last delivery is committed, finished or not."""
    with patch.object(OffsetTracker, "committable", lambda self: self.next):
        yield


@contextmanager
def drops_dead_letters_over_a_limit() -> Iterator[None]:
    """arroyo: above a limit dead letters are not written, and the position moves on."""
    send_later = Process.send_later

    def arroyo(self: Process, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        dead = any(record.topic == topics.DEAD.name for record in records)
        self.dead = getattr(self, "dead", 0) + dead  # type: ignore[attr-defined]
        send_later(self, [] if dead and self.dead > DEAD_MAX else records, on_end)  # type: ignore[attr-defined]

    with patch.object(Process, "send_later", arroyo):
        yield


@contextmanager
def trusts_pauses_to_end() -> Iterator[None]:
    """A partition that was paused when it was revoked comes back paused, and nobody resumes it."""
    on_assign = LaneReader._on_assign

    def trusting(self: LaneReader, consumer: object, places: list[TopicPartition]) -> None:
        with patch.object(Member, "resume", lambda _self, _places: None):
            on_assign(self, consumer, places)

    with patch.object(LaneReader, "_on_assign", trusting):
        yield


@contextmanager
def serves_urgent_only() -> Iterator[None]:
    """Strict priority: whatever is not urgent waits for as long as there is anything urgent."""
    with patch.object(Lanes, "_choose", lambda _self, open_lanes, _now_ms: open_lanes[0]):
        yield


@contextmanager
def forgets_what_it_dropped() -> Iterator[None]:
    """What is dropped at a revocation leaves the lanes but not the books."""
    with patch.object(ConsumerLoop, "_drop", lambda _self, _jobs: None):
        yield


@contextmanager
def moves_manifests_without_looking() -> Iterator[None]:
    """A publisher writes the manifest that it made, whatever is there by now."""

    def blindly(store: Store, manifest: Manifest, _etag: str | None) -> str:
        return store.put(manifest_key(manifest.tenant, manifest.sku), msgspec.json.encode(manifest))

    with patch.object(publication, "save", blindly):
        yield


@contextmanager
def drops_what_follows_before_it_is_sent() -> Iterator[None]:
    """The outbox is cleared in the transaction that fills it: whoever dies before the send has lost what follows."""
    put = Outbox.put

    def hasty(self: Outbox, records: Sequence[tuple[tuple[str, int], Outgoing]]) -> list[Unsent]:
        rows = put(self, records)
        self.drop([row.id for row in rows])
        return rows

    with patch.object(Outbox, "put", hasty):
        yield


@contextmanager
def sends_nothing_of_those_before_it() -> Iterator[None]:
    """What another process left of a partition is not sent before its next batch, and overtaken."""
    with patch.object(Outbox, "before", lambda _self, _places, _keys: []):
        yield


@contextmanager
def leaves_what_is_left() -> Iterator[None]:
    """What was left stays so: neither the next owner of the partition sends it nor anybody else."""
    with (
        patch.object(Outbox, "before", lambda _self, _places, _keys: []),
        patch.object(Outbox, "left", lambda _self, _before_ms, _rows_max: []),
    ):
        yield


@contextmanager
def lets_the_last_word_count() -> Iterator[None]:
    """A campaign is what was read of it last."""
    with (
        patch.object(campaigns, "_is_over", lambda _event, _known: False),
        patch.object(campaigns, "rank_of", lambda _event: 2**62),
    ):
        yield


@contextmanager
def takes_no_second_look_at_poison() -> Iterator[None]:
    """What a processor breaks on is left out, and nobody is told."""
    with patch.object(Processing, "_bury", lambda _self, _delivery, _why: None):
        yield


@contextmanager
def holds_a_part_against_a_release() -> Iterator[None]:
    """A release ends with its first step."""
    with patch.dict(PROCESSORS, {ReleaseContinued: lambda _event, _facts: []}):
        yield


@contextmanager
def makes_a_part_again() -> Iterator[None]:
    """What is to be made again ends with its first step."""
    with patch.dict(PROCESSORS, {ReplansContinued: lambda _event, _facts: []}):
        yield


@contextmanager
def asks_nobody_about_what_waits() -> Iterator[None]:
    """An asset waits, and stands in no case that anybody is shown."""
    put = Cases.put

    def settled(self: Cases, request: ReviewRequested, _settled: object) -> None:
        put(self, request, {doubt.case for doubt in request.doubts})

    with patch.object(Cases, "put", settled):
        yield


@contextmanager
def lets_the_second_decision_count() -> Iterator[None]:
    """Of two who decide on a case the last one's word stands, whatever was made of the first one's."""
    with patch.object(deciding, "_is_stale", lambda _event, _case, _facts: False):
        yield


FLOW_MUTANTS: list[Callable[[], AbstractContextManager[None]]] = [
    drops_what_follows_before_it_is_sent,
    sends_nothing_of_those_before_it,
    leaves_what_is_left,
    lets_the_last_word_count,
    takes_no_second_look_at_poison,
    holds_a_part_against_a_release,
    makes_a_part_again,
    asks_nobody_about_what_waits,
    lets_the_second_decision_count,
]
MUTANTS: list[Callable[[], AbstractContextManager[None]]] = [
    commits_past_unfinished,
    commits_the_highest_seen,
    drops_dead_letters_over_a_limit,
    trusts_pauses_to_end,
    serves_urgent_only,
    forgets_what_it_dropped,
    moves_manifests_without_looking,
]
