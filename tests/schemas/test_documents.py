"""YAML of others: what is no document is told, whatever the parser makes of it."""

import msgspec
import pytest

from schemas import documents

# From the tags that the parser knows, each with a scalar that is none of its kind.
NO_SCALARS = [
    f"a: !!{tag} {text}" for tag in ("timestamp", "bool", "int", "float", "binary") for text in ("x", "''", "é")
]


@pytest.mark.parametrize(
    "text", [*NO_SCALARS, "a: 2026-99-99", "a: 0x_", "a: 1__1:60", "? [a]\n: b", "<<: 1", "a: " + "9" * 5000]
)
def test_a_scalar_that_is_not_what_its_tag_says_is_no_yaml(text: str) -> None:
    try:
        documents.decode(text, dict[str, str])
    except msgspec.DecodeError as error:
        assert str(error)  # noqa: PT017 - some are read, as what they are; none raises anything else
