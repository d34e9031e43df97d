"""The gates: a file for each point of the checklist, each limit with its unit and where it comes from."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import channels
from schemas.operations import OPERATIONS
from streams.flow import gates as package
from streams.flow.gates import BY_EYE, CHECKLIST, Gate, Threshold, gates
from streams.flow.processors.judging import judge, reasons
from tests.streams.test_judging import good

MAKEFILE = (Path(__file__).parents[2] / "Makefile").read_text()
SHOP = channels.load("shopify")
LIMITS = [pytest.param(gate, each, id=each.measure) for gate in gates() for each in gate.THRESHOLDS]
FLOATING = """
from streams.flow.gates import BY_EYE, Threshold, held
POINT = "gravity"
THRESHOLDS = (
    Threshold(
        measure="floats",
        bound="≤",
        limit=0,
        unit="0 or 1",
        otherwise="fail",
        data="none: it does or not",
        command=BY_EYE,
    ),
)
def checks(measures, channel):
    return held(POINT, THRESHOLDS, measures)
"""


@pytest.fixture
def further_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "gravity.py").write_text(FLOATING)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    gates.cache_clear()
    yield
    monkeypatch.undo()
    gates.cache_clear()


def test_every_point_of_the_checklist_is_a_file_of_its_name() -> None:
    assert tuple(gate.POINT for gate in gates()) == CHECKLIST
    assert {file.stem for file in Path(package.__file__).parent.glob("*.py")} - {"__init__"} == {*CHECKLIST}


@pytest.mark.usefixtures("further_gate")
def test_a_further_gate_is_one_file() -> None:
    assert [gate.POINT for gate in gates()] == [*CHECKLIST, "gravity"]
    verdict = judge(good("packshot") | {"floats": 1.0}, SHOP, "packshot")
    assert (verdict.outcome, reasons(verdict)) == ("fail", "floats is 1, the limit ≤ 0")


@pytest.mark.parametrize(("_gate", "limit"), LIMITS)
def test_a_limit_says_its_unit_and_where_it_comes_from(_gate: Gate, limit: Threshold) -> None:
    assert limit.unit
    assert limit.data
    assert "not known" not in limit.data
    assert limit.command == BY_EYE or f"\n{limit.command.removeprefix('make ')}:" in MAKEFILE


@pytest.mark.parametrize(("gate", "limit"), LIMITS)
def test_a_limit_is_one_that_its_gate_goes_by(gate: Gate, limit: Threshold) -> None:
    """What is within passes, and what is beyond does not, on a picture with everything that turns the limit on."""
    turned_on = {"cutout.worn": 1.0, "cutout.has_own_alpha": 1.0} if limit in _ONLY_THEN else {}
    people = channels.load("amazon", "Dresses") if "cutout.worn" in turned_on else SHOP
    rest = dict.fromkeys(("cutout.garment_cropped_edges", "floating_cuts"), 0.0) | turned_on
    beyond = math.inf if limit.bound == "≤" else -1.0
    outcomes = []
    for value in (limit.limit, min(beyond, 1e9)):
        checks = gate.checks({**rest, limit.measure: value}, people)
        outcomes.append({check.outcome for check in checks if check.name == limit.measure})
    assert outcomes[0] == {"pass"}
    assert outcomes[1] == {"fail" if limit.fails is not None else limit.otherwise}


_ONLY_THEN = tuple(
    each
    for gate in gates()
    for each in gate.THRESHOLDS
    if each.measure in ("cutout.garment_cropped_edges", "floating_cuts", "alpha_soft_share", "alpha_open_rim_share")
)


@pytest.mark.parametrize("channel", channels.names())
@pytest.mark.parametrize("operation", [*OPERATIONS, "unheard-of"])
def test_a_picture_without_measures_passes_nowhere(channel: str, operation: str) -> None:
    verdict = judge({}, channels.load(channel), operation)
    assert verdict.outcome == "review"
    assert not {check.outcome for check in verdict.checks} & {"pass", "fail"}


def test_text_says_of_a_print_that_nothing_measured_it() -> None:
    prints = {name: value for name, value in good("artwork").items() if not name.startswith(("text_", "codes_"))}
    found = {name: value for name, value in prints.items() if not name.startswith("cutout.")}
    silent = [check.point for check in judge(found, SHOP, "artwork").checks if check.outcome == "not_run"]
    assert "text" in silent


@pytest.mark.parametrize("brought_in", ["has_scene", "print_ssim"])
def test_text_beside_a_product_is_looked_for_where_something_may_have_brought_it_in(brought_in: str) -> None:
    google, found = channels.load("google"), good("mockup") | {brought_in: 1.0}
    outcomes = {each.name: each.outcome for each in judge(found, google, "mockup").checks}
    assert outcomes["text_overlay_share"] == "review", "nobody looked"
    for share, outcome in ((0.0, "pass"), (0.01, "fail")):
        checks = judge(found | {"text_overlay_share": share}, google, "mockup").checks
        assert {each.name: each.outcome for each in checks}["text_overlay_share"] == outcome
    assert "text_overlay_share" not in {each.name for each in judge(found, SHOP, "mockup").checks}


def test_the_lines_of_a_verdict_have_their_order() -> None:
    """It stands in events that were written: other lines would be another verdict."""
    names = [
        check.name
        for check in judge(good("artwork") | {"print_de00_median": 1.0, "style_z": 1.0}, SHOP, "artwork").checks
    ]
    late = names[names.index("print_ssim") :]
    assert names.index("alpha_coverage") < names.index("print_ssim")
    assert late[:4] == ["print_ssim", "print_de00_median", "effective_dpi", "style_z"]
    assert late[4] == "width_px"
