"""What every operation keeps to, whichever there are: they are found, not listed."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from schemas import channels
from schemas.channels import Channel
from schemas.operations import OPERATIONS, required_measures
from schemas.operations.base import POOLS, Operation, Parameters, Point

ROOT = Path(__file__).parents[2]
EVERY = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
PICTURES = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS.values() if each.makes_pictures], ids=lambda operation: operation.name
)


def free() -> Channel:
    """A channel that leaves the ground open, and bans nothing."""
    return msgspec.structs.replace(channels.load("shopify"), background_required=False, bans=())


# the schema half


def test_each_operation_is_a_file_of_its_name() -> None:
    files = {file.stem for file in (ROOT / "schemas/operations").glob("*.py")}
    assert files - {"__init__", "base"} == OPERATIONS.keys()


@EVERY
def test_it_says_where_it_is_done_and_what_of(operation: Operation) -> None:
    made = {each.makes for each in OPERATIONS.values()}
    assert operation.pool in POOLS
    assert operation.takes <= made
    assert operation.takes or operation.makes, "what begins a recipe makes something"
    assert operation.summary[:1].islower()


@EVERY
def test_its_parameters_refuse_by_name(operation: Operation) -> None:
    assert issubclass(operation.parameters, Parameters)
    with pytest.raises(ValueError, match=r"`nobody\.has\.this` is no parameter"):
        operation.parameters.parse({"nobody.has.this": "1"})


@PICTURES
def test_its_pictures_must_be_measured(operation: Operation) -> None:
    required = operation.required_on(free())
    assert {"width_px", "height_px", "size_bytes", "format_allowed"} <= required.keys()
    assert set(required.values()) <= set(get_args(Point))
    assert required_measures(operation.name, free()) == required


@PICTURES
def test_a_ground_that_is_demanded_is_measured_and_another_one_of_its_own_is_banned(operation: Operation) -> None:
    demanding = msgspec.structs.replace(free(), background="#FFFFFF", background_required=True)
    assert {"background_as_channel", "background_exact_share"} <= operation.required_on(demanding).keys()
    assert operation.allowed_on(free())
    assert operation.allowed_on(demanding) == (operation.ground != "own")


@PICTURES
def test_a_channel_bans_it_in_its_own_words(operation: Operation) -> None:
    for word in operation.banned_by:
        assert not operation.allowed_on(msgspec.structs.replace(free(), bans=(word,)))


def test_an_operation_that_is_not_known_must_have_every_measure() -> None:
    every = {name for each in OPERATIONS.values() for name in each.required_on(free())}
    assert required_measures("unheard-of", free()).keys() == every


@EVERY
def test_the_documentation_has_it_with_its_parameters(operation: Operation) -> None:
    table = (ROOT / "gpu_workers/README.md").read_text()
    (row,) = re.findall(rf"^\| `{operation.name}` \|.*$", table, re.MULTILINE)
    assert row.split("|")[2].strip().startswith(operation.summary)
