"""What mending costs by hand and with Packshot: arithmetic on a shop's own numbers, with the ranges that they have."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import yaml
from msgspec import Meta

from schemas.decoding import prepare
from schemas.text import explained
from streams.runtime.errors import Refused

Z = 1.96  # standard deviations: 95 of 100 intervals hold what they are of
MINUTES_BY_HAND = (30.0, 120.0)  # to photograph and retouch one picture: what the trade says, where a shop does not
MONEY_BY_HAND = (5.0, 50.0)
LOOK_MINUTES = 0.5  # a person's at a picture that waits: assumed, and to be measured at the desk

Amount = Annotated[float, Meta(ge=0)]


class Business(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shop's own numbers. `pictures_a_month` are those that are made or mended; None where it is not known.

    `minutes_per_picture` and `cost_per_picture`, in `currency`, are what one costs by hand; None: the trade's range.
    `bottlenecks` are what holds pictures up today, in the shop's own words.
    """

    pictures_a_month: Annotated[int, Meta(ge=0)] | None = None
    minutes_per_picture: Amount | None = None
    cost_per_picture: Amount | None = None
    hour_of_work: Amount = 30.0
    currency: str = "EUR"
    bottlenecks: list[str] = []


@dataclass(frozen=True)
class Range:
    """From the least to the most that is to be expected."""

    least: float
    most: float


@dataclass(frozen=True)
class Estimate:
    """What `pictures` cost. `passing` is the share that goes live with nobody's look, by the sample that was made."""

    pictures: int
    passing: Range
    hours_by_hand: Range
    cost_by_hand: Range
    hours_here: Range
    cost_here: Range
    currency: str


prepare(Business)


def read_business(file: Path) -> Business:
    """A shop's numbers in a YAML file. Raises Refused, which names the field."""
    try:
        return msgspec.convert(yaml.safe_load(file.read_bytes()) or {}, Business)
    except (msgspec.ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused("bad_business", f"{file}: {explained(str(error))}", field="business") from error


def estimate(
    business: Business, pictures: int, passed: int, made: int, seconds_each: float, price_hour: float
) -> Estimate:
    """What `pictures` cost by hand and here, when of `made` really made ones `passed` needed nobody.

    `seconds_each` is a core's work on one, and `price_hour` what an hour of a core costs.
    """
    passing = share_of(passed, made)
    looks_h = [pictures * (1 - share) * LOOK_MINUTES / 60 for share in (passing.most, passing.least)]
    work = pictures * seconds_each / 3600 * price_hour
    minutes, money = _own(business.minutes_per_picture, MINUTES_BY_HAND), _own(business.cost_per_picture, MONEY_BY_HAND)
    return Estimate(
        pictures=pictures,
        passing=passing,
        hours_by_hand=Range(*(pictures * each / 60 for each in minutes)),
        cost_by_hand=Range(*(pictures * each for each in money)),
        hours_here=Range(*looks_h),
        cost_here=Range(*(work + hours * business.hour_of_work for hours in looks_h)),
        currency=business.currency,
    )


def share_of(count: int, total: int) -> Range:
    """The 95 % interval of a share of which a sample was seen, by E. B. Wilson, Probable Inference, 1927."""
    if total == 0:
        return Range(0.0, 1.0)
    share, square = count / total, Z * Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    reach = Z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return Range(max(0.0, middle - reach), min(1.0, middle + reach))


def _own(stated: float | None, usual: tuple[float, float]) -> tuple[float, float]:
    return usual if stated is None else (stated, stated)
