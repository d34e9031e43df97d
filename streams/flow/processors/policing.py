"""Policing: what merchants' texts come to by the content policy. What it refuses is refused before anything is made."""

from schemas.policies import Judged, shipped
from schemas.records import CampaignRequested, CatalogChanged
from streams.runtime.errors import Refused

REFUSED = "policy_refused"


def check_texts(event: CatalogChanged | CampaignRequested) -> None:
    """Raises Refused, with the rule and its words, for a title or a campaign's name that the policy refuses; what is
    to go may go under any."""
    if isinstance(event, CatalogChanged):
        if event.change == "delete":
            return
        field, judged = "title", of_product(event)
    else:
        field, judged = "campaign", shipped().judged(event.campaign.replace("-", " "), tenant=event.tenant)
    if judged.outcome == "refuse":
        why = next(each for each in judged.findings if each.outcome == "refuse")
        raise Refused(REFUSED, f"`{field}` {why.why} ({why.rule}: {why.found!r})", field=field)


def measures_of(product: CatalogChanged, channel: str) -> dict[str, float]:
    """What the gates are told of a title: how many rules want a person to look; nothing of what none can read."""
    judged = of_product(product, channel)
    if not judged.is_read:
        return {}
    return {"texts_in_doubt": float(sum(each.outcome in ("review", "refuse") for each in judged.findings))}


def of_product(product: CatalogChanged, channel: str = "") -> Judged:
    """A product's title, by the rules of its tenant and of a channel, or by those that count for all."""
    return shipped().judged(product.title, tenant=product.tenant, channel=channel, category=product.category)
