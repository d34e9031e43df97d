"""Orders of one picture: checked against the recipes and rules that count, and drawn up as a slip."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from schemas.channels import UnknownChannel
from schemas.channels.rulebook import BadChannel
from schemas.identity import content_id
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters
from schemas.recipes import RecipeStep, UnknownRecipe
from schemas.recipes.cookbook import Cookbook
from schemas.recipes.reading import BadRecipe
from schemas.records import Blob, Source, Step
from streams.flow.processors.planning import HEIGHT
from streams.flow.processors.policing import check_words, of_words
from streams.runtime.errors import Refused

NUMBER = 1  # of the photograph, which assets' names tell
CUTOUT = "cutout"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is wanted of a photograph, which is either to be fetched (`source`) or a file that was sent (`upload`).

    The picture is a cutout, or of an `operation` or a `recipe` for a `channel`; `asset` says which where a recipe makes
    several. `parameters` are those of the step that makes it. One that `is_test` gets a watermark.
    """

    tenant: str
    operation: str = CUTOUT
    recipe: str | None = None
    asset: str | None = None
    channel: str | None = None
    category: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    source: Source | None = None
    upload: Blob | None = None
    is_test: bool = False

    @property
    def digest(self) -> str | None:
        """The photograph's SHA-256, where it is known."""
        return self.upload.digest if self.upload is not None else self.source.sha256 if self.source else None


@dataclass(frozen=True)
class Slip:
    """The steps that lead to a picture, one after the other, and the id of the job: the hash of all that goes in."""

    job_id: str
    step: Step

    @property
    def steps(self) -> list[Step]:
        """Every step, without those behind it."""
        return list(_steps(self.step))


def drawn(order: Order, cookbook: Cookbook) -> Slip:
    """The slip of an order. Raises Refused."""
    step = _of_recipe(order, cookbook) if order.recipe is not None else _of_operation(order, cookbook)
    for each in _steps(step):
        _check(each)
        check_words(of_words(each.parameters, cookbook.policy, order.tenant, order.channel or "", order.category))
    rules = "" if order.channel is None else _rules(order, cookbook)
    photograph = order.upload.digest if order.upload is not None else order.source
    parts = (order.tenant, order.is_test, step, order.category, photograph, rules)
    return Slip(content_id("job", *parts), step)


def _of_operation(order: Order, cookbook: Cookbook) -> Step:
    if not OPERATIONS[order.operation].takes:
        return Step(operation=order.operation, parameters=order.parameters)
    _rules(order, cookbook)
    try:
        defaults = cookbook.parameters(RecipeStep(operation=order.operation), order.tenant, order.channel)
    except BadRecipe as error:
        raise Refused.because(error, field="channel") from error
    parameters = {name: value for name, (value, _) in defaults.items()} | order.parameters
    asset = f"{order.channel}-{NUMBER}"
    last = Step(operation=order.operation, asset=asset, channel=order.channel, parameters=parameters)
    return Step(operation=CUTOUT, next=[last])


def _of_recipe(order: Order, cookbook: Cookbook) -> Step:
    """The one way of a recipe that ends in the asset wanted."""
    assert order.recipe is not None
    rules = _rules(order, cookbook)
    try:
        slips = cookbook.slips(order.recipe, order.tenant, [order.channel or ""], None, NUMBER)
    except (UnknownRecipe, BadRecipe) as error:
        raise Refused.because(error, field="recipe") from error
    paths = {_name(path): path for slip in slips for path in _paths(slip) if _last(path).channel == order.channel}
    wanted = order.asset if order.asset is not None or len(paths) != 1 else next(iter(paths))
    if wanted not in paths:
        raise Refused("unknown_asset", _unknown(order, list(paths), rules), field="asset")
    return _with(paths[wanted], order.parameters)


def _unknown(order: Order, assets: list[str], rules: str) -> str:
    if not assets:
        return f"recipe {order.recipe} makes nothing for {order.channel} by {rules}"
    return f"recipe {order.recipe} makes for {order.channel}: {', '.join(assets)}; say which as `asset`"


def _rules(order: Order, cookbook: Cookbook) -> str:
    """The version of the channel's rules for the product. Raises Refused."""
    if order.channel is None:
        raise Refused("unknown_channel", "the picture is for a channel: which?", field="channel")
    try:
        return cookbook.rules.load(order.channel, order.category).rule_version
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="channel") from error


def _paths(step: Step) -> Iterator[Step]:
    """Every way from a step to an asset, with nothing beside it nor behind."""
    if step.asset is not None:
        yield replace(step, next=[])
    for following in step.next:
        for path in _paths(following):
            yield replace(step, next=[path])


def _name(path: Step) -> str:
    """What a recipe calls the asset at the end of a way; nothing where it makes one of a channel only."""
    last = _last(path)
    return (last.asset or "").removeprefix(f"{last.channel}-{NUMBER}").removeprefix(".")


def _last(path: Step) -> Step:
    return list(_steps(path))[-1]


def _steps(step: Step) -> Iterator[Step]:
    yield step
    for following in step.next:
        yield from _steps(following)


def _with(path: Step, parameters: dict[str, str]) -> Step:
    if path.next:
        return replace(path, next=[_with(path.next[0], parameters)])
    return replace(path, parameters={**path.parameters, **parameters})


def _check(step: Step) -> None:
    try:
        OPERATIONS[step.operation].parameters.given(step.parameters)
    except BadParameters as error:
        raise Refused(error.code, f"{step.operation}: {error}", field=error.field) from error
    if HEIGHT in OPERATIONS[step.operation].parameters.__struct_encode_fields__ and HEIGHT not in step.parameters:
        raise Refused(BadParameters.code, f"{step.operation}: how tall is the product? Say `{HEIGHT}`", field=HEIGHT)
