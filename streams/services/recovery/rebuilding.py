"""The facts made anew from the topics, without a word to anybody.

What was decided is not decided again: it stands on the topics that it was written to. So rules that have changed since,
and the order in which topics were once read, change nothing: records are taken by their time, each partition in its
order, and what died is left out. Only plans are made anew, by the recipes of their time; what a campaign asked for
before its recipe was released, and was planned all the same since the release was read first, is so here, too.

Tasks, completions and publish requests are kept for `topics.RETENTION_DAYS`: of what is older the facts have neither
tasks nor costs, and an asset that failed before is planned again; `packshot replay` has it made.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from schemas import topics
from schemas.codec import HASHED, Codec
from schemas.envelope import as_mapping
from schemas.identity import review_id
from schemas.recipes.cookbook import Release, name_of, shipped_version
from schemas.records import (
    AssetWithheld,
    ChannelReleased,
    CutoutRetouched,
    DecisionUndone,
    DefaultsReleased,
    Event,
    PolicyContinued,
    PolicyReleased,
    PublishRequested,
    RecipeReleased,
    ReleaseContinued,
    ReplanRequested,
    ReplansContinued,
    ReplansRequested,
    ReviewDecided,
    ReviewRequested,
    ShelfMeasured,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.consumer import letters as header
from streams.consumer import replies
from streams.consumer.groups import CONSUMED
from streams.consumer.letters import Delivery, event_in
from streams.consumer.reading import read
from streams.consumer.registry import codec_of
from streams.facts import Database, Facts, Refusal
from streams.flow import ahead
from streams.flow.processing import PROCESSORS, event_key, placed
from streams.flow.processors import (
    Answers,
    Processor,
    asking,
    costing,
    deciding,
    intake,
    marking,
    outcomes,
    recipes,
    reviewing,
    routing,
)
from streams.flow.processors.outcomes import REJECTED
from streams.flow.processors.planning import LACKING
from streams.flow.processors.retouching import is_retouched_since
from streams.flow.processors.settling import LAPSED
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.recovery.dead import DeadLetter, Wanted, find
from streams.services.recovery.followed import Followed

# At equal times causes come before effects.
SOURCES = (
    topics.MODELS,
    topics.RECIPES,
    topics.CATALOG,
    topics.CAMPAIGNS,
    *topics.TASKS.values(),
    topics.COMPLETED,
    topics.REVIEWS,
    topics.DECISIONS,
    topics.PUBLISH,
    topics.PUBLISHED,
)
# What dies of these was noted all the same: a campaign for the products that are there, or before it was cancelled; an
# event for the assets that lacked nothing.
NOTED_ALL_THE_SAME = frozenset({"unknown_sku", "campaign_cancelled", *LACKING})

_ABSENT = frozenset({"unknown_product", "unknown_source"})


@dataclass(frozen=True)
class Rebuilt:
    """One table: its rows before and after, and how many of both have no equal on the other side."""

    table: str
    before: int
    after: int
    changed: int


def rebuild(settings: Settings) -> list[Rebuilt]:
    """Drops the facts and makes them anew. The streams role must not be at work. Raises Unavailable."""
    database = Database(settings.database)
    database.create_tables()
    before = database.dump()
    with database.replaced() as facts:
        records = read(settings, [topic.name for topic in SOURCES])
        fill(facts, records, find(settings, Wanted()), codec_of(settings))
    after = database.dump()
    database.close()
    return [_compared(table, before[table], rows) for table, rows in after.items()]


def fill(facts: Facts, records: Iterable[Delivery], dead: Sequence[DeadLetter], codec: Codec = HASHED) -> None:
    """Makes facts that are empty those that the records tell of."""
    ordered = [each for each in in_order(records) if not replies.stands_alone(each)]
    followed = Followed(ordered, codec)
    decided = partial(_review_decided, followed=followed)
    retold: Mapping[type[Event], Processor] = {**_RETOLD, ReviewDecided: decided}
    failed = _came_again(ordered) | {each.origin_position: each.header(header.ERROR_CODE) for each in dead}
    noted = [each for each in ordered if each.position not in failed or _is_noted(each, failed[each.position])]
    for record in noted:
        if record.topic == topics.RECIPES.name:
            _apply(record, _FIRST, facts, codec)
    for record in noted:
        _apply(record, retold, facts, codec)
    followed.settle_left(facts)
    facts.tasks.forget()  # those that intake would begin today; the ones that it began follow
    for record in ordered:
        _apply(record, _TASKS, facts, codec)
    _note_refusals(ordered, dead, facts)


def _came_again(records: Sequence[Delivery]) -> dict[str, str]:
    """Where records stood that were to be tried again, and were written again for it, and what they failed of."""
    ids = {record.position: record.event_id for record in records}
    again = [each for each in records if each.attempt and ids.get(each.origin_position) == each.event_id]
    return {each.origin_position: as_mapping(each.headers).get(header.ERROR_CODE, "") for each in again}


def _is_noted(record: Delivery, code: str) -> bool:
    """Whether what failed of this was noted all the same; a decision is carried out as a whole or not at all."""
    return code in NOTED_ALL_THE_SAME and record.topic != topics.DECISIONS.name


def in_order(records: Iterable[Delivery]) -> Iterator[Delivery]:
    """The records by time, each partition in its order."""
    rank = {topic.name: number for number, topic in enumerate(SOURCES)}
    partitions: dict[tuple[str, int], list[Delivery]] = {}
    for record in records:
        partitions.setdefault((record.topic, record.partition), []).append(record)
    return heapq.merge(*partitions.values(), key=lambda record: (record.timestamp_ms, rank[record.topic]))


def _apply(record: Delivery, processors: Mapping[type[Event], Processor], facts: Facts, codec: Codec) -> None:
    """Notes what a record tells; what was refused, then or now, tells nothing."""
    try:
        event = event_in(record, codec)
    except Refused:
        return
    if type(event) not in processors:
        return
    facts.at(record.timestamp_ms)
    try:
        ahead.check_time(event, record.timestamp_ms)
        with facts.savepoint():
            processors[type(event)](placed(event, record), facts)
    except Refused:
        return


def _task_noted(event: Task | TaskCompleted | TaskFailed, facts: Facts) -> Answers:
    facts.tasks.put(event)
    return []


def _completed(event: TaskCompleted, facts: Facts) -> Answers:
    if event.outcome == "expired":
        return routing.task_completed(event, facts)
    if event.outcome == "done":
        facts.costs.put(costing.shares(event))
        facts.models.put_shadow(event)
        marking.note(event, facts)
    outcomes.is_live_already(event, facts)
    review = facts.reviews.get(review_id(event.task.task_id, event.result_id))
    if review is not None and review.precedes(event):
        outcomes.reject_again(event, review, facts)
    return []


def _review_requested(event: ReviewRequested, facts: Facts) -> Answers:
    task = event.completed.task
    known = facts.reviews.get(event.review_id)
    settled = event.settled
    if known is not None and known.state != "superseded" and asking.by_other_rules(event, known):
        settled = settled or (None if event.again.startswith(LAPSED) else known.decision)
        asking.close(known, facts)
    elif known is not None and not (known.state == "superseded" and known.precedes(event.completed)):
        return []
    review = asking.open_review(event, facts)
    product = facts.products.get(task.tenant, task.sku)
    if product is not None:
        facts.reviews.supersede_older(task.tenant, task.sku, product.version)
    name = task.step.asset or ""
    facts.reviews.supersede_others(task.tenant, task.sku, name, event.review_id)
    where = (task.tenant, task.sku, name, task.version)
    is_late = product is None or product.version > task.version or is_retouched_since(task, facts)
    if is_late or not facts.assets.move(
        *where, "judged doubtful", reason=event.reason, verdict=event.verdict
    ):  # it has left the plan since
        facts.reviews.supersede_others(task.tenant, task.sku, name, "")
    elif product is not None:
        deciding.catch_up(review, settled, product, facts)
    return []


def _review_decided(event: ReviewDecided, facts: Facts, *, followed: Followed) -> Answers:
    """Carries a decision out, even on a review that a newer version has closed by now: it came before that."""
    if event.case is not None:
        case = facts.cases.get(event.case)
        if case is not None and case.rank < event.version:
            deciding.note(event, event.case, facts, followed.settles)
        return []
    review = facts.reviews.get(event.review_id)
    if review is not None and review.rank < event.version:
        reviewing.check_product(review, event)
        reviewing.carry_out(review, event, facts)
    return []


def _retouched(event: CutoutRetouched, facts: Facts) -> Answers:
    """Notes a retouch that was read while its product had the photograph, though the topics' times say otherwise."""
    try:
        return intake.cutout_retouched(event, facts)
    except Refused as refusal:
        known = facts.retouches.get(event.tenant, event.sku, event.source)
        if refusal.code not in _ABSENT or (known is not None and known.version >= event.version):
            raise
    facts.retouches.put(event)
    return []


