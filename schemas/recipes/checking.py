"""What a recipe, or defaults, must keep to beyond their shape. Every problem is a path and a sentence."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from schemas.channels.rulebook import BadChannel, Rulebook
from schemas.nesting import DEPTH_MAX
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters
from schemas.recipes import Defaults, Recipe, RecipeStep

NOTHING = "nothing"  # what steps are given that begin a recipe
STEPS_MAX = 100  # on 32 channels a slip of them is a record that Kafka takes
Problems = Iterator[tuple[str, str]]


def allows(rules: Rulebook, channel: str, operation: str) -> bool:
    """Whether a channel's rules let an operation make its pictures. Raises UnknownChannel, BadChannel."""
    its = rules.load(channel)
    return operation not in OPERATIONS or OPERATIONS[operation].allowed_on(its)


def of_recipe(recipe: Recipe, rules: Rulebook) -> Problems:
    """What is wrong with a recipe."""
    levels = [path.count("next[") + 1 for path, _ in _all(recipe.steps, "steps")]
    if len(levels) > STEPS_MAX:
        yield "steps", f"{len(levels)} steps; there may be {STEPS_MAX}"
    for path, step in _all(recipe.steps, "steps"):
        if step.next and path.count("next[") + 1 == DEPTH_MAX:
            yield f"{path}.next", f"nested more than {DEPTH_MAX} levels deep"
    if len(levels) > STEPS_MAX or max(levels) > DEPTH_MAX:
        return
    made: list[tuple[str, str, str]] = []
    for number, step in enumerate(recipe.steps):
        yield from _step(step, f"steps[{number}]", [], NOTHING, made, rules)
    counts = Counter((asset, channel) for asset, channel, _ in made)
    for asset, channel, path in made:
        if counts[asset, channel] > 1:
            whose = f"of {channel}" if channel != _EACH else "of each channel"
            yield path, f"another step makes the same picture {whose}; tell them apart with `asset`"


def of_defaults(defaults: Defaults, rules: Rulebook) -> Problems:
    """What is wrong with a tenant's defaults."""
    given = Counter(
        (each.operation, channel, name)
        for each in defaults.defaults
        for channel in each.channels or [_EACH]
        for name in each.parameters
    )
    for number, each in enumerate(defaults.defaults):
        path = f"defaults[{number}]"
        yield from _operation(each.operation, path)
        yield from _parameters(each.operation, each.parameters, path)
        for place, channel in enumerate(each.channels):
            yield from _channel(channel, f"{path}.channels[{place}]", rules)
        for channel in each.channels or [_EACH]:
            for name in each.parameters:
                if given[each.operation, channel, name] > 1:
                    yield f"{path}.parameters.{name}", f"said twice of {each.operation} on {channel}"


_EACH = "every channel"


def _all(steps: Sequence[RecipeStep], path: str) -> Iterator[tuple[str, RecipeStep]]:
    """Every step of a recipe and where it is."""
    for number, step in enumerate(steps):
        yield f"{path}[{number}]", step
        yield from _all(step.next, f"{path}[{number}].next")


def _step(
    step: RecipeStep,
    path: str,
    above: Sequence[str],
    given: str | None,
    made: list[tuple[str, str, str]],
    rules: Rulebook,
) -> Problems:
    """`given` is what the step before hands on, None behind one that is not known."""
    targets = [_EACH] if step.each else step.channels or ([step.channel] if step.channel else above)
    yield from _operation(step.operation, path)
    yield from _parameters(step.operation, step.parameters, path)
    yield from _order(step, path, given)
    yield from _place(step, path, above, rules)
    if step.asset or not step.next:
        made += [(step.asset or "", channel, path) for channel in targets]
    for number, following in enumerate(step.next):
        handed_on = _handed_on(step.operation, given)
        yield from _step(following, f"{path}.next[{number}]", targets, handed_on, made, rules)


def _operation(name: str, path: str) -> Problems:
    if name not in OPERATIONS:
        yield f"{path}.operation", f"no operation is called {name!r}; there are: {', '.join(OPERATIONS)}"


