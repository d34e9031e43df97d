"""What comes of a picture that came out: it goes live, waits for a person, or is as people decided before."""

from dataclasses import dataclass

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
    Task,
    TaskCompleted,
    Verdict,
)
from streams.facts import Asset, Facts, Review
from streams.flow.processors import marking, shelving
from streams.flow.processors.accepting import models_of, publish_request
from streams.flow.processors.asking import ask
from streams.flow.processors.intake import retract
from streams.flow.processors.judging import judge, reasons, rules_of
from streams.flow.processors.planning import lineages, redone, request_of
from streams.flow.processors.policing import IN_DOUBT, checks_of_pictures, measures_of
from streams.flow.processors.retouching import is_retouched_since
from streams.flow.processors.retracting import is_retracted, is_undone
from streams.runtime.errors import Refused

REJECTED = "rejected: "  # how the reason of an asset begins that came out as a person had rejected it


@dataclass(frozen=True)
class _Picture:
    """A picture that came out of the newest version of its product, and what it is judged by.

    `row` is its asset, `shelf` what is known of the pictures that it is to stand among, `counting` names the rules.
    """

    event: TaskCompleted
    name: str
    product: CatalogChanged
    channel: Channel
    row: Asset | None
    shelf: dict[str, float]
    counting: str

    @property
    def task(self) -> Task:
        """The task that made it."""
        return self.event.task


def judged(event: TaskCompleted, facts: Facts) -> list[Event]:
    """Judges what came out, unless nobody wants it any more, or people decided on just this by the same rules."""
    picture = _newest(event, facts)
    if picture is None or _is_settled(picture, facts):
        return []
    task = picture.task
    if _is_outdated(task, picture.product, facts):
        return [ReplanRequested(tenant=task.tenant, sku=task.sku, lane=task.lane, reason="it is planned otherwise now")]
    review = facts.reviews.get(review_id(task.task_id, event.result_id))
    if review is not None and review.state != "pending":
        if not review.precedes(event) and not _is_waited_for(review, picture.row):
            return []
        if review.decision is not None and (review.decision.redo or review.request.verdict.rules == picture.counting):
            return _decided_before(event, review, picture.product.title, facts)
    verdict, is_barred = _verdict(picture, facts)
    if verdict.outcome != "pass":
        return _doubtful(picture, verdict, facts, is_barred=is_barred)
    if review is not None and review.state == "rejected":
        return reject_again(event, review, facts)  # no rule lets pass what a person did not want
    return _good(picture, verdict, facts)


def _newest(event: TaskCompleted, facts: Facts) -> _Picture | None:
    task, name, channel = event.task, event.task.step.asset, event.task.step.channel
    product = facts.products.get(task.tenant, task.sku, lock=True)
    if product is None or product.version != task.version or name is None or channel is None:
        return None
    rules = _rules(task, channel, facts)
    rows = {row.asset: row for row in facts.assets.of(task.tenant, task.sku)}
    shelf = shelving.measures_of(task.tenant, name, channel, facts)
    counting = rules_of(rules, facts.recipes.cookbook().policy.lineage)
    return _Picture(event, name, product.event, rules, rows.get(name), shelf, counting)


def _rules(task: Task, channel: str, facts: Facts) -> Channel:
    try:
        return facts.recipes.cookbook().rules.load(channel, task.category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="task.step.channel") from error


def _is_settled(picture: _Picture, facts: Facts) -> bool:
    """Whether it is live already as it is, or was taken back, or is made of what people have had cut out anew."""
    event, row = picture.event, picture.row
    if is_live_already(event, facts, picture.counting):
        live = None if row is None else row.live
        if not shelving.stands_out(event.measures | picture.shelf, None if live is None else live.verdict):
            return True
    return is_retracted(row) or is_undone(event.task, facts) or is_retouched_since(event.task, facts)


def _verdict(picture: _Picture, facts: Facts) -> tuple[Verdict, bool]:
    """The verdict, and whether what is live of the asset may not stay so meanwhile: the policy has something on it."""
    task, policy = picture.task, facts.recipes.cookbook().policy
    texts = measures_of(picture.product, picture.channel.name, policy, task.step.parameters)
    measures = task.measures | picture.event.measures | picture.shelf | marking.measures_of(task, facts)
    seen = checks_of_pictures(picture.product, picture.channel, policy, measures)
    verdict = judge(measures, picture.channel, task.step.operation, policy.lineage, texts, seen)
    is_seen = any(each.outcome != "pass" and each.measured is not None for each in seen)
    return verdict, is_seen or bool(texts.get(IN_DOUBT))


def _good(picture: _Picture, verdict: Verdict, facts: Facts) -> list[Event]:
    task, name = picture.task, picture.name
    if not facts.assets.move(task.tenant, task.sku, name, task.version, "judged good", reason="", verdict=verdict):
        return []
    facts.reviews.supersede_others(task.tenant, task.sku, name, "")
    facts.reviews.lapse(review_id(task.task_id, picture.event.result_id))
    return [publish_request(picture.event, verdict, picture.product.title)]


def _doubtful(picture: _Picture, verdict: Verdict, facts: Facts, *, is_barred: bool) -> list[Event]:
    task, name, why = picture.task, picture.name, reasons(verdict)
    identity = review_id(task.task_id, picture.event.result_id)
    if not facts.assets.move(task.tenant, task.sku, name, task.version, "judged doubtful", reason=why, verdict=verdict):
        return []
    facts.reviews.supersede_others(task.tenant, task.sku, name, identity)
    doubts = doubts_of(picture.event, verdict)
    request = ReviewRequested(review_id=identity, completed=picture.event, verdict=verdict, reason=why, doubts=doubts)
    answers = ask(request, picture.product.title, facts)
    is_live = picture.row is not None and picture.row.live is not None
    return [*answers, retract(picture.product, [name], why)] if is_live and is_barred else answers


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
