"""What the gates say of a picture that was ordered, which no product knows of; and which the content policy refuses."""

from collections.abc import Mapping

from schemas.recipes.cookbook import Cookbook
from schemas.records import TaskCompleted, Verdict
from streams.flow.processors.judging import judge
from streams.flow.processors.policing import IN_DOUBT, checks_of_photograph, doubts, of_words
from streams.runtime.errors import Refused
from streams.services.ordering.orders import Order

REFUSED = "output_refused"


def verdict_of(
    order: Order, channel: str, answer: TaskCompleted, measures: Mapping[str, float], cookbook: Cookbook
) -> Verdict:
    """The verdict on the picture of an order for a channel. Of texts it has none but words for a scene, and of its
    photograph the rules say what they say of a product's."""
    category, policy, step = answer.task.category, cookbook.policy, answer.task.step
    rules = cookbook.rules.load(channel, category)
    seen = checks_of_photograph(order.tenant, category, rules, policy, measures)
    words = of_words(step.parameters, policy, order.tenant, channel, category)
    if words is None and not seen:  # the policy was asked nothing
        return judge(measures, rules, step.operation)
    texts = {IN_DOUBT: doubts([] if words is None else [words])}
    return judge(measures, rules, step.operation, policy.lineage, texts, seen)


def refusal_of(verdict: Verdict) -> Refused | None:
    """Why the content policy refuses a picture that was made, with the rule; None where it does not."""
    for check in verdict.checks:
        if check.point == "policy" and check.outcome == "fail":
            why = f"`{check.name}` is {check.measured or 0:.2g}, the limit {check.limit} ({check.rule})"
            return Refused(REFUSED, why, field="photograph")
    return None
