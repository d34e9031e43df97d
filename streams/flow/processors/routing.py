"""Routing: a task ended. Its results go on along the slip: to the next pools, to judging, or to an end."""

from schemas import recipes
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel
from schemas.doubts import doubts_of
from schemas.identity import review_id
from schemas.records import (
    AssetWithheld,
    CatalogChanged,
    Event,
    ReplanRequested,
    ReviewRequested,
    Step,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.facts import Asset, AssetEvent, Facts, Review
from streams.flow.processors import Answers, marking, shelving
from streams.flow.processors.accepting import models_of, publish_request
from streams.flow.processors.asking import ask
from streams.flow.processors.costing import shares
from streams.flow.processors.intake import retract
from streams.flow.processors.joining import joined
from streams.flow.processors.judging import judge, reasons, rules_of
from streams.flow.processors.planning import lineages, redone, request_of
from streams.flow.processors.policing import IN_DOUBT, checks_of_pictures, measures_of
from streams.flow.processors.releasing import made_again, made_by_recalled
from streams.flow.processors.retouching import is_retouched_since
from streams.flow.processors.retracting import is_retracted, is_undone
from streams.flow.processors.telling import with_action
from streams.runtime.errors import Refused

REJECTED = "rejected: "  # how the reason of an asset begins that came out as a person had rejected it


def task_completed(event: TaskCompleted, facts: Facts) -> Answers:
    """Fans out to the following steps and judges the asset, if the task made one."""
    facts.tasks.put(event)
    if event.outcome == "expired":
        return _withhold(event.task, event.task.step, "expired: the deadline had passed before the work began", facts)
    if event.outcome != "done":
        return []
    facts.costs.put(shares(event))
    facts.models.put_shadow(event)
    marking.note(event, facts)
    task, models = event.task, models_of(event)
    if found := made_by_recalled(models, facts):
        return [made_again(task.tenant, task.sku, task.lane, found)]
    measures = task.measures | {f"{task.step.operation}.{name}": value for name, value in event.measures.items()}
    answers: list[Event | Refused] = []
    for step in task.step.next:
        try:
            after = joined(task, step, event.outputs, measures, models, facts)
        except Refused as refusal:
            answers += [refusal, *_withhold(task, step, f"{refusal.code}: {refusal.message}", facts)]
            continue
        after = with_action(after, event)
        facts.tasks.put(after)
        answers.append(after)
    return [*answers, *(_judged(event, facts) if task.step.asset else [])]


def _rules(task: Task, channel: str, facts: Facts) -> Channel:
    try:
        return facts.recipes.cookbook().rules.load(channel, task.category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="task.step.channel") from error


def task_failed(event: TaskFailed, facts: Facts) -> Answers:
    """Ends every asset that the failed task would have led to."""
    facts.tasks.put(event)
    return _withhold(event.task, event.task.step, f"{event.code}: {event.message}", facts)


def _judged(event: TaskCompleted, facts: Facts) -> list[Event]:
    task = event.task
    product = facts.products.get(task.tenant, task.sku, lock=True)
    if product is None or product.version != task.version or task.step.asset is None or task.step.channel is None:
        return []
    rules = _rules(task, task.step.channel, facts)
    policy = facts.recipes.cookbook().policy
    rows = {row.asset: row for row in facts.assets.of(task.tenant, task.sku)}
    shelf = shelving.measures_of(task.tenant, task.step.asset, task.step.channel, facts)
    counting = rules_of(rules, policy.lineage)
    if is_live_already(event, facts, counting):
        live = rows[task.step.asset].live
        if not shelving.stands_out(event.measures | shelf, None if live is None else live.verdict):
            return []
    if is_retracted(rows.get(task.step.asset)) or is_undone(task, facts) or is_retouched_since(task, facts):
        return []
    if _is_outdated(task, product.event, facts):
        return [ReplanRequested(tenant=task.tenant, sku=task.sku, lane=task.lane, reason="it is planned otherwise now")]
    identity = review_id(task.task_id, event.result_id)
    review = facts.reviews.get(identity)
    if review is not None and review.state != "pending":
        if not review.precedes(event) and not _is_waited_for(review, rows.get(review.asset)):
            return []
        if review.decision is not None and (review.decision.redo or review.request.verdict.rules == counting):
            return _decided_before(event, review, product.event.title, facts)
    texts = measures_of(product.event, task.step.channel, policy)
    measures = task.measures | event.measures | shelf | marking.measures_of(task, facts)
    seen = checks_of_pictures(product.event, rules, policy, measures)
    verdict = judge(measures, rules, task.step.operation, policy.lineage, texts, seen)
    passed = verdict.outcome == "pass"
    why = "" if passed else reasons(verdict)
    if passed and review is not None and review.state == "rejected":
        return reject_again(event, review, facts)  # no rule lets pass what a person did not want
    name = task.step.asset
    judged: AssetEvent = "judged good" if passed else "judged doubtful"
    if not facts.assets.move(task.tenant, task.sku, name, task.version, judged, reason=why, verdict=verdict):
        return []
    facts.reviews.supersede_others(task.tenant, task.sku, name, "" if passed else identity)
    if passed:
        facts.reviews.lapse(identity)
        return [publish_request(event, verdict, product.event.title)]
    doubts = doubts_of(event, verdict)
    request = ReviewRequested(review_id=identity, completed=event, verdict=verdict, reason=why, doubts=doubts)
    answers = ask(request, product.event.title, facts)
    is_live = (row := rows.get(name)) is not None and row.live is not None
    is_barred = bool(texts.get(IN_DOUBT)) or any(each.outcome != "pass" and each.measured is not None for each in seen)
    return [*answers, retract(product.event, [name], why)] if is_live and is_barred else answers


def _is_waited_for(review: Review, asset: Asset | None) -> bool:
    """Whether an asset that left the plan and came back in the same moment waits for what was reviewed before."""
    return review.state == "superseded" and review.decision is None and asset is not None and asset.state == "planned"


def _is_outdated(task: Task, product: CatalogChanged, facts: Facts) -> bool:
    """Whether a recipe, defaults or a campaign have meanwhile come to make the asset in another way.

    What is made so may be there already: the older result must not take its place.
    """
    asker = facts.campaigns.get(task.tenant, task.campaign) if task.campaign else (product, False)
    if task.way is None or asker is None:
        return False
    now = lineages(product, request_of(asker[0]), facts.recipes.cookbook())
    return task.step.asset in now and now[task.step.asset] != task.way


def _decided_before(event: TaskCompleted, review: Review, title: str, facts: Facts) -> list[Event]:
    """What a person approved goes live again, what was to be redone is redone, what was rejected stays so.

    What was approved or rejected is so by the rules that count still; by others it is judged anew.
    """
    task, decision = event.task, review.decision
    if decision is None:
        return []
    if decision.redo:
        again = redone(task, decision.parameters)
        facts.tasks.put(again)
        return [again]
    if not decision.approved:
        return reject_again(event, review, facts)
    verdict = review.request.verdict
    if is_live_already(event, facts, verdict.rules):
        return []
    if not facts.assets.move(task.tenant, task.sku, review.asset, task.version, "approved", verdict=verdict):
        return []
    facts.reviews.supersede_others(task.tenant, task.sku, review.asset, review.review_id)
    return [publish_request(event, verdict, title, decision.decided_by or "a reviewer")]


def reject_again(event: TaskCompleted, review: Review, facts: Facts) -> list[Event]:
    """Ends an asset that was begun anew, when what came of it is just what a person rejected."""
    task, decision = event.task, review.decision
    if decision is None or decision.approved or decision.redo:
        return []
    about = (task.tenant, task.sku, review.asset, task.version)
    reason = f"{REJECTED}{decision.reason}"
    if not facts.assets.move(*about, "rejected before", reason=reason):
        return []
    tenant, sku, asset, version = about
    return [AssetWithheld(tenant=tenant, sku=sku, version=version, asset=asset, reason=reason)]


def is_live_already(event: TaskCompleted, facts: Facts, rules: str | None = None) -> bool:
    """Whether this very result is live, judged by these rules where some are named: told again it changes nothing, but
    that an asset which waited for it has it."""
    task = event.task
    name = task.step.asset or ""
    if not event.outputs:
        return False
    # Another network may make the very same bytes: then they are to be live as that one's.
    made = event.outputs[0].digest, models_of(event)
    if not facts.assets.is_live(task.tenant, task.sku, name, task.version, *made, rules):
        return False
    facts.assets.move(task.tenant, task.sku, name, task.version, "found live")
    return True


def _withhold(task: Task, step: Step, reason: str, facts: Facts) -> list[Event]:
    """Ends the assets of a step that are still to come; what has got somewhere is not undone by a repeat that fails."""
    return [
        AssetWithheld(tenant=task.tenant, sku=task.sku, version=task.version, asset=name, reason=reason)
        for name in recipes.assets(step)
        if facts.assets.move(task.tenant, task.sku, name, task.version, "not made", reason=reason)
    ]
