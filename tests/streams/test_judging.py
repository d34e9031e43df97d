"""The gates of colour, light and shadow: what passes, what a person looks at, what fails."""

import msgspec
import pytest

from schemas import channels
from schemas.operations import OPERATIONS
from schemas.records import Check
from streams.flow.processors.judging import judge, reasons
from tests.streams.flow import GOOD
from tests.streams.flow import OF_OPERATION as MEASURED_OF

SHOP = channels.load("shopify")
REQUIRED = {name: each.required for name, each in OPERATIONS.items() if each.makes_pictures}


def check(name: str, value: float) -> Check:
    verdict = judge({name: value}, SHOP, "packshot")
    return next(check for check in verdict.checks if check.name == name)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("colour_difference_median", {1.8: "pass", 1.9: "review", 3.0: "review", 3.1: "fail"}),
        ("colour_difference_p95", {4.0: "pass", 4.1: "review"}),
        ("shadow_azimuth_error_deg", {20.0: "pass", 21.0: "review", 35.0: "review", 36.0: "fail", 180.0: "fail"}),
        ("contact_darkening", {0.08: "pass", 0.07: "review"}),
        ("contact_gap", {0.03: "pass", 0.04: "review"}),
        ("shadow_edge_share", {0.05: "pass", 0.051: "review"}),
        ("shadow_made", {1.0: "pass", 0.0: "review"}),
        ("lighting_made", {1.0: "pass", 0.0: "review"}),
        ("in_frame", {1.0: "pass", 0.0: "review"}),
        ("visible_share", {0.6: "pass", 0.5: "review"}),
        ("height_error", {0.05: "pass", 0.06: "review"}),
        ("print_ssim", {0.9: "pass", 0.89: "review"}),
        ("print_de00_median", {1.8: "pass", 1.9: "review"}),
        ("effective_dpi", {100.0: "pass", 99.0: "review"}),
        ("product_delta_e_median", {2.0: "pass", 2.1: "fail"}),
        ("product_delta_e_p95", {4.0: "pass", 4.1: "review"}),
        ("style_z", {3.5: "pass", 3.6: "review"}),
        ("has_srgb_profile", {1.0: "pass", 0.0: "fail"}),
        ("has_source_type", {1.0: "pass", 0.0: "fail"}),
    ],
)
def test_limits(name: str, values: dict[float, str]) -> None:
    assert {value: check(name, value).outcome for value in values} == values


def test_a_picture_without_shadow_says_that_its_light_was_not_measured() -> None:
    points = [check for check in judge({"fill": 0.8}, SHOP, "packshot").checks if check.point == "light"]
    assert [(check.name, check.outcome) for check in points] == [("not measured", "not_run")]


# what was not measured


def good(operation: str) -> dict[str, float]:
    return {**GOOD, **MEASURED_OF.get(operation, {}), "cutout.uncertainty": 0.05, "cutout.person_share": 0.0}


@pytest.mark.parametrize("operation", REQUIRED)
def test_a_picture_with_all_its_measures_passes(operation: str) -> None:
    assert judge(good(operation), SHOP, operation).outcome == "pass"


@pytest.mark.parametrize("operation", [*REQUIRED, "unheard-of"])
def test_a_picture_that_nobody_measured_goes_to_a_person(operation: str) -> None:
    verdict = judge({}, SHOP, operation)
    assert verdict.outcome == "review"
    assert "size_bytes was not measured" in reasons(verdict)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("operation", "name"), [(each, name) for each in REQUIRED for name in REQUIRED[each]])
def test_a_measure_that_is_missing_or_no_number_goes_to_a_person(
    operation: str, name: str, value: float | None
) -> None:
    measures = good(operation)
    del measures[name]
    verdict = judge(measures | ({} if value is None else {name: value}), SHOP, operation)
    assert verdict.outcome == "review"
    assert f"{name} was not measured" in reasons(verdict)
    assert all(check.measured is None for check in verdict.checks if check.name == name)


def test_a_measure_that_is_not_demanded_goes_to_a_person_when_it_is_no_number() -> None:
    verdict = judge(good("packshot") | {"shadow_azimuth_error_deg": float("nan")}, SHOP, "packshot")
    assert (verdict.outcome, reasons(verdict)) == ("review", "shadow_azimuth_error_deg was not measured")


@pytest.mark.parametrize("name", ["background_as_channel", "background_exact_share"])
def test_the_background_that_a_channel_demands_is_to_be_measured(name: str) -> None:
    measures = good("packshot")
    assert judge(measures, channels.load("amazon"), "packshot").outcome == "pass"
    del measures[name]
    assert judge(measures, channels.load("amazon"), "packshot").outcome == "review"


def test_a_point_that_was_not_measured_is_for_a_person_where_the_channel_demands_it() -> None:
    demanding = msgspec.structs.replace(SHOP, demands=("policy",))
    verdict = judge(good("packshot"), demanding, "packshot")
    assert (verdict.outcome, reasons(verdict)) == ("review", "policy was not measured")
    assert judge(good("packshot") | {"texts_in_doubt": 0.0}, demanding, "packshot").outcome == "pass"
    assert judge(good("packshot") | {"texts_in_doubt": 1.0}, SHOP, "packshot").outcome == "review"
