"""Deliveries through their processors: decode, answer, note the facts, write what follows, all acknowledged.

Every step may be repeated: a delivery that comes twice leaves the same facts and asks for the same work.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from schemas import topics
from schemas.envelope import as_mapping
from schemas.records import (
    AssetPublished,
    AssetRetracted,
    CampaignCancelled,
    CampaignRequested,
    CatalogChanged,
    DefaultsReleased,
    Event,
    ModelAdded,
    ModelReleased,
    ProductPublished,
    PublicationFailed,
    RecipeReleased,
    ReplanRequested,
    RetractionDecided,
    ReviewDecided,
    TaskCompleted,
    TaskFailed,
)
from streams.catalogue import Catalogue, Facts, Refusal
from streams.consumer.ledger import ended, polled
from streams.consumer.letters import REPLAYED, Delivery, Outgoing, RetryPolicy, event_in, outgoing
from streams.errors import Refused, Unavailable
from streams.observability import span
from streams.processors import Processor, intake, publications, recipes, releasing, retracting, reviewing, routing
from streams.processors.quotas import admitted

AWAY_WAIT_S = 1.0
PROCESSORS: Mapping[type[Event], Processor] = {
    CatalogChanged: intake.catalog_changed,
    ReplanRequested: intake.replan_requested,
    CampaignRequested: intake.campaign_requested,
    CampaignCancelled: intake.campaign_cancelled,
    TaskCompleted: routing.task_completed,
    TaskFailed: routing.task_failed,
    ReviewDecided: reviewing.review_decided,
    RetractionDecided: retracting.retraction_decided,
    AssetPublished: publications.asset_published,
    AssetRetracted: publications.asset_retracted,
    ProductPublished: publications.product_published,
    PublicationFailed: publications.publication_failed,
    ModelAdded: releasing.model_added,
    ModelReleased: releasing.model_released,
    RecipeReleased: recipes.released,
    DefaultsReleased: recipes.released,
}
CONSUMED = (
    topics.CATALOG,
    topics.CAMPAIGNS,
    topics.COMPLETED,
    topics.DECISIONS,
    topics.PUBLISHED,
    topics.MODELS,
    topics.RECIPES,
)

log = structlog.get_logger()


class Sender(Protocol):
    """Writes records and returns when the broker has acknowledged every one."""

    def send(self, records: Sequence[Outgoing]) -> None: ...


class Processing:
    """The processors at work on batches of deliveries."""

    def __init__(
        self, catalogue: Catalogue, sender: Sender, policy: RetryPolicy, tenant_quota_per_hour: int = 0
    ) -> None:
        self._catalogue = catalogue
        self._sender = sender
        self._policy = policy
        self._quota_per_hour = tenant_quota_per_hour
        self.is_waiting = False
        """Whether a batch stands on purpose, until the database is back."""

    def run(self, batch: Sequence[Delivery]) -> None:
        """Works on deliveries in order; returns when all that follows from them is acknowledged.

        While the database is away it waits. Raises NotAcknowledged when the broker does not take what follows.
        """
        while True:
            try:
                records = self._answer(batch)
                break
            except Unavailable as away:
                log.warning("waiting", reason=str(away), deliveries=len(batch))
                self.is_waiting = True
                time.sleep(AWAY_WAIT_S)
        self.is_waiting = False
        self._sender.send(records)

    def _answer(self, batch: Sequence[Delivery]) -> list[Outgoing]:
        records: list[Outgoing] = []
        with self._catalogue.begin() as facts:
            for delivery in batch:
                records += self._answer_one(delivery, facts)
        return records

    def _answer_one(self, delivery: Delivery, facts: Facts) -> list[Outgoing]:
        polled.labels("streams", "-").inc()
        name = delivery.topic.removeprefix(topics.PREFIX)
        with span(f"streams {name}", as_mapping(delivery.headers), {"packshot.position": delivery.position}):
            try:
                with facts.savepoint():
                    answers = _process(delivery, facts)
                    answers = admitted(answers, facts, self._quota_per_hour, delivery.timestamp_ms)
            except Refused as refusal:
                answers = [refusal]
            records = [outgoing(answer, "packshot/streams") for answer in answers if not isinstance(answer, Refused)]
            letters = [self._letter(delivery, refusal, facts) for refusal in answers if isinstance(refusal, Refused)]
        if not letters:
            ended.labels("streams", "-", "done").inc()
            if REPLAYED in as_mapping(delivery.headers):
                facts.drop_refusal(delivery.event_id, delivery.position)
        return records + letters

    def _letter(self, delivery: Delivery, refusal: Refused, facts: Facts) -> Outgoing:
        letter = self._policy.letter(delivery, refusal, time.time_ns() // 1_000_000)
        how = "dead" if letter.topic == topics.DEAD.name else "retried"
        told = {"code": refusal.code, "field": refusal.field, "message": refusal.message}
        log.warning("refused", how=how, position=delivery.position, attempt=delivery.attempt, **told)
        ended.labels("streams", "-", how).inc()
        if how == "dead":
            about = delivery.event_id, delivery.topic, delivery.subject
            facts.put_refusal(Refusal(*about, **told, position=delivery.position))
        return letter


def _process(delivery: Delivery, facts: Facts) -> Sequence[Event | Refused]:
    event = event_in(delivery)
    return PROCESSORS[type(event)](event, facts)
