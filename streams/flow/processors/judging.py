"""Judging: the quality gates. Measures in, a verdict out; each check states what was measured, the limit and the rule.

The checklist has eight points. A point for which nothing is measured yet says `not_run`, never `pass`. What an
operation must leave and has not, or that is no finite number, goes to a person: what was not measured did not pass.
"""

import math
from collections.abc import Callable, Mapping
from typing import get_args

from schemas.channels import Channel
from schemas.operations import required_measures
from schemas.operations.base import Point
from schemas.records import Check, CheckOutcome, Verdict, VerdictOutcome

POINTS = get_args(Point)
GATES = "gates@2026-11"

CANVAS_DIFFERENCE_MAX = 2.0  # of 255; the invariant "product pixels are sacred"
FILE_DIFFERENCE_MEAN_MAX = 5.0  # of 255; JPEG at its best adds up to 4.3 to fine cloth
COLOUR_MEDIAN = (1.8, 3.0)  # ΔE00 up to which it passes, and up to which a person looks
COLOUR_P95_MAX = 4.0
AZIMUTH_ERROR_DEG = (20.0, 35.0)
CONTACT_DARKENING_MIN = 0.08
SHADOW_EDGE_SHARE_MAX = 0.05  # of the product's width; a soft shadow that was cut off had .067 and more
CONTACT_GAP_MAX = 0.03  # of the product's height; what hovers has its shadow below it
VISIBLE_SHARE_MIN = 0.6
HEIGHT_ERROR_MAX = 0.05
PRINT_SSIM_MIN = 0.9
PRINT_DPI_MIN = 100
STYLED_MEDIAN_MAX = 2.0  # ΔE00; what a brand's style may do to a product
STYLE_Z_MAX = 3.5
UNCERTAINTY_MAX = 0.25
PARTIAL_SHARE_MAX = 0.5
PERSON_SHARE_MAX = 0.01  # of what was cut out; a thumb's skin is more
COVERAGE_MIN = 0.01

Measures = Mapping[str, float]


def judge(measures: Measures, channel: Channel, operation: str) -> Verdict:
    """The verdict on one asset that `operation` made. The worst check decides."""
    found = {name: value for name, value in measures.items() if math.isfinite(value)}
    missing = _missing(measures, found, channel, operation)
    checks = [*_product(found, channel), *_colour(found), *_edges(found), *_light(found)]
    checks += [*_scene(found), *_print(found), *_style(found), *_channel(found, channel)]
    checks = [*(check for check in checks if check.name not in missing), *missing.values()]
    covered = {check.point for check in checks}
    silent = [Check(point=point, name="not measured", outcome="not_run") for point in POINTS if point not in covered]
    outcomes = {check.outcome for check in checks}
    outcome: VerdictOutcome = "fail" if "fail" in outcomes else "review" if "review" in outcomes else "pass"
    return Verdict(outcome=outcome, checks=[*checks, *silent], rules=rules_of(channel))


def rules_of(channel: Channel) -> str:
    """What a verdict names as its rules: the gates' and the channel's, each with its version."""
    return f"{GATES},{channel.rule_version}"


def reasons(verdict: Verdict) -> str:
    """Why an asset did not pass, in a sentence."""
    return "; ".join(_told(check) for check in verdict.checks if check.outcome in ("fail", "review"))


def _told(check: Check) -> str:
    if check.measured is None:
        return f"{check.name} was not measured"
    return f"{check.name} is {check.measured:.4g}, the limit {check.limit}"


def _missing(measures: Measures, found: Measures, channel: Channel, operation: str) -> dict[str, Check]:
    """What was to be measured and was not, and what is no finite number, by its name."""
    required: Mapping[str, str] = required_measures(operation, channel)
    unsound = {name: required.get(name, "product") for name in measures.keys() - found.keys()}
    return {
        name: Check(point=point, name=name, outcome="review", limit="measured", rule=GATES)
        for name, point in sorted({**required, **unsound}.items())
        if name not in found
    }


def _product(measures: Measures, channel: Channel) -> list[Check]:
    return [
        _at_most("product", "canvas_difference_max", measures, CANVAS_DIFFERENCE_MAX, "fail"),
        *_cropping(measures, channel),
    ]


def _cropping(measures: Measures, channel: Channel) -> list[Check]:
    """Nothing of a product may be cut off; of its wearer, where people may be seen, what ends at the picture's edge."""
    names = ("cutout.garment_cropped_edges", "floating_cuts")
    if not channel.people or measures.get("cutout.worn") != 1 or not measures.keys() >= {*names}:
        return [_at_most("product", "cropped_edges", measures, 0, "review")]
    return [_at_most("product", name, measures, 0, "review") for name in names]


def _colour(measures: Measures) -> list[Check]:
    return [
        _at_most("colour", "product_difference_mean", measures, FILE_DIFFERENCE_MEAN_MAX, "fail"),
        _graded("colour", "colour_difference_median", measures, *COLOUR_MEDIAN),
        _at_most("colour", "colour_difference_p95", measures, COLOUR_P95_MAX, "review"),
    ]


def _light(measures: Measures) -> list[Check]:
    """Of what there is of light and shadow; a packshot on plain white has neither."""
    return _measured(
        _at_least("light", "lighting_made", measures, 1, "review"),
        _at_least("light", "shadow_made", measures, 1, "review"),
        _graded("light", "shadow_azimuth_error_deg", measures, *AZIMUTH_ERROR_DEG),
        _at_most("light", "shadow_edge_share", measures, SHADOW_EDGE_SHARE_MAX, "review"),
        _at_least("light", "contact_darkening", measures, CONTACT_DARKENING_MIN, "review"),
        _at_most("light", "contact_gap", measures, CONTACT_GAP_MAX, "review"),
    )


