"""From a product, what is wanted of it and the cookbook to its plan and to the first tasks."""

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from schemas import recipes
from schemas.channels import UnknownChannel
from schemas.channels.rulebook import BadChannel
from schemas.identity import lineage_id, task_id
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters, Operation
from schemas.recipes import UnknownRecipe
from schemas.recipes.cookbook import Cookbook
from schemas.recipes.reading import BadRecipe
from schemas.records import Blob, CampaignRequested, CatalogChanged, Lane, Origin, Source, Step, Task
from streams.flow.processors.policing import check_texts
from streams.runtime.errors import Refused

HEIGHT = "height_cm"  # a product's attribute and a parameter of operations, under one name
HEIGHT_CM_MAX = 1000.0
ERA_MS = 946_684_800_000  # the year 2000: today's seconds since 1970 are less for 28,000 years to come
LACKING = frozenset({"missing_attribute", "bad_attribute", BadParameters.code})  # codes of what one asset lacks


@dataclass(frozen=True)
class AssetRequest:
    """Pictures that are wanted of a product: by its catalogue event, or by a campaign."""

    recipe: str
    channels: list[str]
    lane: Lane
    campaign: str | None = None
    deadline_ms: int | None = None


@dataclass(frozen=True)
class Slip:
    """A whole slip and its first step's lineage; the lineages of its assets, and why which cannot be made."""

    step: Step
    lineage: str
    lineages: Mapping[str, str]
    lacking: Mapping[str, Refused]


def request_of(event: CatalogChanged | CampaignRequested) -> AssetRequest:
    """What an event asks for."""
    if isinstance(event, CatalogChanged):
        return AssetRequest(event.recipe, event.channels, event.priority)
    return AssetRequest(event.recipe, event.channels, event.priority, event.campaign, event.deadline_ms)


def checked(event: CatalogChanged | CampaignRequested, cookbook: Cookbook) -> AssetRequest:
    """What an event asks for. Raises Refused for a channel or recipe that is not there, for a deadline that was told in
    seconds, and for texts that the content policy refuses."""
    request = request_of(event)
    if request.deadline_ms is not None and request.deadline_ms < ERA_MS:
        message = f"{request.deadline_ms} is before the year 2000: a deadline is Unix time in milliseconds, not seconds"
        raise Refused("invalid_event", message, field="deadline_ms")
    for channel in request.channels:
        if channel not in cookbook.rules.names():
            known = ", ".join(cookbook.rules.names())
            raise Refused("unknown_channel", f"no channel is called {channel!r}; there are: {known}", field="channels")
    check_texts(event, cookbook.policy)
    makes_something(event.tenant, request, cookbook)
    return request


def makes_something(tenant: str, request: AssetRequest, cookbook: Cookbook) -> bool:
    """Whether anything is made of a product with a photograph. Raises Refused as `slips` does."""
    with _refusals():
        return bool(_of_first(*_wanted(tenant, request, cookbook)))


def slips(product: CatalogChanged, request: AssetRequest, cookbook: Cookbook) -> list[tuple[Source, Slip]]:
    """What a request makes of each source of a product. A step that goes by the product's height is told it.

    Raises Refused for a recipe that is not there, or that today's rules refuse.
    """
    wanted = _wanted(product.tenant, request, cookbook)
    with _refusals():
        goes_by_height = any(map(_has_open_height, _of_first(*wanted)))
        height = product.attributes.get(HEIGHT) if goes_by_height else None
        return [
            (source, slip)
            for number, source in enumerate(product.sources, start=1)
            for slip in _of_source(*wanted, number, height)
        ]


def plan(
    product: CatalogChanged, requests: Collection[AssetRequest], cookbook: Cookbook
) -> dict[str, tuple[str, str | None]]:
    """Every asset that the requests make of a product: its channel, and its campaign."""
    return {
        name: (channel, request.campaign)
        for request in requests
        for _, slip in slips(product, request, cookbook)
        for name, channel in _assets(slip.step)
    }


