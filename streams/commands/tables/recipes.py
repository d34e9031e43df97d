"""What `packshot recipes` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import moment
from streams.runtime.screen import console, errors, print_json, styled, table

if TYPE_CHECKING:
    from streams.services.releases.recipes import Checked, Released, ShownRecipe
    from streams.services.releases.recipes import Row as RecipeRow


def show_recipes(rows: Sequence[RecipeRow], *, as_json: bool) -> None:
    """Every recipe and all defaults."""
    if as_json:
        print_json(rows)
        return
    shown = table("name", "version", "", "operations", "released")
    for row in rows:
        released = "ships" if row.release is None else f"{moment(row.release.released_at_ms)} {row.release.released_by}"
        operations = styled(row.wrong, "red") if row.wrong else ", ".join(row.operations)
        shown.add_row(row.name, str(row.version), row.kind, operations, released)
    console.show(shown)


def show_recipe(recipe: ShownRecipe, *, as_json: bool) -> None:
    """A recipe's steps as they would be used."""
    if as_json:
        print_json(recipe)
        return
    console.say(styled(recipe.recipe, "bold"))
    shown = table("step", "channel", "asset", "parameter", "value", "said by")
    for step in recipe.steps:
        place = "  " * step.depth + step.operation, step.channel, step.asset
        for number, (name, parameter) in enumerate(step.parameters.items()):
            shown.add_row(*(place if number == 0 else ("", "", "")), name, parameter.value, parameter.said_by)
        if not step.parameters:
            shown.add_row(*place, "", "", "")
    console.show(shown)


def show_checked(checked: Sequence[Checked], *, as_json: bool) -> None:
    """What is wrong with each file of recipes or rules, or what it holds."""
    if as_json:
        from streams.services.releases.recipes import checked_view

        print_json([checked_view(each) for each in checked])
        return
    for each in checked:
        for wrong in each.wrong:
            errors.say(wrong)
        if not each.wrong:
            console.say(f"{each.file}: {each.ref} is good")


def show_released(release: Released, *, as_json: bool) -> None:
    """What `packshot recipes release` did, or would do."""
    if as_json:
        print_json(release)
        return
    for each in release.products if release.dry_run else ():
        console.say(f"{each.tenant} {each.sku}")
    count = f"{len(release.products)} products {'would be' if release.dry_run else 'are'} made again"
    late = "" if release.noted else "; it counts as soon as the streams role has read it"
    console.say(f"{release.released}: {count}" if release.dry_run else f"{release.released} is released, {count}{late}")
