"""Learning from people: which limit of doubt about cutouts lets pass more, and errs no more.

Labels are what people said: of a case about a cutout, of one that they had cut out otherwise, and of what passed, by a
second look. Of what passed only a sample is labelled, and each counts for as many as it was drawn from (D. Horvitz and
D. Thompson, 1952). The limit is chosen on one half of the labels; what it would have done is told of the other.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from schemas import channels
from schemas.channels.rulebook import BadChannel, Rulebook, parse
from schemas.decoding import prepare
from schemas.records import AssetPublished, CutoutRetouched, TaskCompleted, Verdict
from streams.facts import Database, Facts
from streams.flow.gates.edges import UNCERTAINTY, UNCERTAINTY_MAX
from streams.runtime.errors import Refused
from streams.services.reports.views import View
from streams.services.review import agreement, sampling
from streams.services.review.agreement import Rate

LABELS_MIN = 100  # with fewer the held-out half says nothing: of 50, none wrong may still be 7 % wrong
OF_EACH_MIN = 20  # good and wrong ones
WRONG_MAX = 0.04  # of what passes: what the gates' own limit was chosen by


@dataclass(frozen=True)
class Label:
    """What a person said of a cutout: how doubtful it was (0..1), and whether it is good; `counts` for so many.

    `measures` are all that was measured of the cutout, "cutout." before each; none where nobody noted them.
    """

    name: str
    doubt: float
    is_good: bool
    counts: float = 1.0
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_held_out(self) -> bool:
        """Whether it is of the half that the limit is not chosen on; the same for ever."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 2 == 1


class Effect(View, frozen=True, kw_only=True):
    """What a limit does to labels: which share passes, and how much of that is wrong, from where to where (95 %)."""

    limit: float
    passes: float
    wrong: float
    wrong_from: float
    wrong_to: float


class Proposal(View, frozen=True, kw_only=True):
    """A limit for a channel in place of another, and what both do to the `held_out` labels; `fitted` is the others'
    count. `text` are the channel's rules with it, to be released."""

    channel: str
    version: str
    fitted: int
    held_out: int
    now: Effect
    then: Effect
    text: str

    @property
    def is_better(self) -> bool:
        """Whether it passes more and errs no more, or errs less, on labels that it was not chosen on."""
        fewer_wrong = self.then.wrong < self.now.wrong
        return (self.then.passes > self.now.passes and self.then.wrong_from <= WRONG_MAX) or fewer_wrong


def propose(database: Database, channel: str, wrong_max: float = WRONG_MAX) -> Proposal:
    """The limit for a channel that people's decisions speak for.

    Raises Refused: `unknown_channel`, `too_few_labels`.
    """
    labels, text = labelled(database, channel)
    return proposal(channel, text, labels, wrong_max)


def labelled(database: Database, channel: str) -> tuple[list[Label], str]:
    """What people said of cutouts for a channel, and its rules as they were written. Raises Refused."""
    with database.read() as facts:
        rules = facts.recipes.cookbook().rules
        if channel not in rules.names():
            raise Refused("unknown_channel", f"no channel is called {channel!r}", field="channel")
        return list(labels_of(channel, facts)), _text(rules, channel)


def proposal(channel: str, text: str, labels: Sequence[Label], wrong_max: float) -> Proposal:
    """The limit that labels speak for, in the rules of `text`. Raises Refused `too_few_labels`."""
    _check_enough(labels)
    rules = parse(text)
    known = UNCERTAINTY_MAX if rules.uncertainty_max is None else rules.uncertainty_max
    fitted = [each for each in labels if not each.is_held_out]
    held_out = [each for each in labels if each.is_held_out]
    limit = _chosen(fitted, wrong_max)
    written = _with_limit(text, rules.version, limit)
    return Proposal(
        channel=channel,
        version=parse(written).rule_version,
        fitted=len(fitted),
        held_out=len(held_out),
        now=effect(held_out, known),
        then=effect(held_out, limit),
        text=written,
    )


def effect(labels: Sequence[Label], limit: float) -> Effect:
    """What a limit does to labels."""
    passing = [each for each in labels if each.doubt <= limit]
    whole, counted = sum(each.counts for each in labels), sum(each.counts for each in passing)
    rate = _wrong(passing)
    low, high = rate.interval
    return Effect(
        limit=limit,
        passes=counted / whole if whole else 0.0,
        wrong=rate.share or 0.0,
        wrong_from=low,
        wrong_to=high,
    )


def labels_of(channel: str, facts: Facts) -> Iterator[Label]:
    """What people said of cutouts that pictures for a channel were made of."""
    for tenant in facts.overviews.tenants():
        yield from _decided(tenant, channel, facts)
        yield from _looked_at(tenant, channel, facts)