def _decision_undone(event: DecisionUndone, facts: Facts) -> Answers:
    review = facts.reviews.get(event.decision.review_id)
    product = facts.products.get(event.tenant, event.sku)
    if event.decision.case is not None:
        case = facts.cases.get(event.decision.case)
        if case is not None and product is not None and case.rank < event.version:
            deciding.take_back(event, event.decision.case, product, facts)
        return []
    if review is not None and product is not None and review.rank < event.version:
        reviewing.check_product(review, event.decision)
        reviewing.reopen(review, event, product, facts)
    return []


def _publish_requested(event: PublishRequested, facts: Facts) -> Answers:
    """Notes a request; one that came again after it was announced had not yet seen the announcement."""
    where = (event.tenant, event.sku, event.asset, event.version)
    is_live = facts.assets.is_live(*where, event.file.digest, event.models, event.verdict.rules)
    if event.approved_by is None:
        facts.reviews.supersede_others(event.tenant, event.sku, event.asset, "")
        facts.reviews.lapse_passed(event.tenant, event.sku, event.asset, event.result_id, event.verdict.rules)
        facts.assets.move(*where, "retold live" if is_live else "judged good", verdict=event.verdict)
    elif not is_live and not _was_taken_back(event, facts):
        facts.assets.move(*where, "approved", verdict=event.verdict)
    return []


