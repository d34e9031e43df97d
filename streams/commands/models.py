"""`packshot models`: the networks, how they are released, and how they are made faster."""

import sys
from pathlib import Path
from typing import Any

import click

from schemas.records import LANES
from streams.commands.groups import Group
from streams.runtime.exits import Exit
from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Percent(click.ParamType):
    """A share of products, as 10 or 10%."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share, 0..1."""
        try:
            share = float(str(value).rstrip("%")) / 100
        except ValueError:
            self.fail(f"{value!r} is no percentage", param, ctx)
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is not between 0 and 100 %", param, ctx)
        return share


@click.group(cls=Group)
def models() -> None:
    """Networks: which there are, and which of them works. MODEL is NAME@VERSION."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def models_list(settings: Settings, as_json: bool) -> None:
    """Show every model, where it stands, and what became of its work."""
    from streams.commands.tables.models import show_models
    from streams.services.releases import models as desk

    show_models(desk.overview(settings), as_json=as_json)


@models.command()
@click.argument("refs", metavar="[MODEL]…", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def verify(settings: Settings, refs: tuple[str, ...], as_json: bool) -> None:
    """Check models: their digests, their graphs, and that every engine that runs here gives the same masks."""
    from streams.commands.tables.models import show_verified
    from streams.services.releases import models as desk

    found = desk.verify(settings, refs)
    show_verified(found, as_json=as_json)
    sys.exit(Exit.FOUND if any(each.error for each in found) else Exit.OK)


@models.command()
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", default="", envvar="USER", help="Who adds it; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def add(settings: Settings, manifest: Path, by: str, as_json: bool) -> None:
    """Add a model of your own: a manifest, with the ONNX file that it names beside it."""
    from streams.services.releases import models as desk

    added = desk.add(settings, manifest, by)
    if as_json:
        print_json(added)
        return
    console.say(f"added {added.added}{_if_not(added.noted)}")


@models.command()
@click.argument("ref", metavar="MODEL")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def build(settings: Settings, ref: str, as_json: bool) -> None:
    """Make a model ready for this machine's engine ahead of its first task, and say how fast it is."""
    from streams.commands.tables.models import show_built
    from streams.services.releases import models as desk

    show_built(desk.build(settings, ref), as_json=as_json)


@models.command()
@click.argument("ref", metavar="MODEL")
@click.option("--canary", type=Percent(), help="Let it work for this share of the products.")
@click.option(
    "--shadow", type=Percent(), help="Let it work beside the stable one on this share, compared and not used."
)
@click.option("--tenant", "tenants", multiple=True, help="For a canary or shadow, all of this tenant's products, too.")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", default="", envvar="USER", help="Who releases it; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def release(
    settings: Settings,
    ref: str,
    canary: float | None,
    shadow: float | None,
    tenants: tuple[str, ...],
    why: str,
    by: str,
    as_json: bool,
) -> None:
    """Let a model work: for all products or, on trial, for some. A trial ends when a model is released for all."""
    from streams.services.releases import models as desk

    if canary is not None and shadow is not None:
        raise click.UsageError("a model is either a canary or a shadow")
    if tenants and canary is None and shadow is None:
        raise click.UsageError("--tenant is for --canary (a share of 0 is for tenants alone) or --shadow")
    stage = "canary" if canary is not None else "shadow" if shadow is not None else "stable"
    share = canary if canary is not None else shadow if shadow is not None else 1.0
    released = desk.release(settings, ref, stage, share, tenants, why, by)  # type: ignore[arg-type]
    if as_json:
        print_json(released)
        return
    console.say(f"{ref} is {stage}{_if_not(released.noted)}")


@models.command()
@click.argument("ref", metavar="[MODEL]", required=False)
@click.option("--recall", is_flag=True, help="Make again every product with an asset that it made.")
@click.option("--lane", type=click.Choice(LANES), default="standard", show_default=True, help="How urgent that is.")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", default="", envvar="USER", help="Who does it; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def rollback(settings: Settings, ref: str | None, recall: bool, lane: Any, why: str, by: str, as_json: bool) -> None:
    """Withdraw a model: by default the canary, else the stable one. The one that was stable before works again."""
    from streams.services.releases import models as desk

    gone = desk.rollback(settings, ref, recall, lane, why, by)
    if as_json:
        print_json(gone)
        return
    again = f"; {len(gone.products)} products are made again" if recall else ""
    console.say(f"{gone.withdrawn} is withdrawn, {gone.works} works{again}")


@models.command()
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--photographs", type=FOLDER, required=True, help="A folder as the sample catalogue: pictures and truth.")
@click.option("--steps", type=click.IntRange(min=1), help="How long it is taught; unset, as the one that ships was.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the comparison, JSON.")
@click.pass_obj
def distill(settings: Settings, target: Path, photographs: Path, steps: int | None, report: Path | None) -> None:
    """Teach a faster network what u2netp@1 sees, and say how near it comes. Needs `pip install packshot[distill]`."""
    from streams.services.releases import models as desk

    _report(desk.distill(settings, photographs, target, steps), report)


@models.command()
@click.argument("ref", metavar="MODEL")
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", "precision", type=click.Choice(["fp16", "int8"]), required=True, help="Its numbers.")
@click.option("--photographs", type=FOLDER, required=True, help="A folder as the sample catalogue: pictures and truth.")
@click.option("--leave-out", multiple=True, metavar="LAYER", help="A convolution that stays in float32, for int8.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the comparison, JSON.")
@click.pass_obj
def quantize(
    settings: Settings,
    ref: str,
    target: Path,
    precision: str,
    photographs: Path,
    leave_out: tuple[str, ...],
    report: Path | None,
) -> None:
    """Write a model with smaller numbers, explicit in the graph, and say what that costs in quality."""
    from streams.services.releases import models as desk

    _report(desk.quantize(settings, ref, target, precision, photographs, leave_out), report)


def _report(compared: Any, report: Path | None) -> None:
    from gpu_workers.distillation.comparing import as_json, as_table

    console.show(as_table(compared))
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_bytes(as_json(compared))


def _if_not(is_noted: bool) -> str:
    return "" if is_noted else "; it counts as soon as the streams role has read it"
