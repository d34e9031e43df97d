"""Errors about what comes from outside are of one base, and become an answer in one place."""

import ast
from pathlib import Path

import pytest

from gpu_workers.sources.errors import SourceNotFound
from schemas.channels import UnknownChannel
from schemas.codec import InvalidRecord
from schemas.errors import InputError
from schemas.operations.base import BadParameters
from schemas.recipes import UnknownRecipe
from streams.runtime.errors import Refused

ROOT = Path(__file__).parents[2]
FILES = sorted(file for name in ("schemas", "gpu_workers", "streams") for file in (ROOT / name).rglob("*.py"))


def test_an_error_with_a_code_of_its_own_is_an_input_error() -> None:
    """Found by reading, not by importing: some modules need hardware."""
    nodes = (node for file in FILES for node in ast.walk(ast.parse(file.read_text())))
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef) and node.bases}
    coded = {name for name, node in classes.items() if _has_code(node) and _is_error(name, classes)} - {"InputError"}
    assert {"SourceError", "BadParameters", "BadRecipe", "WireError", "UpscaleError"} <= coded
    assert {name for name in coded if "InputError" not in _bases(name, classes)} == set()


def _is_error(name: str, classes: dict[str, ast.ClassDef]) -> bool:
    return any(base.endswith(("Error", "Exception")) for base in _bases(name, classes))


def _has_code(node: ast.ClassDef) -> bool:
    named = [each.targets[0] for each in node.body if isinstance(each, ast.Assign)]
    named += [each.target for each in node.body if isinstance(each, ast.AnnAssign) and each.value is not None]
    return any(isinstance(each, ast.Name) and each.id == "code" for each in named)


def _bases(name: str, classes: dict[str, ast.ClassDef]) -> set[str]:
    node = classes.get(name)
    if node is None:
        return {name}
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    return bases.union(*(_bases(base, classes) for base in bases if base != name))


@pytest.mark.parametrize(
    ("error", "code", "field", "kind"),
    [
        (SourceNotFound("https://x/a.jpg", "gone", transient=True), "source_not_found", "sources", "transient"),
        (SourceNotFound("https://x/a.jpg", "gone"), "source_not_found", "sources", "permanent"),
        (BadParameters("no such", "padding"), "bad_parameters", "padding", "permanent"),
        (InvalidRecord("too long", "title"), "invalid_record", "title", "permanent"),
        (UnknownRecipe("no"), "unknown_recipe", "", "permanent"),
    ],
)
def test_it_becomes_an_answer_as_it_is(error: InputError, code: str, field: str, kind: str) -> None:
    why = Refused.because(error)
    assert (why.code, why.field, why.kind, why.message) == (code, field, kind, str(error))


def test_the_callers_event_may_have_another_name_for_the_field() -> None:
    assert Refused.because(UnknownChannel("no"), field="channels").field == "channels"
