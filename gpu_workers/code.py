"""What code a picture depends on: the modules of ours that a module imports, all the way down, and one digest of them.

Imports are read from the source, those within functions and for types too; what is loaded by a name that is made up at
run time is not seen, and is to be named beside. Docstrings, comments and layout are no part of the digest.
"""

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec

from schemas.decoding import prepare

PACKAGES = ("gpu_workers", "schemas", "streams")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_KEPT_MAX = 2_000  # files; ours are a sixth of that


class _File(msgspec.Struct, frozen=True):
    """A file without its docstrings and comments as a digest, and what it may import of ours."""

    digest: str
    imports: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """The source of our packages under `root`. Each file is read once, and parsed once for all processes.

    What came of parsing is kept in the file `kept`, by the digest of the source.
    """

    root: Path
    kept: Path | None = None
    _files: dict[str, _File | None] = field(default_factory=dict)

    def fingerprint(self, *names: str) -> str:
        """SHA-256 (hex) over the modules `names` and all that they import of ours. Raises ModuleNotFoundError."""
        lines = [f"{name} {file.digest}" for name, file in sorted(self._closure(names).items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def closure(self, *names: str) -> list[str]:
        """`names` and all that they import of ours, sorted, packages with them. Raises ModuleNotFoundError."""
        return sorted(self._closure(names))

    def _closure(self, names: Iterable[str]) -> dict[str, _File]:
        found: dict[str, _File] = {}
        waiting = [*names]
        parsed_before = len(self._parsed)
        while waiting:
            for name in _with_packages(waiting.pop()):
                if name not in found:
                    found[name] = self._module(name)
                    waiting += [each for each in found[name].imports if self._file(each)]
        if self.kept is not None and len(self._parsed) > parsed_before:
            _write(self.kept, self._parsed if len(self._known) > _KEPT_MAX else self._known | self._parsed)
        return found

    def _module(self, name: str) -> _File:
        file = self._file(name)
        if file is None:
            raise ModuleNotFoundError(f"no module {name} lies in {self.root}")
        return file

    def _file(self, name: str) -> _File | None:
        """A module's file; None for what is only a name in a module."""
        if name not in self._files:
            path = self.root.joinpath(*name.split("."))
            found = next((each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file()), None)
            self._files[name] = None if found is None else self._read(found)
        return self._files[name]

    def _read(self, path: Path) -> _File:
        source = path.read_bytes()
        key = hashlib.sha256(source).hexdigest()
        if key not in self._known and key not in self._parsed:
            self._parsed[key] = _parsed(source)
        return self._known.get(key) or self._parsed[key]

    @cached_property
    def _known(self) -> dict[str, _File]:
        return {} if self.kept is None else _read(self.kept)

    @cached_property
    def _parsed(self) -> dict[str, _File]:
        """What this process parsed, by its source's digest."""
        return {}


def _parsed(source: bytes) -> _File:
    text = _Text()
    text.add(ast.parse(source))
    digest = hashlib.sha256(" ".join(text.parts).encode()).hexdigest()
    return _File(digest, tuple(sorted({name for each in text.imports for name in _imported(each)})))


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules of ours that a statement imports, and what may be others or only a name in them."""
    if isinstance(statement, ast.Import):
        yield from (each.name for each in statement.names if _is_ours(each.name))
    elif statement.level:
        raise ValueError(f"line {statement.lineno} imports {statement.module} relatively, which is not followed")
    elif statement.module and _is_ours(statement.module):
        yield statement.module
        yield from (f"{statement.module}.{each.name}" for each in statement.names)


def _read(file: Path) -> dict[str, _File]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, _File])
    except (OSError, msgspec.DecodeError):  # none yet, or half of one: everything is parsed again
        return {}


def _write(file: Path, known: Mapping[str, _File]) -> None:
    """Replaces the file as a whole; where nothing can be written, the next process parses again."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(f".{os.getpid()}")
        written.write_bytes(msgspec.json.encode(known))
        written.replace(file)


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
    """The code that runs. What came of parsing it lies in the user's cache folder, by Python's version and ours."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packshot"
    parser = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()
    return Code(Path(__file__).parents[1], folder / f"code-{parser[:16]}.json")


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


prepare(_File)