def first_tasks(
    product: CatalogChanged, request: AssetRequest, cookbook: Cookbook, ended: Collection[str]
) -> list[Task]:
    """The tasks that begin the slips of a request, without the branches whose assets have `ended` or cannot be made."""
    drawn = slips(product, request, cookbook)
    pruned = [(source, _left(slip, ended), slip.lineage) for source, slip in drawn]
    return [
        Task(
            task_id=task_id(product.tenant, product.sku, product.version, request.campaign, step, source, []),
            tenant=product.tenant,
            sku=product.sku,
            version=product.version,
            lane=request.lane,
            step=step,
            source=source,
            category=product.category,
            campaign=request.campaign,
            deadline_ms=request.deadline_ms,
            way=lineage,
        )
        for source, step, lineage in pruned
        if step is not None
    ]


def lacking(product: CatalogChanged, request: AssetRequest, cookbook: Cookbook) -> dict[str, Refused]:
    """The assets of a request that cannot be made of the product, and why."""
    return {name: why for _, slip in slips(product, request, cookbook) for name, why in slip.lacking.items()}


def lineages(product: CatalogChanged, request: AssetRequest, cookbook: Cookbook) -> dict[str, str]:
    """The lineages of a request's assets. Raises Refused as `slips` does."""
    return {name: lineage for _, slip in slips(product, request, cookbook) for name, lineage in slip.lineages.items()}


def is_changed(product: CatalogChanged, request: AssetRequest, before: Cookbook, after: Cookbook) -> bool:
    """Whether two cookbooks make something else of a product."""
    return _outline(product, request, before) != _outline(product, request, after)


def _outline(product: CatalogChanged, request: AssetRequest, cookbook: Cookbook) -> dict[str, tuple[str, bool]]:
    """What can be told apart of a plan; nothing where there is none."""
    try:
        drawn = slips(product, request, cookbook)
    except Refused:
        return {}
    return {name: (lineage, name in slip.lacking) for _, slip in drawn for name, lineage in slip.lineages.items()}


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (UnknownRecipe, BadRecipe) as error:
        raise Refused.because(error, field="recipe") from error
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="channels") from error


def following(task: Task, step: Step, inputs: list[Blob], measures: Mapping[str, float], models: list[str]) -> Task:
    """The task of a step after `task`, on `inputs`; `measures` and `models` are those of all steps before."""
    return Task(
        task_id=task_id(task.tenant, task.sku, task.version, task.campaign, step, None, inputs),
        tenant=task.tenant,
        sku=task.sku,
        version=task.version,
        lane=task.lane,
        step=step,
        inputs=inputs,
        measures=dict(measures),
        category=task.category,
        campaign=task.campaign,
        deadline_ms=task.deadline_ms,
        asked_at_ms=task.asked_at_ms,
        demoted=task.demoted,
        models=models,
        way=lineage_id(task.way, step) if task.way else None,
        origin=_origin(task, inputs),
    )


def operation_of(step: Step) -> Operation:
    """What a step does. Raises Refused for what no pool does: a slip may be from a version that does more."""
    found = OPERATIONS.get(step.operation)
    if found is None:
        raise Refused("unknown_operation", f"no pool does {step.operation!r}", field="step.operation")
    return found


def _origin(task: Task, inputs: list[Blob]) -> Origin | None:
    """What the pictures behind a task began with; `inputs` are what it made."""
    known = task.origin or (Origin(source=task.source) if task.source else None)
    if known is None or task.source is None or not inputs or operation_of(task.step).makes != "cutout":
        return known
    return replace(known, cutout=inputs[0])


def redone(task: Task, parameters: Mapping[str, str]) -> Task:
    """`task` with other parameters, to be worked anew. Raises Refused for some that its operation does not take."""
    step = _with(task.step, {**task.step.parameters, **parameters}, task.step.next)
    try:
        operation_of(step).parameters.parse(step.parameters)
    except BadParameters as error:
        raise Refused(error.code, f"{step.operation}: {error}", field=f"parameters.{error.field}") from error
    again = following(task, step, task.inputs, task.measures, task.models)
    return replace(again, way=task.way, origin=task.origin)


def _assets(slip: Step) -> Iterator[tuple[str, str]]:
    if slip.asset and slip.channel:
        yield slip.asset, slip.channel
    for step in slip.next:
        yield from _assets(step)


def _left(slip: Slip, ended: Collection[str]) -> Step | None:
    if not slip.lacking and slip.lineages.keys().isdisjoint(ended):
        return slip.step
    return _prune(slip.step, {*ended, *slip.lacking})


