"""From a product and what is wanted of it to its plan and to the first tasks."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from schemas import channels, recipes
from schemas.identity import task_id
from schemas.records import Blob, CampaignRequested, CatalogChanged, Lane, Source, Step, Task
from streams.errors import Refused

CATALOGUE_RECIPE = "marketplace"


@dataclass(frozen=True)
class Wish:
    """Pictures that are wanted of a product: by its catalogue event, or by a campaign."""

    recipe: str
    channels: list[str]
    lane: Lane
    campaign: str | None = None
    deadline_ms: int | None = None


def wish_of(event: CatalogChanged | CampaignRequested) -> Wish:
    """What an event asks for. Raises Refused for a channel or recipe that is not there."""
    if isinstance(event, CatalogChanged):
        wish = Wish(CATALOGUE_RECIPE, event.channels, event.priority)
    else:
        wish = Wish(event.recipe, event.channels, event.priority, event.campaign, event.deadline_ms)
    for channel in wish.channels:
        if channel not in channels.names():
            known = ", ".join(channels.names())
            raise Refused("unknown_channel", f"no channel is called {channel!r}; there are: {known}", field="channels")
    if wish.recipe not in recipes.names():
        known = ", ".join(recipes.names())
        raise Refused("unknown_recipe", f"no recipe is called {wish.recipe!r}; there are: {known}", field="recipe")
    return wish


def plan(product: CatalogChanged, wishes: Collection[Wish]) -> dict[str, tuple[str, str | None]]:
    """Every asset that the wishes make of a product: its channel, and its campaign."""
    return {
        name: (channel, wish.campaign)
        for wish in wishes
        for _, slip in _slips(product, wish)
        for name, channel in _assets(slip)
    }


def first_tasks(product: CatalogChanged, wish: Wish, ended: Collection[str]) -> list[Task]:
    """The tasks that begin the slips of a wish, without the branches whose assets are in `ended`."""
    pruned = [(source, _prune(slip, ended)) for source, slip in _slips(product, wish)]
    return [
        Task(
            task_id=task_id(product.tenant, product.sku, product.version, wish.campaign, slip, source, []),
            tenant=product.tenant,
            sku=product.sku,
            version=product.version,
            lane=wish.lane,
            step=slip,
            source=source,
            category=product.category,
            campaign=wish.campaign,
            deadline_ms=wish.deadline_ms,
        )
        for source, slip in pruned
        if slip is not None
    ]


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
    )


def redone(task: Task, parameters: Mapping[str, str]) -> Task:
    """`task` with other parameters, to be worked anew."""
    old = task.step
    step = Step(
        operation=old.operation,
        asset=old.asset,
        channel=old.channel,
        parameters={**old.parameters, **parameters},
        next=old.next,
    )
    return following(task, step, task.inputs, task.measures, task.models)


def _slips(product: CatalogChanged, wish: Wish) -> list[tuple[Source, Step]]:
    return recipes.slips(wish.recipe, product.sources, wish.channels, wish.campaign)


def _assets(slip: Step) -> Iterator[tuple[str, str]]:
    if slip.asset and slip.channel:
        yield slip.asset, slip.channel
    for step in slip.next:
        yield from _assets(step)


def _prune(slip: Step, ended: Collection[str]) -> Step | None:
    """The slip without what has ended; None when nothing of it is left to do."""
    branches = [kept for step in slip.next if (kept := _prune(step, ended)) is not None]
    if not branches and (slip.asset is None or slip.asset in ended):
        return None
    return Step(
        operation=slip.operation,
        asset=slip.asset,
        channel=slip.channel,
        parameters=slip.parameters,
        next=branches,
    )
