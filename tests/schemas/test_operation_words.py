"""Every parameter of every operation has words for people, beside its declaration."""

import msgspec
import pytest

from schemas.operations import OPERATIONS
from schemas.operations.base import Description, Parameters

PARAMETERS = [
    (operation, name, description)
    for operation in OPERATIONS.values()
    for name, description in operation.parameters.descriptions().items()
]


@pytest.mark.parametrize(
    "description", [each[2] for each in PARAMETERS], ids=[f"{each[0].name}-{each[1]}" for each in PARAMETERS]
)
def test_it_has_a_name_and_a_hint_in_words(description: Description) -> None:
    assert description.title[:1].isupper()
    assert description.hint


def test_a_figure_has_a_unit_or_counts() -> None:
    bare = [
        f"{operation.name} {name}"
        for operation, name, description in PARAMETERS
        if description.most and not description.unit
    ]
    assert bare == ["mockup seed", "model seed", "showcase seed"], "which count variations"


def test_bounds_are_those_that_are_checked() -> None:
    description = OPERATIONS["packshot"].parameters.descriptions()
    assert (description["padding"].least, description["padding"].most, description["padding"].unit) == (
        0.0,
        0.45,
        "share of the canvas",
    )
    assert (description["straighten.angle"].least, description["straighten.angle"].most) == (-45.0, 45.0)
    assert (description["scaling"].least, description["scaling"].most) == (None, None)
    assert OPERATIONS["upscale"].parameters.descriptions()["scale"].most == 2.0


def test_one_without_words_is_seen() -> None:
    class Bare(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
        width: int = 0

    assert Bare.descriptions() == {"width": Description("", "", "", None, None)}
    assert msgspec.structs.asdict(Bare.parse({"width": "3"})) == {"width": 3}
