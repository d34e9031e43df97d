"""Which reviews a case's decision settled, where facts are made anew.

The flow reads decisions and pictures apart. By the time that it read a decision, newer pictures may have closed a
review that was open when the decision was written; or it read the decision first, and what was written before it after
that. What followed tells: for each review that it settled, the flow wrote a request to publish, a task or the end of an
asset. Of a decision from before the first of those that are kept nobody knows; it counts for the reviews that are open.
"""

from collections.abc import Iterable, Sequence

from schemas import topics
from schemas.codec import Codec
from schemas.records import AssetWithheld, Event, PublishRequested, ReviewDecided, Task
from streams.consumer.letters import Delivery, event_in
from streams.facts import Facts, Review
from streams.flow.processors.reviewing import answer_to, carry_out
from streams.flow.processors.settling import by_cases
from streams.runtime.errors import Refused

_TOLD = frozenset({topics.PUBLISH.name, *(topic.name for topic in topics.TASKS.values())})
_OPEN = ("pending", "superseded")


class Followed:
    """What followed from decisions, by the records that are there."""

    def __init__(self, records: Sequence[Delivery], codec: Codec) -> None:
        followed = [record for record in records if record.topic in _TOLD]
        self._known_from_ms = _known_from_ms(followed)
        self._newest_ms = _newest_ms(followed, codec)
        self._left: set[str] = set()

    def settles(self, review: Review, facts: Facts) -> bool:
        """Whether the decision that is noted now, on a case of a review's, settled it.

        One that settled an open review, and nothing that followed is known, settles it in the end if nothing closes it
        before: the flow has not read it, or not sent what follows.
        """
        decision = by_cases(review.request, review.rank, facts) if review.state in _OPEN else None
        if decision is None or facts.now_ms < self._known_from_ms:
            return review.state == "pending"
        is_known = self._newest_ms.get(_answer(review, decision), -1) >= facts.now_ms
        if not is_known and review.state == "pending":
            self._left.add(review.review_id)
        return is_known

    def settle_left(self, facts: Facts) -> None:
        """Settles what nothing has closed since."""
        for review_id in sorted(self._left):
            review = facts.reviews.get(review_id)
            if review is None or review.state != "pending":
                continue
            decision = by_cases(review.request, review.rank, facts)
            if decision is not None:
                carry_out(review, decision, facts)


def _known_from_ms(records: Sequence[Delivery]) -> int:
    """From when on all that was written is there: of a partition that does not begin at 0 some has been removed."""
    first: dict[tuple[str, int], Delivery] = {}
    for record in records:
        first.setdefault(record.place, record)
    return max((record.timestamp_ms for record in first.values() if record.offset), default=0)


def _newest_ms(records: Iterable[Delivery], codec: Codec) -> dict[tuple[object, ...], int]:
    found: dict[tuple[object, ...], int] = {}
    for record in records:
        try:
            key = _key(event_in(record, codec))
        except Refused:
            continue
        if key:
            found[key] = max(found.get(key, 0), record.timestamp_ms)
    return found


def _answer(review: Review, decision: ReviewDecided) -> tuple[object, ...]:
    try:
        return _key(answer_to(review, decision, title=""))
    except Refused:  # parameters that its step does not take
        return ()


def _key(event: Event) -> tuple[object, ...]:
    """What tells an answer to a decision from others; empty for what is none."""
    match event:
        case Task():
            return (event.task_id,)
        case PublishRequested(approved_by=str()):
            return (event.tenant, event.sku, event.asset, event.version, event.result_id)
        case AssetWithheld():
            return (event.tenant, event.sku, event.asset, event.version)
    return ()