def _parameters(operation: str, values: Mapping[str, str], path: str) -> Problems:
    """Those that are there; one that is missing may come from a tenant's defaults or from the product."""
    if operation not in OPERATIONS:
        return
    of_one = [(f"{path}.parameters.{name}", {name: value}) for name, value in values.items()]
    wrong = [(at, _complaint(operation, each)) for at, each in of_one]
    yield from ((at, complaint) for at, complaint in wrong if complaint)
    if not any(complaint for _, complaint in wrong) and (complaint := _complaint(operation, values)):
        yield f"{path}.parameters", complaint


def _complaint(operation: str, values: Mapping[str, str]) -> str:
    try:
        OPERATIONS[operation].parameters.given(values)
    except (BadParameters, msgspec.ValidationError) as error:
        message = str(error).partition(" - at `$")[0]
        return "" if "missing required field" in message else message
    return ""


def _handed_on(operation: str, given: str | None) -> str | None:
    if operation not in OPERATIONS:
        return None
    return OPERATIONS[operation].makes or given


def _order(step: RecipeStep, path: str, given: str | None) -> Problems:
    operation, at = step.operation, f"{path}.operation"
    if operation not in OPERATIONS:
        return
    takes = OPERATIONS[operation].takes
    if not takes:
        if given != NOTHING:
            yield at, f"a {operation} is made of the product's own file, and so it begins a recipe"
        return
    if given is not None and given not in takes:
        makers = " or ".join(name for name, each in OPERATIONS.items() if each.makes in takes)
        begins = "a recipe begins with a cutout or a source; " if given == NOTHING else ""
        yield at, f"{begins}{operation} goes on with what {makers} makes, which is to come before it"
    elif _handed_on(operation, given) == "source" and (step.asset or not step.next):
        yield path, "no gate measures a source that is only enlarged; artwork is to go on with it"


def _place(step: RecipeStep, path: str, above: Sequence[str], rules: Rulebook) -> Problems:
    if step.operation in OPERATIONS and not OPERATIONS[step.operation].takes:
        for name in (*_channel_fields(step), *(["asset"] if step.asset else [])):
            yield f"{path}.{name}", f"a {step.operation} is of no channel and makes no asset"
        if not step.next:
            yield path, f"nothing is made of the {step.operation}; say what in `next`"
        return
    yield from _channels_of(step, path, above, rules)


def _channels_of(step: RecipeStep, path: str, above: Sequence[str], rules: Rulebook) -> Problems:
    fields = _channel_fields(step)
    for name in fields[1:]:
        yield f"{path}.{name}", f"`{fields[0]}` and `{name}` exclude each other"
    if above and fields:
        yield f"{path}.{fields[0]}", f"the step before it is for {', '.join(above)} already"
    if not above and not fields:
        yield path, "it is of no channel; say `each: channel`, `channels` or `channel`"
    named = [(path, channel) for channel in above if channel in rules.names()]
    named += [(f"{path}.channels[{place}]", channel) for place, channel in enumerate(step.channels)]
    for at, channel in [*named, *([(f"{path}.channel", step.channel)] if step.channel else [])]:
        yield from _channel(channel, at, rules)
        yield from _ban(channel, step.operation, at, rules)


def _channel_fields(step: RecipeStep) -> list[str]:
    """Which of the fields are there that say a step's channels."""
    return [name for name in ("each", "channels", "channel") if getattr(step, name)]


def _channel(name: str, path: str, rules: Rulebook) -> Problems:
    if name not in rules.names():
        yield path, f"no channel is called {name!r}; there are: {', '.join(rules.names())}"


def _ban(channel: str, operation: str, path: str, rules: Rulebook) -> Problems:
    try:
        if channel in rules.names() and not allows(rules, channel, operation):
            yield path, f"{rules.load(channel).rule_version} allows no {operation}"
    except BadChannel as error:
        yield path, f"the rules of {channel} are none: {error}"
