"""The operations: one file each, which says all that the flow knows of it. They are found by themselves."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from schemas.channels import Channel
from schemas.decoding import prepare
from schemas.operations.base import Operation, Required

_BASE = "base"


def _found() -> Iterator[Operation]:
    for name in sorted(module.name for module in iter_modules(__path__)):
        if name != _BASE:
            operation = import_module(f"{__name__}.{name}").OPERATION
            assert operation.name == name, f"{name}.py declares {operation.name}"
            yield operation


OPERATIONS: Mapping[str, Operation] = {operation.name: operation for operation in _found()}


def required_measures(operation: str, channel: Channel) -> Required:
    """The measures that a picture of an operation must have, with their points.

    All there are for an operation that is not known or demands none, as one that makes no asset: it passes nowhere.
    """
    if operation in OPERATIONS and OPERATIONS[operation].required:
        return OPERATIONS[operation].required_on(channel)
    return {name: point for each in OPERATIONS.values() for name, point in each.required_on(channel).items()}


prepare(*(operation.parameters for operation in OPERATIONS.values()))