def _scene(measures: Measures) -> list[Check]:
    """Of a product in a scene."""
    return _measured(
        _at_least("product", "in_frame", measures, 1, "review"),
        _at_least("product", "visible_share", measures, VISIBLE_SHARE_MIN, "review"),
        _at_most("product", "height_error", measures, HEIGHT_ERROR_MAX, "review"),
    )


def _print(measures: Measures) -> list[Check]:
    """Of artwork on a product: is what was printed what was sent, and fine enough."""
    return _measured(
        _at_least("product", "print_ssim", measures, PRINT_SSIM_MIN, "review"),
        _at_most("colour", "print_de00_median", measures, COLOUR_MEDIAN[0], "review"),
        _at_least("product", "effective_dpi", measures, PRINT_DPI_MIN, "review"),
    )


def _style(measures: Measures) -> list[Check]:
    """Of a picture in a brand's style, and of a product that was relit."""
    return _measured(
        _at_most("colour", "product_delta_e_median", measures, STYLED_MEDIAN_MAX, "fail"),
        _at_most("colour", "product_delta_e_p95", measures, COLOUR_P95_MAX, "review"),
        _at_most("style", "style_z", measures, STYLE_Z_MAX, "review"),
    )


def _measured(*checks: Check) -> list[Check]:
    """Those for which there is a figure: of other operations' pictures there is none."""
    return [check for check in checks if check.measured is not None]


def _edges(measures: Measures) -> list[Check]:
    # A network's matte that is mostly partial is a guess; a supplier's says how see-through its panes are, which have a
    # frame: what is see-through up to its outline is a ghost.
    names = ("alpha_soft_share", "alpha_open_rim_share") if measures.get("cutout.has_own_alpha") == 1 else ()
    return [
        _at_most("edges", "cutout.uncertainty", measures, UNCERTAINTY_MAX, "review"),
        *(_at_most("edges", name, measures, PARTIAL_SHARE_MAX, "review") for name in names or ("alpha_partial_share",)),
        _at_least("edges", "alpha_coverage", measures, COVERAGE_MIN, "review"),
    ]


def _channel(measures: Measures, channel: Channel) -> list[Check]:
    rule = channel.rule_version
    small, large = channel.smallest, channel.largest
    return [
        _at_least("channel", "width_px", measures, small.width_px, "fail", rule),
        _at_least("channel", "height_px", measures, small.height_px, "fail", rule),
        _at_most("channel", "width_px", measures, large.width_px, "fail", rule),
        _at_most("channel", "height_px", measures, large.height_px, "fail", rule),
        *_background(measures, channel),
        _at_least("channel", "fill", measures, channel.fill.min, "fail", rule),
        _at_most("channel", "fill", measures, channel.fill.max, "fail", rule),
        _at_most("channel", "scale", measures, channel.scale_max, "fail", rule),
        _at_most("channel", "size_bytes", measures, channel.file_bytes_max, "fail", rule),
        _at_least("channel", "format_allowed", measures, 1, "fail", rule),
        _at_least("channel", "has_srgb_profile", measures, 1, "fail"),
        _at_least("channel", "has_source_type", measures, 1, "fail"),
        *_banned(measures, channel),
    ]


def _banned(measures: Measures, channel: Channel) -> list[Check]:
    """What the channel does not take, where the picture has it."""
    rule, scenes_max = channel.rule_version, float("scene" not in channel.bans and not channel.background_required)
    enlarged_max = 2.0 if channel.allows_upscaling else 1.0
    names = ("upscaled_by", "upscale.upscaled_by")
    enlarged = (_at_most("channel", name, measures, enlarged_max, "fail", rule) for name in names)
    people_max = 1.0 if channel.people else PERSON_SHARE_MAX
    return _measured(
        _at_most("channel", "has_scene", measures, scenes_max, "fail", rule),
        _at_most("channel", "cutout.person_share", measures, people_max, "review", rule),
        *enlarged,
    )


def _background(measures: Measures, channel: Channel) -> list[Check]:
    """Exactly the channel's own where it demands one, else close to the one that was asked for."""
    rule, share_min = channel.rule_version, channel.background_exact_min
    if not channel.background_required:
        return [_at_least("channel", "background_near_share", measures, share_min, "fail", rule)]
    return [
        _at_least("channel", "background_as_channel", measures, 1, "fail", rule),
        _at_least("channel", "background_exact_share", measures, share_min, "fail", rule),
    ]


def _graded(point: str, name: str, measures: Measures, passes: float, reviews: float) -> Check:
    """Passes up to one limit, waits for a person up to the next, and fails beyond."""
    measured = measures.get(name)
    beyond = measured is not None and round(measured, 6) > reviews
    return _at_most(point, name, measures, passes, "fail" if beyond else "review")


def _at_most(
    point: str, name: str, measures: Measures, limit: float, otherwise: CheckOutcome, rule: str = GATES
) -> Check:
    return _check(point, name, measures, f"≤ {limit:g}", lambda value: value <= limit, otherwise, rule)


def _at_least(
    point: str, name: str, measures: Measures, limit: float, otherwise: CheckOutcome, rule: str = GATES
) -> Check:
    return _check(point, name, measures, f"≥ {limit:g}", lambda value: value >= limit, otherwise, rule)


def _check(
    point: str,
    name: str,
    measures: Measures,
    limit: str,
    holds: Callable[[float], bool],
    otherwise: CheckOutcome,
    rule: str,
) -> Check:
    measured = measures.get(name)
    if measured is None:
        return Check(point=point, name=name, outcome="not_run", limit=limit, rule=rule)
    outcome: CheckOutcome = "pass" if holds(round(measured, 6)) else otherwise
    return Check(point=point, name=name, outcome=outcome, measured=measured, limit=limit, rule=rule)
