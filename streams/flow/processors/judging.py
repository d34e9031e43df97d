"""Judging: every quality gate is asked, and the worst check decides. Measures in, a verdict out.

The gates are the files of streams/flow/gates, one for each point of the checklist. A point for which nothing is
measured says `not_run`, never `pass`, and goes to a person where the channel demands it. What an operation must leave
and has not, or that is no finite number, goes to a person: what was not measured did not pass.
"""

import math
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from schemas.channels import Channel
from schemas.operations import required_measures
from schemas.records import Check, Verdict, VerdictOutcome
from streams.flow.gates import GATES, Measures, gates

# Verdicts that were written have their lines in this order, and equal verdicts are the same lines: the gates in the
# order of the checklist, then these of scenes, prints and styles, and the channel's at the end.
_LATE = (
    "in_frame",
    "visible_share",
    "height_error",
    "print_ssim",
    "print_de00_median",
    "effective_dpi",
    "product_delta_e_median",
    "product_delta_e_p95",
    "style_z",
)


def judge(
    measures: Measures,
    channel: Channel,
    operation: str,
    policy: str | None = None,
    texts: Measures | None = None,
    seen: Sequence[Check] = (),
) -> Verdict:
    """The verdict on one asset that `operation` made. The worst check decides.

    `texts` is what was measured of its product's texts, by the released rules that `policy` names, and `seen` what
    these say of its photograph. None is for a picture alone: it has no texts, and nobody demands that they were
    measured.
    """
    if texts is None:
        channel = replace(channel, demands=tuple(point for point in channel.demands if point != "policy"))
    measures = {**measures, **(texts or {})}
    found = {name: value for name, value in measures.items() if math.isfinite(value)}
    missing = _missing(measures, found, channel, operation)
    checks = sorted([*(check for gate in gates() for check in gate.checks(found, channel)), *seen], key=_place)
    checks = [*(check for check in checks if check.name not in missing), *missing.values()]
    checks += [_silent(gate.POINT, channel) for gate in gates() if _is_silent(gate.POINT, checks, channel)]
    outcomes = {check.outcome for check in checks}
    outcome: VerdictOutcome = "fail" if "fail" in outcomes else "review" if "review" in outcomes else "pass"
    return Verdict(outcome=outcome, checks=checks, rules=rules_of(channel, policy))


def _is_silent(point: str, checks: Sequence[Check], channel: Channel) -> bool:
    """Whether nothing is said of a point; where the channel demands it, whether nothing of it was measured."""
    said = [check for check in checks if check.point == point]
    if point in channel.demands:
        return not any(check.outcome != "not_run" or check.measured is not None for check in said)
    return not said


def _silent(point: str, channel: Channel) -> Check:
    """What is said of a point of which nothing was measured: a person looks where the channel demands it."""
    if point in channel.demands:
        return Check(point=point, name="not measured", outcome="review", rule=channel.rule_version)
    return Check(point=point, name="not measured", outcome="not_run")


def _place(check: Check) -> int:
    if check.point == "channel":
        return len(_LATE) + 1
    return _LATE.index(check.name) + 1 if check.name in _LATE else 0


def rules_of(channel: Channel, policy: str | None = None) -> str:
    """What a verdict names as its rules: the gates', the channel's and released ones about texts, with versions."""
    return f"{GATES},{channel.rule_version}" + (f",{policy}" if policy else "")


def reasons(verdict: Verdict) -> str:
    """Why an asset did not pass, in a sentence."""
    return "; ".join(_reason(check) for check in verdict.checks if check.outcome in ("fail", "review"))


def _reason(check: Check) -> str:
    if check.name == "not measured":
        return f"{check.point} was not measured"
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
