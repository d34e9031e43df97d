"""YAML that others wrote, bounded before it is read: a document is composed by recursion, and an alias is a copy.

The parser goes over a text without recursion, event by event; so depth and size are known before anything is built.
"""

from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")

DEPTH_MAX = 64  # twice what the deepest slip takes, and more
NODES_MAX = 100_000
# What the parser makes of a scalar that is not what its tag says: a date, a number, a truth value that is none.
_NO_SCALAR = (ValueError, TypeError, OverflowError, LookupError, AttributeError)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unbounded(yaml.YAMLError):
    """A document that is nested too deeply, has too much in it, or aliases; `problem` says which, at `problem_mark`."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(f"{problem}, in line {mark.line + 1}")
        self.problem = problem
        self.problem_mark = mark


def check(text: str | bytes) -> None:
    """Raises yaml.YAMLError for what is no YAML, Unbounded for what must not be built."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise Unbounded("aliases are not read here; write it out", event.start_mark)
        if isinstance(event, yaml.NodeEvent):
            nodes += 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise Unbounded(f"nested more than {DEPTH_MAX} levels deep", event.start_mark)
        if nodes > NODES_MAX:
            raise Unbounded(f"more than {NODES_MAX:,} values", event.start_mark)


def decode(text: str | bytes, of: type[T]) -> T:
    """A document as `of`. Raises msgspec.DecodeError; for what is no YAML or must not be built, too."""
    try:
        check(text)
        plain = yaml.load(text, Loader=_LOADER)
    except (yaml.YAMLError, *_NO_SCALAR) as error:
        raise msgspec.DecodeError(f"no YAML: {error}") from error
    return msgspec.convert(plain, of)
