"""Values of any type of ours with the same text in every field that holds one: what a hostile sender would write."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gpu_workers.models.manifest import Input
from schemas.codec import HASHED
from streams.runtime.errors import Refused

INPUT = Input((3, 9, 9), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
# What has to be like that wherever it is read.
CHECKED = {"color": "#102030", "engine_price": 1, "input": INPUT, "codec": HASHED}


def planted(kind: Any, text: str, within: tuple[Any, ...] = ()) -> Any:
    """A value of type `kind` in which every text is `text`; of a union the last member that is not None.

    A record holds none of its own kind: `within` are those that are being made.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, str):
        return text
    if origin in (typing.Union, types.UnionType):
        return planted([each for each in arguments if each is not type(None)][-1], text, within)
    if origin is typing.Literal:
        return arguments[0]
    if origin is typing.Annotated:
        return planted(arguments[0], text, within)
    if origin is tuple:
        return tuple(planted(each, text, within) for each in arguments if each is not Ellipsis)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {planted(arguments[0], text, within): planted(arguments[1], text, within)}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return [] if arguments[0] in within else [planted(arguments[0], text, within)]
    return _plain(kind, text, within)


def _plain(kind: Any, text: str, within: tuple[Any, ...]) -> Any:
    plain: dict[Any, Any] = {str: text, bytes: text.encode(), int: 1, float: 0.5, bool: False, Path: Path(text)}
    if kind in plain:
        return plain[kind]
    if kind is Any:
        return text
    if kind is Refused:
        return Refused(text, text, field=text)
    assert dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct), f"nothing is known about {kind}"
    hints = typing.get_type_hints(kind, include_extras=True)
    names = [*getattr(kind, "__struct_fields__", ()), *(each.name for each in _fields(kind))]
    made: Any = kind
    return made(
        **{name: CHECKED.get(name) or planted(hints[name], text, (*within, kind)) for name in names if name in hints}
    )


def _fields(kind: Any) -> list[Any]:
    return [each for each in dataclasses.fields(kind) if each.init] if dataclasses.is_dataclass(kind) else []