def _prune(slip: Step, ended: Collection[str]) -> Step | None:
    """The slip without what has ended; None when nothing of it is left to do."""
    branches = [kept for step in slip.next if (kept := _prune(step, ended)) is not None]
    if not branches and (slip.asset is None or slip.asset in ended):
        return None
    return _with(slip, slip.parameters, branches)


def _with(step: Step, parameters: dict[str, str], branches: list[Step]) -> Step:
    return Step(operation=step.operation, asset=step.asset, channel=step.channel, parameters=parameters, next=branches)


@lru_cache(16_384)
def _of_source(
    cookbook: Cookbook,
    recipe: str,
    tenant: str,
    wanted: tuple[str, ...],
    campaign: str | None,
    number: int,
    height_cm: str | None,
) -> tuple[Slip, ...]:
    """The slips of a source; products that want the same share them. `height_cm` is the height in the catalogue."""
    height = height_of(height_cm)
    drawn = [_filled(step, height) for step in cookbook.slips(recipe, tenant, wanted, campaign, number)]
    return tuple(
        _slip(step, cookbook.rules.lineage([channel for _, channel in _assets(step)]), height) for step in drawn
    )


def _slip(step: Step, rules: str | None, height: str | Refused) -> Slip:
    return Slip(step, lineage_id(rules, step), dict(_lineages(step, rules)), dict(_lacking(step, height)))


@lru_cache(4096)
def _of_first(
    cookbook: Cookbook, recipe: str, tenant: str, wanted: tuple[str, ...], campaign: str | None
) -> list[Step]:
    """The slips of a first source, before anything of the product is filled in."""
    return cookbook.slips(recipe, tenant, wanted, campaign, 1)


def _wanted(
    tenant: str, request: AssetRequest, cookbook: Cookbook
) -> tuple[Cookbook, str, str, tuple[str, ...], str | None]:
    """What slips depend on; tenants without defaults share theirs."""
    of_tenant = tenant if tenant in cookbook.defaults else ""
    return cookbook, request.recipe, of_tenant, tuple(request.channels), request.campaign


def _has_open_height(step: Step) -> bool:
    return _goes_by_height(step) or any(_has_open_height(following) for following in step.next)


def _goes_by_height(step: Step) -> bool:
    """Whether a step wants to know the product's height, and is not told it by the recipe or a tenant's defaults."""
    return HEIGHT in operation_of(step).parameters.__struct_encode_fields__ and HEIGHT not in step.parameters


def _filled(step: Step, height: str | Refused) -> Step:
    parameters = step.parameters
    if _goes_by_height(step) and isinstance(height, str):
        parameters = {**parameters, HEIGHT: height}
    return _with(step, parameters, [_filled(following, height) for following in step.next])


def height_of(text: str | None) -> str | Refused:
    """A height in cm, written the same however the catalogue writes it."""
    where = f"attributes.{HEIGHT}"
    if text is None:
        return Refused("missing_attribute", f"how tall is the product? There is no `{where}`", field=where)
    try:
        height_cm = float(text)
    except ValueError:
        height_cm = math.nan
    if not 0 < height_cm <= HEIGHT_CM_MAX:
        message = f"`{where}` = {text!r} is no number of cm above 0, {HEIGHT_CM_MAX:g} at most"
        return Refused("bad_attribute", message, field=where)
    return f"{height_cm:.6g}"


def _lineages(step: Step, before: str | None) -> Iterator[tuple[str, str]]:
    lineage = lineage_id(before, step)
    if step.asset is not None:
        yield step.asset, lineage
    for following in step.next:
        yield from _lineages(following, lineage)


def _lacking(step: Step, height: str | Refused) -> Iterator[tuple[str, Refused]]:
    """The assets at and behind a step that lacks what its operation needs."""
    why = height if _goes_by_height(step) and isinstance(height, Refused) else _complaint(step)
    if why is not None:
        yield from ((name, why) for name in recipes.assets(step))
        return
    for following in step.next:
        yield from _lacking(following, height)


def _complaint(step: Step) -> Refused | None:
    try:
        operation_of(step).parameters.parse(step.parameters)
    except BadParameters as error:
        return Refused(error.code, f"{step.operation}: {error}", field=f"parameters.{error.field}")
    except msgspec.ValidationError as error:
        return Refused(BadParameters.code, f"{step.operation}: {error}", field="parameters")
    return None
