"""Joining: a step that names other products of the tenant works on their cut-outs beside its own."""

from collections.abc import Mapping

from msgspec.structs import replace

from schemas.identity import lineage_id
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters
from schemas.records import Blob, CatalogChanged, Step, Task, TaskCompleted
from streams.facts import Facts
from streams.flow.processors.planning import HEIGHT, following, height_of
from streams.flow.processors.releasing import made_by_recalled
from streams.runtime.errors import Refused

OTHERS, HEIGHTS = "others", "others.height_cm"
WORST = (
    "uncertainty",
    "person_share",
    "overlay_words",
    "watermark_words",
)  # of all cutouts in a picture the gates judge the worst


def joined(
    task: Task, step: Step, inputs: list[Blob], measures: Mapping[str, float], models: list[str], facts: Facts
) -> Task:
    """The task of a step after `task`, as `following` makes it, with the products that the step names as `others`.

    They stand there as they are cut out now, by digest, so that they are part of the task's id. The product itself is
    left out: one list does for all who are in it. Raises Refused for one that is not known, is not cut out (yet), or
    whose height nobody tells, and for parameters that are none of a mockup's.
    """
    if OTHERS not in step.parameters:
        return following(task, step, inputs, measures, models)
    parameters = {name: value for name, value in step.parameters.items() if name != OTHERS}
    skus = [sku for sku in _others(step) if sku != task.sku]
    products = [_product(task.tenant, sku, facts) for sku in skus]
    if products:
        parameters[HEIGHTS] = ",".join(_height(product) for product in products)
    cutouts = [_cutout(product, facts) for product in products]
    found = {
        f"cutout.{name}": [measures.get(f"cutout.{name}"), *(each.measures.get(name) for each in cutouts)]
        for name in WORST
    }
    # What is not known of one of them is not known of the picture, which then goes to a person.
    known = {name: [each for each in values if each is not None] for name, values in found.items()}
    worst = {name: max(values) for name, values in known.items() if len(values) == len(found[name])}
    made = following(
        task,
        replace(step, parameters=parameters),
        [*inputs, *(each.outputs[0] for each in cutouts)],
        {**{name: value for name, value in measures.items() if name not in found}, **worst},
        sorted({*models, *(each.model for each in cutouts if each.model is not None)}),
    )
    return replace(made, way=lineage_id(task.way, step) if task.way else None)


def _others(step: Step) -> tuple[str, ...]:
    try:
        return tuple(MockupParameters.parse(step.parameters).others_skus)
    except BadParameters as error:  # a completion of others' making: what intake planned is well formed
        raise Refused.because(error) from error


def _product(tenant: str, sku: str, facts: Facts) -> CatalogChanged:
    product = facts.products.get(tenant, sku)
    if product is None or product.deleted:
        raise Refused("unknown_other", f"no such product beside it: {sku}", field=OTHERS, transient=True)
    return product.event


def _height(product: CatalogChanged) -> str:
    height = height_of(product.attributes.get(HEIGHT))
    if isinstance(height, Refused):
        raise Refused(height.code, f"{product.sku} beside it: {height}", field=OTHERS)
    return height


def _cutout(product: CatalogChanged, facts: Facts) -> TaskCompleted:
    """The newest cut-out of a product's first photograph, none of a network that is recalled."""
    for fact in reversed(facts.tasks.of(product.tenant, product.sku, product.version)):
        event = fact.record
        if not isinstance(event, TaskCompleted) or event.outcome != "done" or event.task.step.operation != "cutout":
            continue
        is_recalled = event.model is not None and made_by_recalled([event.model], facts)
        if event.task.source == product.sources[0] and not is_recalled:
            return event
    raise Refused("no_cutout", f"{product.sku} beside it is not cut out yet", field=OTHERS, transient=True)
