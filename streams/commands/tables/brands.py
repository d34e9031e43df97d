"""What `packshot brands` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streams.runtime.screen import console, line, print_json, styled, table

if TYPE_CHECKING:
    from streams.services.brands import Row as BrandRow


def show_brands(rows: Sequence[BrandRow], *, as_json: bool) -> None:
    """Every brand."""
    if as_json:
        print_json([_brand_facts(row) for row in rows])
        return
    shown = table("name", "pictures", "background", "shadow", "fill", "palette", "file")
    for row in rows:
        facts = _brand_facts(row)
        file = "ships" if row.ships else str(row.file)
        if row.brand is None:
            shown.add_row(row.name, "", "", "", "", styled(row.wrong, "red"), file)
            continue
        palette = line(*(styled("■", swatch["color"]) for swatch in facts["palette"]))
        values = (str(facts[name] or "·") for name in ("background", "shadow", "fill"))
        shown.add_row(row.name, str(facts["pictures"]), *values, palette, file)
    console.show(shown)


def show_brand(row: BrandRow, *, as_json: bool) -> None:
    """A brand's colours, and the parameters of a packshot that is one of its own."""
    facts = _brand_facts(row)
    if as_json:
        print_json(facts)
        return
    ships = "ships" if row.ships else row.file
    console.say(styled(row.name, "bold"), f" of {facts['pictures']} pictures, {ships}")
    shown = table("", "", "share")
    for swatch in facts["palette"]:
        shown.add_row(styled("■■■", swatch["color"]), swatch["color"], f"{swatch['share']:.0%}")
    console.show(shown)
    for name, value in facts["parameters"].items():
        console.say(f"{name}  {value}")


def _brand_facts(row: BrandRow) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": row.name, "file": str(row.file), "ships": row.ships, "wrong": row.wrong}
    if row.brand is None:
        return facts
    brand = row.brand
    return {
        **facts,
        "pictures": brand.learned_from.count,
        "palette": [{"color": swatch.color, "share": swatch.share} for swatch in brand.palette],
        "background": brand.background,
        "shadow": None if brand.shadow is None else brand.shadow.mode,
        "fill": brand.fill,
        "lut": brand.lut,
        "parameters": row.parameters,
    }
