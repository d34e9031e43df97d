"""Deliveries through their processors: decode, answer, note the facts and what follows, send it, all acknowledged.

Every step may be repeated: a delivery that comes twice leaves the same facts, and what follows from facts is kept with
them until the broker has it.

Whatever a delivery holds, it ends. One that a processor breaks on, or that the database will not take, is tried once
more in a transaction of its own; then it is poison: a dead letter with the trace, the end of its assets, and a metric.
Nothing stands but what waits for a database that is away; when the broker does not take what follows, the process ends.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import structlog
from msgspec.structs import replace

from schemas import topics
from schemas.envelope import as_mapping
from schemas.records import (
    AssetPublished,
    AssetRetracted,
    CampaignCancelled,
    CampaignContinued,
    CampaignRequested,
    CatalogChanged,
    ChannelReleased,
    CutoutRetouched,
    DecisionUndone,
    DefaultsReleased,
    Event,
    ModelAdded,
    ModelReleased,
    OpinionGiven,
    PictureRated,
    PolicyContinued,
    PolicyReleased,
    ProductPublished,
    PublicationFailed,
    RecipeReleased,
    ReleaseContinued,
    ReplanRequested,
    ReplansContinued,
    ReplansRequested,
    RetractionDecided,
    ReviewDecided,
    ShelfMeasured,
    TaskCompleted,
    TaskFailed,
)
from streams.consumer.clients import NotAcknowledged
from streams.consumer.isolation import is_untouchable
from streams.consumer.ledger import ended, polled
from streams.consumer.letters import REPLAYED, Delivery, Outgoing, RetryPolicy, event_in, outgoing
from streams.consumer.poison import poison as poison_of
from streams.consumer.poison import with_trace
from streams.facts import Database, EventKey, Facts, Refusal, Unsent
from streams.flow import ahead
from streams.flow.processors import (
    Processor,
    campaigns,
    deciding,
    intake,
    poison,
    publications,
    rating,
    recipes,
    releasing,
    replanning,
    retracting,
    routing,
    shelving,
)
from streams.flow.processors.quotas import admitted
from streams.flow.relay import Place, Relay, Sender
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.observability import span
from streams.runtime.waiting import Stopped

PROCESSORS: Mapping[type[Event], Processor] = {
    CatalogChanged: intake.catalog_changed,
    ReplanRequested: intake.replan_requested,
    ReplansRequested: replanning.replans_requested,
    ReplansContinued: replanning.replans_continued,
    CampaignRequested: campaigns.campaign_requested,
    CampaignCancelled: campaigns.campaign_cancelled,
    CampaignContinued: campaigns.campaign_continued,
    TaskCompleted: routing.task_completed,
    TaskFailed: routing.task_failed,
    ReviewDecided: deciding.decided,
    DecisionUndone: deciding.undone,
    OpinionGiven: deciding.opinion_given,
    CutoutRetouched: intake.cutout_retouched,
    RetractionDecided: retracting.retraction_decided,
    PictureRated: rating.picture_rated,
    AssetPublished: publications.asset_published,
    AssetRetracted: publications.asset_retracted,
    ProductPublished: publications.product_published,
    PublicationFailed: publications.publication_failed,
    ModelAdded: releasing.model_added,
    ModelReleased: releasing.model_released,
    RecipeReleased: recipes.released,
    DefaultsReleased: recipes.released,
    ChannelReleased: recipes.released,
    PolicyReleased: recipes.released,
    PolicyContinued: recipes.policy_continued,
    ReleaseContinued: recipes.release_continued,
    ShelfMeasured: shelving.shelf_measured,
}

log = structlog.get_logger()


@dataclass(frozen=True)
class Answered:
    """What follows from a delivery, and how it ends."""

    records: Sequence[Outgoing]
    how: Literal["done", "retried", "dead"]


class Work(Protocol):
    """What the agents of the app do with batches: Processing's part, or a benchmark's."""

    @property
    def is_waiting(self) -> bool: ...

    @property
    def stopping(self) -> threading.Event: ...

    def run(self, batch: Sequence[Delivery]) -> None: ...

    def bury(self, delivery: Delivery, why: Refused) -> None: ...

    def tend(self) -> None: ...


class Processing:
    """The processors at work on batches of deliveries. Safe to use from several threads, which take turns."""

    def __init__(self, database: Database, sender: Sender, policy: RetryPolicy, tenant_quota_per_hour: int = 0) -> None:
        self._relay = Relay(database, sender, self._instead)
        self._codec = sender.codec
        self._policy = policy
        self._quota_per_hour = tenant_quota_per_hour
        self._turn = threading.Lock()

    @property
    def is_waiting(self) -> bool:
        """Whether a batch stands on purpose, until the database is back."""
        return self._relay.is_waiting

    @property
    def stopping(self) -> threading.Event:
        """Once it is set nobody waits for the database any more: Stopped is raised."""
        return self._relay.stopping

    def run(self, batch: Sequence[Delivery]) -> None:
        """Works on deliveries in order; returns when all that follows from them is acknowledged.

        While the database is away it waits. Raises NotAcknowledged when the broker does not take what follows, and
        Stopped.
        """
        with self._turn:
            polled.labels("streams", "-").inc(len(batch))
            try:
                self._work(batch, self._answer)
            except (NotAcknowledged, Stopped):
                raise
            except Exception as error:
                log.warning("a batch breaks; each of it alone", deliveries=len(batch), error=type(error).__name__)
                for delivery in batch:
                    self._work_alone(delivery)

    def bury(self, delivery: Delivery, why: Refused) -> None:
        """Ends a delivery untried, as poison: with a dead letter that says why, and the end of its assets."""
        with self._turn:
            polled.labels("streams", "-").inc()
            self._bury(delivery, why)

    def tend(self) -> None:
        """What is to be done now and then when there is no work, too: see Relay.tend. Raises nothing."""
        with self._turn:
            try:
                self._relay.tend()
            except Exception as error:
                log.warning("the outbox is not tended", reason=f"{type(error).__name__}: {error}")

    def _work(self, batch: Sequence[Delivery], answer: Callable[[Delivery, Facts], Answered]) -> None:
        answered: list[Answered] = []

        def follow(facts: Facts) -> list[tuple[Place, Outgoing]]:
            answered[:] = [answer(delivery, facts) for delivery in batch]
            return [(each.place, record) for each, its in zip(batch, answered, strict=True) for record in its.records]

        self._relay.carry_out({delivery.place for delivery in batch}, follow)
        for each in answered:
            ended.labels("streams", "-", each.how).inc()

    def _work_alone(self, delivery: Delivery) -> None:
        """The second try, alone in its transaction."""
        try:
            self._work([delivery], self._answer)
        except (NotAcknowledged, Stopped):
            raise
        except Refused as why:  # what follows is what no topic, or no column, takes
            self._bury(delivery, why)
        except Exception as error:
            log.exception("poison", position=delivery.position)
            self._bury(delivery, self._why(delivery, error))

    def _instead(self, row: Unsent, facts: Facts) -> list[Outgoing]:
        """What takes the place of a record that its topic refuses for its size: a dead letter, the end of its assets.

        Our own limits keep records from being so large; it takes a topic that somebody gave a smaller one.
        """
        record = Outgoing(row.topic, row.key, row.value, row.headers)
        why = Refused("record_too_large", f"{row.topic} takes no record of {record.size_bytes} bytes")
        log.error("refused for its size", topic=row.topic, size_bytes=record.size_bytes)
        letter = self._policy.instead(record, row.id, why, time.time_ns() // 1_000_000)
        try:
            with facts.savepoint():
                is_letter = not topics.records_on(row.topic)
                answers = [] if is_letter else poison.ends(self._codec.decode(row.value), facts, f"{why.code}: {why}")
                return [letter, *self._records(answers)]
        except Unavailable:
            raise
        except Exception:  # the letter tells of it all the same
            log.exception("the end of what was refused cannot be told of", topic=row.topic)
            return [letter]

    def _why(self, delivery: Delivery, error: Exception) -> Refused:
        why = poison_of(error, "streams", delivery.topic)
        why.__cause__ = error
        return why

    def _bury(self, delivery: Delivery, why: Refused) -> None:
        """Goes through ever simpler ends: what breaks a processor may break what tells of it, too."""
        for end in (self._dead,) if is_untouchable(why) else (self._poisoned, self._dead):
            try:
                self._work([delivery], partial(end, why=why))
                return
            except (NotAcknowledged, Stopped):
                raise
            except Exception:
                log.exception("poison that cannot be told of in full", position=delivery.position)
        self._work([delivery], lambda its, _facts: Answered([poison.bare_letter(its, why)], "dead"))

    def _poisoned(self, delivery: Delivery, facts: Facts, *, why: Refused) -> Answered:
        try:
            event: Event | None = event_in(delivery, self._codec)
        except Exception:  # then nobody knows what it was about
            event = None
        answers = poison.ends(event, facts, f"{why.code}: {why.message}") if event is not None else []
        letter = self._dead(delivery, facts, why=why)
        return Answered([*letter.records, *self._records(answers)], "dead")

    def _dead(self, delivery: Delivery, facts: Facts, *, why: Refused) -> Answered:
        return Answered([with_trace(self._letter(delivery, why, facts), why)], "dead")

    def _answer(self, delivery: Delivery, facts: Facts) -> Answered:
        name = delivery.topic.removeprefix(topics.PREFIX)
        with span(f"streams {name}", as_mapping(delivery.headers), {"packshot.position": delivery.position}):
            try:
                with facts.savepoint():
                    event = event_in(delivery, self._codec)
                    ahead.check_time(event, delivery.timestamp_ms)
                    answers = PROCESSORS[type(event)](placed(event, delivery), facts)
                    answers = admitted(answers, facts, self._quota_per_hour, delivery.timestamp_ms)
            except Refused as refusal:
                answers = [refusal]
            records = self._records(answers)
            letters = [self._letter(delivery, refusal, facts) for refusal in answers if isinstance(refusal, Refused)]
        if not letters and REPLAYED in as_mapping(delivery.headers):
            facts.refusals.drop(event_key(delivery), delivery.position)
        how = "done" if not letters else "dead" if letters[-1].topic == topics.DEAD.name else "retried"
        return Answered([*records, *letters], how)  # type: ignore[arg-type]

    def _records(self, answers: Sequence[Event | Refused]) -> list[Outgoing]:
        """Answers as records. Raises Refused for one that no topic takes."""
        events = [answer for answer in answers if not isinstance(answer, Refused)]
        return [outgoing(event, "packshot/streams", codec=self._codec) for event in events]

    def _letter(self, delivery: Delivery, refusal: Refused, facts: Facts) -> Outgoing:
        letter = self._policy.letter(delivery, refusal, time.time_ns() // 1_000_000)
        how = "dead" if letter.topic == topics.DEAD.name else "retried"
        details = {"code": refusal.code, "field": refusal.field, "message": refusal.message}
        log.warning("refused", how=how, position=delivery.position, attempt=delivery.attempt, **details)
        if how == "dead":
            facts.refusals.put(Refusal(event_key(delivery), **details, position=delivery.position))
        return letter


def event_key(delivery: Delivery) -> EventKey:
    """Which event a delivery is, for the refusals."""
    return EventKey(delivery.topic, delivery.subject, delivery.source, delivery.event_id)


def placed(event: Event, delivery: Delivery) -> Event:
    """A campaign's event with its first place on its topic, which it keeps when it comes back."""
    if not isinstance(event, CampaignRequested | CampaignCancelled) or event.place:
        return event
    first = delivery.history[0].position if delivery.history else delivery.position
    offset = first.rpartition("/")[2]
    return replace(event, place=(int(offset) if offset.isdecimal() and len(offset) < 18 else delivery.offset) + 1)
