"""What is in doubt of an asset, by its cause: the cases that it waits for.

A case is a product × a source × what is in doubt. What of it many assets share is in its id, so that one look settles
all of them, and nothing else is: a cutout's edges are the same in every channel, a scene's shadow on every canvas, and
what a channel's own rules say is that channel's. By the rules' version a new rule asks again.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from schemas.identity import case_id, picture_id
from schemas.operations import OPERATIONS
from schemas.records import Check, Doubt, ReviewRequested, Step, Task, TaskCompleted, Verdict

CUTOUT, PEOPLE, CHANNEL, LIGHT, SOURCE = "cutout", "people", "channel", "light", "source"
COLOUR, TEXT = "colour", "text"
ABOUT: Mapping[str, str] = MappingProxyType(  # what a check is about, where it is not its point of the checklist
    {
        "edges": CUTOUT,  # a point
        "cropped_edges": CUTOUT,
        "cutout.garment_cropped_edges": CUTOUT,
        "cutout.person_share": PEOPLE,
        "cutout.overlay_words": SOURCE,
        "cutout.watermark_words": SOURCE,
        "same_marks": SOURCE,
    }
)
OF_CUTOUT = frozenset({CUTOUT, PEOPLE, SOURCE})  # what is seen in the cutout alone, whatever was made of it
# Operations that show the product's own pixels in its own light: what is off with their colours or letters is so in all
# of them, whatever is about the product, but for the parameters that change either.
AS_PHOTOGRAPHED = frozenset({"packshot", "transparent"})
CHANGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {COLOUR: ("lighting.mode",), TEXT: ("lighting.mode", "outputSize", "scaling")}
)
OTHERS = "others.height_cm"  # a parameter of steps that show other products, too
DOUBTFUL = frozenset({"fail", "review"})


def about(check: Check) -> str:
    """What a check is about."""
    return ABOUT.get(check.name) or ABOUT.get(check.point, check.point)


def doubts_of(completed: TaskCompleted, verdict: Verdict) -> list[Doubt]:
    """The causes for which an asset waits, in the order of its checks; none for one that passed."""
    found: dict[str, list[str]] = {}
    for check in verdict.checks:
        if check.outcome in DOUBTFUL:
            found.setdefault(about(check), []).append(check.name)
    return [
        Doubt(case=_case(cause, completed.task, verdict), about=cause, checks=sorted(set(names)))
        for cause, names in found.items()
    ]


def waits_for(request: ReviewRequested) -> list[Doubt]:
    """The causes for which a review waits, of one from before they were told, too."""
    return request.doubts or doubts_of(request.completed, request.verdict)


def picture_of(completed: TaskCompleted, verdict: Verdict) -> str:
    """The id of an asset's picture as it was judged."""
    task = completed.task
    made_of = [*(each.digest for each in task.inputs), *(each.digest for each in completed.outputs[:1])]
    return picture_id(task.tenant, task.sku, task.step.channel, task.step, made_of, verdict.rules)


def _case(cause: str, task: Task, verdict: Verdict) -> str:
    gates, _, channel = verdict.rules.partition(",")
    if cause in OF_CUTOUT:
        return case_id(task.tenant, task.sku, cause, _cutout(task), gates)
    step = task.step
    looked_at = [_digests(task), *_made_by(cause, step), gates]
    return case_id(task.tenant, task.sku, cause, *looked_at, channel if _is_channels(cause, step.operation) else "")


def _made_by(cause: str, step: Step) -> tuple[str, Mapping[str, str]]:
    """The operation and the parameters that a cause is about."""
    if cause not in CHANGES or step.operation not in AS_PHOTOGRAPHED:
        return step.operation, step.parameters
    return "packshot", {name: step.parameters[name] for name in CHANGES[cause] if name in step.parameters}


def _is_channels(cause: str, operation: str) -> bool:
    """Whether the channel's own rules say how it is to be; they say which shadow a packshot has, too."""
    known = OPERATIONS.get(operation)
    return cause == CHANNEL or (cause == LIGHT and (known is None or known.ground != "own"))


def _cutout(task: Task) -> Sequence[str]:
    """The digest of the cutout, of those that stand beside it, too: of all in a picture the worst is judged."""
    if task.origin is None or task.origin.cutout is None or OTHERS in task.step.parameters:
        return _digests(task)
    return [task.origin.cutout.digest]


def _digests(task: Task) -> Sequence[str]:
    return [each.digest for each in task.inputs]
