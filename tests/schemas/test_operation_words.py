"""Every parameter of every operation has words for people, beside its declaration."""

import msgspec
import pytest

from schemas.operations import OPERATIONS
from schemas.operations.base import Parameters, Told

PARAMETERS = [
    (operation, name, told) for operation in OPERATIONS.values() for name, told in operation.parameters.told().items()
]


@pytest.mark.parametrize(
    "told", [each[2] for each in PARAMETERS], ids=[f"{each[0].name}-{each[1]}" for each in PARAMETERS]
)
def test_it_has_a_name_and_a_hint_in_words(told: Told) -> None:
    assert told.title[:1].isupper()
    assert told.hint


def test_a_figure_has_a_unit_or_counts() -> None:
    bare = [f"{operation.name} {name}" for operation, name, told in PARAMETERS if told.most and not told.unit]
    assert bare == ["mockup seed"], "which counts variations"


def test_bounds_are_those_that_are_checked() -> None:
    told = OPERATIONS["packshot"].parameters.told()
    assert (told["padding"].least, told["padding"].most, told["padding"].unit) == (0.0, 0.45, "share of the canvas")
    assert (told["straighten.angle"].least, told["straighten.angle"].most) == (-45.0, 45.0)
    assert (told["scaling"].least, told["scaling"].most) == (None, None)
    assert OPERATIONS["upscale"].parameters.told()["scale"].most == 2.0


def test_one_without_words_is_seen() -> None:
    class Bare(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
        width: int = 0

    assert Bare.told() == {"width": Told("", "", "", None, None)}
    assert msgspec.structs.asdict(Bare.parse({"width": "3"})) == {"width": 3}
