"""`packshot capacity`: what an installation needs, before there is one."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.runtime.screen import console, print_json, table

if TYPE_CHECKING:
    from streams.services.capacity import Capacity, Need

_SCALES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_MOST = 10**12


class Count(click.ParamType):
    """A whole number, with k, M or G for thousands, millions and thousands of millions."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kMG]?)", str(value))
        if found is None:
            self.fail(f"{value!r} is no count such as 300000, 300k or 2.5M", param, ctx)
        count = round(float(found[1]) * _SCALES[found[2]])
        if not 1 <= count <= _MOST:
            self.fail(f"{value!r} is not from 1 to {_MOST // 10**9:,}G", param, ctx)
        return count


class Within(click.FloatRange):
    """A number of a range; click's own takes NaN for one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


@click.command()
@click.option("--products", type=Count(), required=True, metavar="COUNT", help="Products in all: 2M.")
@click.option(
    "--changes-per-day",
    type=Count(),
    required=True,
    metavar="COUNT",
    help="Of them so many a day need new pictures: 300k.",
)
@click.option(
    "--gpu",
    default="none",
    show_default=True,
    help="The GPU of the workers of the pool cutout; none, and they have cores alone.",
)
@click.option(
    "--assets",
    type=Within(0.1, 1000),
    default=6.0,
    show_default=True,
    help="Pictures of a product, over all channels.",
)
@click.option(
    "--peak",
    type=Within(1, 1000),
    default=3.0,
    show_default=True,
    help="The busiest hour's rate, to the mean.",
)
@click.option(
    "--years",
    type=Within(0, 100),
    default=1.0,
    show_default=True,
    help="For how long changes have come, of the topics that keep them.",
)
@click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file of your own figures and prices, in place of ours.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def capacity(
    products: int,
    changes_per_day: int,
    gpu: str,
    assets: float,
    peak: float,
    years: float,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Tell what an installation needs: processes, partitions, storage and money a month.

    By measured figures and list prices, each with its source. What is not known is a range, from the least to the most.
    """
    from streams.services.capacity import Asked, load
    from streams.services.capacity import capacity as counted

    asked = Asked(products, changes_per_day, gpu, assets=assets, peak=peak, years=years)
    found = counted(asked, load(prices))
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: Capacity) -> None:
    shown = table("", "what", "least", "most", "unit", "how")
    for each in found.needs:
        shown.add_row(each.group, each.name, _number(each, each.low), _number(each, each.high), each.unit, each.how)
    console.show(shown)
    sources = table("figure", "least", "most", "unit", "from")
    for name, figure in found.figures.items():
        when = f"; read on {figure.read}" if figure.read else ""
        sources.add_row(name, _said(figure.low), _said(figure.high), figure.unit, figure.source + when)
    console.show(sources)
    for note in found.notes:
        console.say(note)


def _number(need: Need, value: float) -> str:
    """In three digits, for no figure is known any better; whole pieces as they are."""
    if need.unit == "processes":
        return f"{value:,.0f}"
    return _said(float(f"{value:.3g}"))


def _said(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"
