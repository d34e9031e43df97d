"""What code a picture depends on: the modules of ours that a module imports, all the way down, and one digest of them.

Imports are read from the source, those within functions and for types too; what is loaded by a name that is made up at
run time is not seen, and is to be named beside. Docstrings, comments and layout are no part of the digest.
"""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = ("gpu_workers", "schemas", "streams")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class _Module:
    digest: bytes
    imports: frozenset[str]


@dataclass(frozen=True)
class Code:
    """The source of our packages under `root`. Each file is read once."""

    root: Path
    _modules: dict[str, _Module | None] = field(default_factory=dict)

    def fingerprint(self, *names: str) -> str:
        """SHA-256 (hex) over the modules `names` and all that they import of ours. Raises ModuleNotFoundError."""
        closure = self.closure(*names)
        return hashlib.sha256(b"".join(name.encode() + self._module(name).digest for name in closure)).hexdigest()

    def closure(self, *names: str) -> list[str]:
        """`names` and all that they import of ours, sorted, packages with them. Raises ModuleNotFoundError."""
        found: set[str] = set()
        waiting = [*names]
        while waiting:
            for name in _with_packages(waiting.pop()):
                if name not in found:
                    found.add(name)
                    waiting += self._module(name).imports
        return sorted(found)

    def _module(self, name: str) -> _Module:
        module = self._read(name)
        if module is None:
            raise ModuleNotFoundError(f"no module {name} lies in {self.root}")
        return module

    def _read(self, name: str) -> _Module | None:
        if name not in self._modules:
            file = self._file(name)
            self._modules[name] = None if file is None else self._parsed(file)
        return self._modules[name]

    def _file(self, name: str) -> Path | None:
        path = self.root.joinpath(*name.split("."))
        return next((each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file()), None)

    def _parsed(self, file: Path) -> _Module:
        text = _Text()
        text.add(ast.parse(file.read_bytes()))
        digest = hashlib.sha256(" ".join(text.parts).encode()).digest()
        return _Module(digest, frozenset(name for each in text.imports for name in self._imported(each)))

    def _imported(self, statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(statement, ast.Import):
            yield from (each.name for each in statement.names if _is_ours(each.name))
        elif statement.level:
            raise ValueError(f"line {statement.lineno} imports {statement.module} relatively, which is not followed")
        elif statement.module and _is_ours(statement.module):
            yield statement.module
            below = (f"{statement.module}.{each.name}" for each in statement.names)
            yield from (name for name in below if self._file(name))


@dataclass(frozen=True)
class _Text:
    """A syntax tree as text, of which docstrings, places and what is not there are no part; and its imports."""

    parts: list[str] = field(default_factory=list)
    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)

    def add(self, value: Any) -> None:
        if isinstance(value, ast.AST):
            self._add_node(value)
        elif isinstance(value, list):
            for each in value:
                self.add(each)
        else:
            self.parts.append(repr(value))

    def _add_node(self, node: ast.AST) -> None:
        self.parts.append(type(node).__name__)
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.append(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if name == "body" and isinstance(node, _DOCUMENTED):
                value = _without_docstring(value)
            if value is not None and value != [] and name != "ctx":
                self.parts.append(name)
                self.add(value)
        self.parts.append(")")


@cache
def installed() -> Code:
    """The code that runs."""
    return Code(Path(__file__).parents[1])


def _with_packages(name: str) -> Iterator[str]:
    """A module and the packages around it, which are run before it."""
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES


def _without_docstring(body: Any) -> Any:
    first = body[0] if body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str
    return body[1:] if is_text else body
