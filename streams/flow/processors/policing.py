"""Policing: what merchants' texts come to by the content policy, and what is seen in their photographs. A text that it
refuses is refused before anything is made; a photograph is seen when it is cut out, and its pictures do not pass."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from math import isfinite
from types import MappingProxyType

from schemas.channels import Channel
from schemas.policies import Judged, Policy, TimeBudget
from schemas.policies.pictures import PictureRule
from schemas.records import CampaignRequested, CatalogChanged, Check, CheckOutcome
from schemas.uncertainty import PREFIX
from schemas.wording import PARAMETER
from streams.runtime.errors import Refused

REFUSED = "policy_refused"
IN_DOUBT = "texts_in_doubt"
NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})
ATTRIBUTES_MAX = 100  # of a product that are read, 25 ms; one with more is for a person


def check_texts(event: CatalogChanged | CampaignRequested, policy: Policy) -> None:
    """Raises Refused, with the rule and its words, for a title, an attribute or a campaign's name that the policy
    refuses; what is to go may go under any."""
    if isinstance(event, CatalogChanged):
        refused = None if event.change == "delete" else refusal_of(event, policy)
    else:
        name = event.campaign.replace("-", " ")
        refused = _refusal("campaign", policy.judged(name, tenant=event.tenant))
    if refused is not None:
        raise refused


def refusal_of(product: CatalogChanged, policy: Policy) -> Refused | None:
    """Why the policy refuses a product; None where it does not."""
    found = (_refusal(field, judged) for field, judged in of_product(product, policy))
    return next((each for each in found if each is not None), None)


def measures_of(
    product: CatalogChanged, channel: str, policy: Policy, parameters: Mapping[str, str] = NO_PARAMETERS
) -> dict[str, float]:
    """What the gates are told of a product's texts, and of words for a scene among an operation's `parameters`: how
    many rules want a person to look; nothing of a title that none can read."""
    judged = dict(of_product(product, policy, channel))
    if not judged["title"].is_read:
        return {}
    texts = [*judged.values()]
    if (words := of_words(parameters, policy, product.tenant, channel, product.category)) is not None:
        texts.append(words)
    return {IN_DOUBT: (len(product.attributes) > ATTRIBUTES_MAX) + doubts(texts)}


def doubts(texts: Iterable[Judged]) -> float:
    """How many rules want a person to look at texts."""
    findings = (finding for each in texts for finding in each.findings)
    return float(sum(each.outcome in ("review", "refuse") for each in findings))


def of_words(parameters: Mapping[str, str], policy: Policy, tenant: str, channel: str, category: str) -> Judged | None:
    """What the rules say of words for a scene among an operation's parameters; None where there are none."""
    text = parameters.get(PARAMETER)
    return None if text is None else policy.judged(text, tenant=tenant, channel=channel, category=category)


def check_words(words: Judged | None) -> None:
    """Raises Refused, with the rule and its words, for words for a scene that the policy refuses."""
    if words is not None and (refused := _refusal(PARAMETER, words)) is not None:
        raise refused


def checks_of_pictures(
    product: CatalogChanged, channel: Channel, policy: Policy, measures: Mapping[str, float]
) -> list[Check]:
    """What the rules say of what a network saw in a product's photograph: see `checks_of_photograph`."""
    return checks_of_photograph(product.tenant, product.category, channel, policy, measures)


def checks_of_photograph(
    tenant: str, category: str, channel: Channel, policy: Policy, measures: Mapping[str, float]
) -> list[Check]:
    """What the rules say of what a network saw in a photograph. Where no network looked, the check says so, and is for
    a person on a channel that demands the policy."""
    unseen: CheckOutcome = "review" if "policy" in channel.demands else "not_run"
    return [
        _of_picture(ref, rule, measures.get(f"{PREFIX}{rule.measure}"), unseen)
        for ref, rule in policy.of_pictures(tenant=tenant, channel=channel.name, category=category).items()
    ]


def _of_picture(ref: str, rule: PictureRule, score: float | None, unseen: CheckOutcome) -> Check:
    outcome: CheckOutcome = unseen
    score = score if score is not None and isfinite(score) else None
    if score is not None:
        hit: CheckOutcome = "fail" if rule.outcome == "refuse" else "review"
        outcome = hit if score > rule.above else "pass"
    limit = f"≤ {rule.above:g}"
    return Check(point="policy", name=f"{PREFIX}{rule.measure}", outcome=outcome, measured=score, limit=limit, rule=ref)


def is_judged_otherwise(product: CatalogChanged, channels: Collection[str], before: Policy, after: Policy) -> bool:
    """Whether two policies say something else of a product's texts, for all or for one of these channels, or have other
    rules about its photographs."""
    return any(
        _findings(product, before, each) != _findings(product, after, each)
        or _picture_rules(product, before, each) != _picture_rules(product, after, each)
        for each in ("", *channels)
    )


def of_product(product: CatalogChanged, policy: Policy, channel: str = "") -> Iterator[tuple[str, Judged]]:
    """A product's texts, title first, each with its field and what the rules of its tenant and of a channel say."""
    some = islice(product.attributes.items(), ATTRIBUTES_MAX)
    texts = {"title": product.title} | {f"attributes.{name}": text for name, text in some}
    about = {"tenant": product.tenant, "channel": channel, "category": product.category}
    budget = TimeBudget()
    for field, text in texts.items():
        yield field, policy.judged(text, **about, budget=budget)


def _refusal(field: str, judged: Judged) -> Refused | None:
    if judged.outcome != "refuse":
        return None
    why = next(each for each in judged.findings if each.outcome == "refuse")
    return Refused(REFUSED, f"`{field}` {why.why} ({why.rule}: {why.found!r})", field=field)


def _findings(product: CatalogChanged, policy: Policy, channel: str) -> list[tuple[str, str, frozenset[str]]]:
    """What follows for each text, and the rules that say so, whatever their version."""
    return [
        (field, judged.outcome, frozenset(_unversioned(each.rule) for each in judged.findings))
        for field, judged in of_product(product, policy, channel)
    ]


def _picture_rules(product: CatalogChanged, policy: Policy, channel: str) -> dict[str, PictureRule]:
    """The rules about its photographs, whatever their version."""
    rules = policy.of_pictures(tenant=product.tenant, channel=channel, category=product.category)
    return {_unversioned(ref): rule for ref, rule in rules.items()}


def _unversioned(rule: str) -> str:
    file, _, name = rule.rpartition("/")
    return f"{file.partition('@')[0]}/{name}"