def _withheld(event: AssetWithheld, facts: Facts) -> Answers:
    """Closes what nobody had said a word on when the asset came out, once more, just as a person had rejected it."""
    if not event.reason.startswith(REJECTED):
        return []
    waiting = facts.reviews.pending_of(event.tenant, event.sku, event.asset)
    if any(each.last is None and each.version == event.version for each in waiting):
        facts.reviews.supersede_others(event.tenant, event.sku, event.asset, "")
        facts.assets.move(event.tenant, event.sku, event.asset, event.version, "rejected", reason=event.reason)
    return []


def _was_taken_back(event: PublishRequested, facts: Facts) -> bool:
    """Whether the approval that a request follows from was taken back before it was written."""
    waiting = facts.reviews.pending_of(event.tenant, event.sku, event.asset)
    return any(
        each.request.completed.result_id == event.result_id and isinstance(each.last, DecisionUndone)
        for each in waiting
    )


def _first_released(event: RecipeReleased | ChannelReleased, facts: Facts) -> Answers:
    """Notes the first version of a recipe or channel ahead of all: nothing but its being there depends on its time."""
    cookbook = facts.recipes.cookbook()
    known = cookbook.recipes if isinstance(event, RecipeReleased) else cookbook.rules.names()
    if name_of(event) not in known:
        facts.recipes.put(event)
    return []


def _released(event: Release, facts: Facts) -> Answers:
    """Plans anew at once what is planned anew later: meanwhile nothing was planned by the version before.

    By the first version of a recipe or a channel nothing is planned anew: what asked for it before had died.
    """
    if _is_first(event, facts):
        return []
    recipes.noted(event, facts)
    for tenant, sku in list(recipes.touched(event, facts.recipes.before(event), facts)):
        intake.replan_requested(ReplanRequested(tenant=tenant, sku=sku), facts)
    return []


def _in_steps(_event: Event, _facts: Facts) -> Answers:
    """What was asked for in steps stands on the topics, product by product; what is left was never a fact."""
    return []


def _shelf_noted(event: ShelfMeasured, facts: Facts) -> Answers:
    facts.shelves.put(event)
    return []


def _is_first(event: Release, facts: Facts) -> bool:
    if isinstance(event, DefaultsReleased | PolicyReleased) or shipped_version(type(event), name_of(event)):
        return False
    known = [each for each in facts.recipes.releases() if type(each) is type(event)]
    return min(each.version for each in known if name_of(each) == name_of(event)) == event.version


_FIRST: dict[type[Event], Processor] = dict.fromkeys((RecipeReleased, ChannelReleased), _first_released)
_TASKS: dict[type[Event], Processor] = dict.fromkeys((Task, TaskCompleted, TaskFailed), _task_noted)
_RETOLD: dict[type[Event], Processor] = {
    **PROCESSORS,
    TaskCompleted: _completed,
    ReviewRequested: _review_requested,
    CutoutRetouched: _retouched,
    DecisionUndone: _decision_undone,
    PublishRequested: _publish_requested,
    AssetWithheld: _withheld,
    RecipeReleased: _released,
    DefaultsReleased: _released,
    ChannelReleased: _released,
    PolicyReleased: _released,
    ShelfMeasured: _shelf_noted,
    **dict.fromkeys((ReplansRequested, ReplansContinued, ReleaseContinued, PolicyContinued), _in_steps),
}


def _note_refusals(records: Iterable[Delivery], dead: Sequence[DeadLetter], facts: Facts) -> None:
    """The refusals of events, but for those that were replayed since and did not die again."""
    consumed = {topic.name for topic in CONSUMED}
    died = {letter.origin_position: letter for letter in dead if letter.origin in consumed}
    left = dict(died)  # those whose record is past its retention
    for record in records:
        left.pop(record.position, None)
    for letter in left.values():
        facts.refusals.put(_refusal(letter))
    for record in records:
        facts.at(record.timestamp_ms)
        if record.position in died:
            facts.refusals.put(_refusal(died[record.position]))
        elif record.topic in consumed and header.REPLAYED in as_mapping(record.headers):
            facts.refusals.drop(event_key(record), record.position)


def _refusal(letter: DeadLetter) -> Refusal:
    error = {name: letter.header(f"packshot-error-{name}") for name in ("code", "field", "message")}
    event = replace(event_key(letter.record), topic=letter.origin)
    return Refusal(event, **error, position=letter.origin_position)


def _compared(table: str, before: Sequence[tuple[str, ...]], after: Sequence[tuple[str, ...]]) -> Rebuilt:
    return Rebuilt(table, len(before), len(after), len(set(before) ^ set(after)))