def _decided(tenant: str, channel: str, facts: Facts) -> Iterator[Label]:
    for case in facts.cases.about(tenant, "cutout"):
        every = facts.cases.reviews(case.case_id)
        reviews = [each for each in every if each.request.completed.task.step.channel == channel]
        doubt = next((found for each in reviews if (found := _doubt(each.request.verdict)) is not None), None)
        if doubt is None:
            continue
        task = reviews[0].request.completed.task
        retouch = None if task.origin is None else facts.retouches.get(tenant, case.sku, task.origin.source)
        if case.decision is not None:
            yield Label(case.case_id, doubt, case.decision.approved, measures=task.measures)
        elif _was_mended(retouch, case.case_id):
            yield Label(case.case_id, doubt, is_good=False, measures=task.measures)


def _looked_at(tenant: str, channel: str, facts: Facts) -> Iterator[Label]:
    """What passed and was looked at; each counts for as many of its stratum as were not."""
    known = sampling.sample(tenant, facts)
    live = {each.published.file.content: each.published for each in facts.overviews.live(tenant, sampling.LOOKED_AMONG)}
    passed = [each for each in known.passed if each.channel == channel and each.stratum.endswith("gates")]
    for stratum in {each.stratum for each in passed}:
        its = [each for each in passed if each.stratum == stratum]
        verdicts = {each.digest: agreement.verdict(known.words.get(each.digest, ())) for each in its}
        looked = [each for each in its if verdicts[each.digest] is not None]
        for each in looked:
            doubt = _doubt(live[each.digest].verdict)
            if doubt is not None:
                measures = _measures(live[each.digest], facts)
                yield Label(each.digest, doubt, bool(verdicts[each.digest]), len(its) / len(looked), measures)


def _measures(published: AssetPublished, facts: Facts) -> Mapping[str, float]:
    """What was measured of the cutout of a picture that is live, where its task is still noted."""
    for each in facts.tasks.of(published.tenant, published.sku, published.version):
        made = each.record
        if isinstance(made, TaskCompleted) and any(blob.digest == published.file.content for blob in made.outputs):
            return made.task.measures
    return {}


def _was_mended(retouch: CutoutRetouched | None, case_id: str) -> bool:
    return retouch is not None and retouch.case == case_id


def _doubt(verdict: Verdict) -> float | None:
    return next((each.measured for each in verdict.checks if each.name == UNCERTAINTY.measure), None)


def _check_enough(labels: Sequence[Label]) -> None:
    good = sum(each.is_good for each in labels)
    if len(labels) < LABELS_MIN or min(good, len(labels) - good) < OF_EACH_MIN:
        message = (
            f"people said of {len(labels)} cutouts what they are, {good} of them good; a limit is proposed from "
            f"{LABELS_MIN} on, {OF_EACH_MIN} of each kind"
        )
        raise Refused("too_few_labels", message, field="channel")


def _chosen(labels: Sequence[Label], wrong_max: float) -> float:
    """The largest doubt up to which no more is wrong; 0 where even the least doubtful are, so that people see all."""
    found = 0.0
    for limit in sorted({each.doubt for each in labels}):
        rate = _wrong([each for each in labels if each.doubt <= limit])
        if (rate.share or 0.0) <= wrong_max:
            found = limit
    return float(f"{found:.3g}")


def _wrong(passing: Sequence[Label]) -> Rate:
    """How much is wrong, with what a plain sample that tells as much would have looked at."""
    whole = sum(each.counts for each in passing)
    if not whole:
        return Rate(0, 0)
    share = sum(each.counts for each in passing if not each.is_good) / whole
    looked = whole**2 / sum(each.counts**2 for each in passing)
    return Rate(share * looked, looked)


def _text(rules: Rulebook, channel: str) -> str:
    """The rules of a channel that count, as they were written."""
    if channel in rules.released:
        return rules.released[channel]
    return (resources.files(channels) / f"{channel}.yaml").read_text()


def _with_limit(text: str, version: str, limit: float) -> str:
    """Rules with another limit of doubt, and the version after theirs. Raises BadChannel for what is none."""
    written = with_rule(text, version, "uncertainty_max", f"{limit:g}", "--from-decisions")
    if parse(written).uncertainty_max != limit:
        raise BadChannel("uncertainty_max: it could not be written into these rules")
    return written


def with_rule(text: str, version: str, name: str, value: str, option: str) -> str:
    """Rules with another value of a rule that is one line, and the version after theirs."""
    month, _, number = version.partition(".")
    raised = re.sub(r"(?m)^version:.*$", f'version: "{month}.{int(number or 0) + 1}"', text, count=1)
    kept = re.sub(rf"(?m)^{name}:.*\n?", "", raised).rstrip("\n")
    return f"{kept}\n{name}: {value}  # by what people decided: packshot calibrate {option}\n"


prepare(Proposal)
