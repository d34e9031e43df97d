"""What assets in the making wait for: the operation of the task that is queued for them."""

from collections.abc import Iterator, Mapping, Sequence

from streams.facts import Asset, Facts, TaskFact

LOOKED_AT = 100  # products: each is a query of its own, and a page shows what is late first


def waited_for(assets: Sequence[Asset], facts: Facts) -> Mapping[tuple[str, str], str]:
    """The operation that each planned asset waits for, by SKU and asset, of the first LOOKED_AT products."""
    planned = [each for each in assets if each.state == "planned"]
    products = list(dict.fromkeys((each.tenant, each.sku, each.version) for each in planned))[:LOOKED_AT]
    queued = {product: [each for each in facts.tasks.of(*product) if each.state == "queued"] for product in products}
    known = ((each, queued.get((each.tenant, each.sku, each.version), [])) for each in planned)
    found = (((each.sku, each.asset), next(_leading_to(each, tasks), None)) for each, tasks in known)
    return {name: task.operation for name, task in found if task is not None}


def _leading_to(asset: Asset, tasks: Sequence[TaskFact]) -> Iterator[TaskFact]:
    """The asset's own task, else those that several assets are made of, as a cutout."""
    yield from (each for each in tasks if each.task.step.asset == asset.asset)
    yield from (each for each in tasks if not each.task.step.asset)
