"""Recipes and defaults from their YAML. What is wrong with a file is told all at once, each with its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, TypeVar

import msgspec
import yaml

from schemas import documents
from schemas.channels.rulebook import SHIPPED, Rulebook
from schemas.errors import InputError
from schemas.recipes import Defaults, Recipe, checking
from schemas.text import explained

T = TypeVar("T", Recipe, Defaults)
TEXT_MAX = 65_536


@dataclass(frozen=True)
class Problem:
    """What is wrong at `path` of a file; lines count from 1."""

    line: int
    path: str
    message: str


class BadRecipe(InputError, ValueError):
    """A file that is no recipe, or no defaults. Its message has a line for each problem: FILE:LINE: PATH: MESSAGE."""

    code = "bad_recipe"

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(": ".join(filter(None, (f"{file}:{p.line}", p.path, p.message))) for p in problems))


def parse(text: str, file: str, rules: Rulebook = SHIPPED) -> Recipe | Defaults:
    """The recipe or, where there is a `tenant`, the defaults in `text`; `file` is its name. Raises BadRecipe."""
    document = _Document.read(text, file)
    of_tenant = isinstance(document.value, dict) and "tenant" in document.value
    return parse_defaults(text, file, rules) if of_tenant else parse_recipe(text, file, rules)


@lru_cache(512)
def parse_recipe(text: str, file: str, rules: Rulebook = SHIPPED) -> Recipe:
    """The recipe in `text`, held against the channels' `rules`. Raises BadRecipe."""
    document = _Document.read(text, file)
    return document.checked(Recipe, partial(checking.of_recipe, rules=rules))


@lru_cache(512)
def parse_defaults(text: str, file: str, rules: Rulebook = SHIPPED) -> Defaults:
    """The defaults in `text`. Raises BadRecipe."""
    document = _Document.read(text, file)
    return document.checked(Defaults, partial(checking.of_defaults, rules=rules))


@dataclass
class _Document:
    """A YAML file as plain values, all scalars as they are written, and the line of each path."""

    file: str
    value: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def read(cls, text: str, file: str) -> "_Document":
        document = cls(file)
        if len(text) > TEXT_MAX:
            raise BadRecipe(file, [Problem(1, "", f"{len(text):,} characters; there may be {TEXT_MAX:,}")])
        try:
            documents.check(text)
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise BadRecipe(file, [_syntax(error)]) from error
        document.value = None if node is None else document._plain(node, "")
        if document.problems:
            raise BadRecipe(file, document.problems)
        return document

    def checked(self, of: type[T], check: Any) -> T:
        """The document as `of`, if `check` finds nothing wrong with it."""
        try:
            made = msgspec.convert(self.value, of, strict=False)
        except msgspec.ValidationError as error:
            raise BadRecipe(self.file, [self._misshapen(error)]) from error
        wrong = [Problem(self._line(path), path, message) for path, message in check(made)]
        if wrong:
            raise BadRecipe(self.file, sorted(wrong, key=lambda problem: problem.line))
        return made

    def _plain(self, node: yaml.Node, path: str) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(each, f"{path}[{number}]") for number, each in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:null":
            self._note(node, path, "there is no value")
        return node.value

    def _items(self, node: yaml.MappingNode, path: str) -> Iterator[tuple[str, Any]]:
        known = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            below = f"{path}.{name}" if path else name
            self.lines[below] = key.start_mark.line + 1
            if name in known:
                self._note(key, below, "it is there twice")
            if path.endswith(".parameters") and not isinstance(value, yaml.ScalarNode):
                self._note(key, below, "a parameter has one value; its full name holds the dots, as `background.color`")
            known.add(name)
            yield name, self._plain(value, below)

    def _note(self, node: yaml.Node, path: str, message: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, path, message))

    def _misshapen(self, error: msgspec.ValidationError) -> Problem:
        message, _, at = explained(str(error)).partition(" - at `$")
        path = at.rstrip("`").removeprefix(".")
        if unknown := re.search(r"unknown field `(.+)`", message):
            path, message = f"{path}.{unknown[1]}".removeprefix("."), "there is no such field"
        return Problem(self._line(path), path, message)

    def _line(self, path: str) -> int:
        """The line of a path, or of what holds it."""
        while path not in self.lines and path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)


def _syntax(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    reason = reason if isinstance(error, documents.Unbounded) else f"no YAML: {reason}"
    return Problem(1 if mark is None else mark.line + 1, "", reason)
