"""What `packshot brands` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.runtime.screen import console, line, print_json, styled, table

if TYPE_CHECKING:
    from streams.services.releases.brands import Row as BrandRow


def show_brands(rows: Sequence[BrandRow], *, as_json: bool) -> None:
    """Every brand."""
    if as_json:
        from streams.services.releases.brands import brand_view

        print_json([brand_view(row) for row in rows])
        return
    shown = table("name", "pictures", "background", "shadow", "fill", "palette", "file")
    for row in rows:
        file = "ships" if row.ships else str(row.file)
        if (brand := row.brand) is None:
            shown.add_row(row.name, "", "", "", "", styled(row.wrong, "red"), file)
            continue
        palette = line(*(styled("■", swatch.color) for swatch in brand.palette))
        shadow = "" if brand.shadow is None else brand.shadow.mode
        values = (str(value or "·") for value in (brand.background, shadow, brand.fill))
        shown.add_row(row.name, str(brand.learned_from.count), *values, palette, file)
    console.show(shown)


def show_brand(row: BrandRow, *, as_json: bool) -> None:
    """A brand's colours, and the parameters of a packshot that is one of its own."""
    if as_json:
        from streams.services.releases.brands import brand_view

        print_json(brand_view(row))
        return
    assert row.brand is not None, "nobody shows what is not well formed"
    ships = "ships" if row.ships else row.file
    console.say(styled(row.name, "bold"), f" of {row.brand.learned_from.count} pictures, {ships}")
    shown = table("", "", "share")
    for swatch in row.brand.palette:
        shown.add_row(styled("■■■", swatch.color), swatch.color, f"{swatch.share:.0%}")
    console.show(shown)
    for name, value in row.parameters.items():
        console.say(f"{name}  {value}")
