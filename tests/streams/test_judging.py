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
PRODUCTS = ("canvas_difference_max", "cropped_edges")
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
    verdict = judge(good("packshot"), demanding, "packshot", texts={})
    assert (verdict.outcome, reasons(verdict)) == ("review", "policy was not measured")
    assert judge(good("packshot"), demanding, "packshot", texts={"texts_in_doubt": 0.0}).outcome == "pass"
    assert judge(good("packshot") | {"texts_in_doubt": 1.0}, SHOP, "packshot").outcome == "review"


def test_a_picture_alone_has_no_texts_that_a_channel_could_demand() -> None:
    demanding = msgspec.structs.replace(SHOP, demands=("policy",))
    assert judge(good("packshot"), demanding, "packshot").outcome == "pass"


@pytest.mark.parametrize("point", ["product", "light"])
def test_a_point_of_which_every_line_says_not_run_was_not_measured(point: str) -> None:
    """A line that says of a limit that there was no figure for it is no measure."""
    demanding = msgspec.structs.replace(SHOP, demands=(point,))
    measures = {name: value for name, value in good("style").items() if name not in PRODUCTS}
    verdict = judge(measures, demanding, "style")
    assert (verdict.outcome, reasons(verdict)) == ("review", f"{point} was not measured")


def test_a_style_is_held_to_what_the_picture_below_it_measured_of_the_product() -> None:
    measures = {name: value for name, value in good("style").items() if name not in PRODUCTS}
    below = {f"packshot.{name}": 0.0 for name in PRODUCTS}
    demanding = msgspec.structs.replace(SHOP, demands=("product",))
    assert judge(measures | below, demanding, "style").outcome == "pass"
    assert judge(measures | below | {"packshot.canvas_difference_max": 9.0}, demanding, "style").outcome == "fail"


@pytest.mark.parametrize("channel", channels.names())
@pytest.mark.parametrize("operation", [name for name in REQUIRED if name != "upscale"])
def test_what_a_channel_demands_is_measured_by_every_operation_that_it_allows(channel: str, operation: str) -> None:
    """But upscaling: what it makes of a picture is no packshot."""
    rules = channels.load(channel)
    if not OPERATIONS[operation].allowed_on(rules):
        return
    needed = {name: good(operation).get(name, 0.0) for name in OPERATIONS[operation].required_on(rules)}
    below = {f"packshot.{name}": 0.0 for name in PRODUCTS} if operation == "style" else {}
    verdict = judge(needed | below, rules, operation, texts={"texts_in_doubt": 0.0})
    unrun = {check.point for check in verdict.checks if check.name == "not measured" and check.outcome == "review"}
    assert unrun == set()
