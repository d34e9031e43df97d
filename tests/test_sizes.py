"""Files and functions stay small enough to be read at a sitting."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES_MAX = 400
FUNCTION_LINES_MEDIAN_MAX = 10
FUNCTION_LINES_P95_MAX = 25
RENDERED = "loadtest/rendering/"  # runs in Blender's Python; a file there is a set with all its things


def sources(*folders: str) -> Iterator[Path]:
    """Python files in folders, without those that render."""
    for folder in folders:
        yield from (file for file in (ROOT / folder).rglob("*.py") if not file.is_relative_to(ROOT / RENDERED))


def functions(file: Path) -> Iterator[int]:
    """The lines of every function in a file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.end_lineno - node.lineno + 1


def test_no_file_is_longer() -> None:
    everything = sources("schemas", "streams", "gpu_workers", "infra", "loadtest", "tests")
    long = {str(file.relative_to(ROOT)) for file in everything if len(file.read_text().splitlines()) > LINES_MAX}
    assert long == set()


@pytest.mark.parametrize("package", ["schemas", "streams", "gpu_workers"])
def test_functions_are_short(package: str) -> None:
    lines = sorted(count for file in sources(package) for count in functions(file))
    assert statistics.median(lines) <= FUNCTION_LINES_MEDIAN_MAX
    assert statistics.quantiles(lines, n=20)[-1] <= FUNCTION_LINES_P95_MAX
