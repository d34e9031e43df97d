"""What `packshot recipes` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from streams.commands.tables import moment
from streams.runtime.screen import console, errors, print_json, styled, table

if TYPE_CHECKING:
    from streams.services.recipes import Checked, ShownStep
    from streams.services.recipes import Row as RecipeRow


def show_recipes(rows: Sequence[RecipeRow], *, as_json: bool) -> None:
    """Every recipe and all defaults."""
    if as_json:
        print_json([_recipe_facts(row) for row in rows])
        return
    shown = table("name", "version", "", "operations", "released")
    for row in rows:
        released = "ships" if row.release is None else f"{moment(row.release.released_at_ms)} {row.release.released_by}"
        operations = styled(row.wrong, "red") if row.wrong else ", ".join(row.operations)
        shown.add_row(row.name, str(row.version), row.kind, operations, released)
    console.show(shown)


def show_recipe(ref: str, steps: Sequence[ShownStep], *, as_json: bool) -> None:
    """A recipe's steps as they would be used."""
    if as_json:
        print_json({"recipe": ref, "steps": [_step_facts(step) for step in steps]})
        return
    console.say(styled(ref, "bold"))
    shown = table("step", "channel", "asset", "parameter", "value", "said by")
    for step in steps:
        place = "  " * step.depth + step.operation, step.channel, step.asset
        for number, (name, (value, origin)) in enumerate(step.parameters.items()):
            shown.add_row(*(place if number == 0 else ("", "", "")), name, value, origin)
        if not step.parameters:
            shown.add_row(*place, "", "", "")
    console.show(shown)


def show_checked(checked: Sequence[Checked], *, as_json: bool) -> None:
    """What is wrong with each file of recipes or rules, or what it holds."""
    if as_json:
        print_json([{"file": str(each.file), "ref": each.ref, "wrong": "\n".join(each.wrong)} for each in checked])
        return
    for each in checked:
        for wrong in each.wrong:
            errors.say(wrong)
        if not each.wrong:
            console.say(f"{each.file}: {each.ref} is good")


def show_released(
    ref: str, products: Sequence[tuple[str, str]], *, dry_run: bool, is_noted: bool, as_json: bool
) -> None:
    """What `packshot recipes release` did, or would do."""
    if as_json:
        print_json(released_facts(ref, products, is_noted, dry_run))
        return
    for tenant, sku in products if dry_run else ():
        console.say(f"{tenant} {sku}")
    count = f"{len(products)} products {'would be' if dry_run else 'are'} made again"
    late = "" if dry_run or is_noted else "; it counts as soon as the streams role has read it"
    console.say(f"{ref}: {count}" if dry_run else f"{ref} is released, {count}{late}")


def released_facts(ref: str, products: Sequence[tuple[str, str]], is_noted: bool, dry_run: bool) -> dict[str, object]:
    """A release as JSON tells of it."""
    made_again = [{"tenant": tenant, "sku": sku} for tenant, sku in products]
    return {"released": ref, "dry_run": dry_run, "noted": is_noted, "products": made_again}


def _recipe_facts(row: RecipeRow) -> dict[str, Any]:
    facts = {"name": row.name, "kind": row.kind, "version": row.version, "operations": row.operations}
    return {**facts, "wrong": row.wrong, "release": row.release}


def _step_facts(step: ShownStep) -> dict[str, Any]:
    parameters = {name: {"value": value, "said_by": origin} for name, (value, origin) in step.parameters.items()}
    return {**asdict(step), "parameters": parameters}
