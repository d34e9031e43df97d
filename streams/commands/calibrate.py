"""`packshot calibrate`: limits that people's decisions speak for."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from streams.services.review.calibrating import Effect


@click.command()
@click.option("--from-decisions", is_flag=True, required=True, help="By what people decided, and said at second looks.")
@click.option("--channel", required=True, help="The channel whose limit it is.")
@click.option("--wrong-max", default=0.04, show_default=True, help="How much of what passes may be wrong, 0..1.")
@click.option("--weights", is_flag=True, help="Propose what speaks how much against a cutout, in place of the limit.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the channel's rules with it here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def calibrate(
    settings: Settings,
    from_decisions: bool,
    channel: str,
    wrong_max: float,
    weights: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Propose a channel's limit of doubt by what people decided, or the weights of the doubt.

    That is how doubtful a cutout may be that nobody looks at, or what speaks how much against one; the effect is told
    of decisions that it was not chosen on. Nothing changes until the rules that --out writes are released: `packshot
    channels release FILE`, which `packshot channels withdraw` takes back.
    """
    assert from_decisions
    if weights:
        _propose_weights(settings, channel, out, as_json)
        return
    from streams.services.reports.status import open_database
    from streams.services.review.calibrating import propose

    with open_database(settings) as database:
        found = propose(database, channel, wrong_max)
    if out is not None:
        out.write_text(found.text)
    if as_json:
        print_json(found)
        return
    console.say(f"{found.version}: chosen on {found.fitted} decisions; on {found.held_out} others")
    console.say(f"  now   {_described(found.now)}")
    console.say(f"  then  {_described(found.then)}")
    console.say("it passes more, or errs less" if found.is_better else "it is no better: leave the limit as it is")
    if out is not None:
        console.say(f"released by: packshot channels release {out}")


def _propose_weights(settings: Settings, channel: str, out: Path | None, as_json: bool) -> None:
    from streams.services.reports.status import open_database
    from streams.services.review import weighing

    with open_database(settings) as database:
        found = weighing.propose(database, channel)
    if out is not None:
        out.write_text(found.text)
    if as_json:
        print_json(found)
        return
    console.say(f"{found.version}: fitted on {found.fitted} decisions; on {found.held_out} others")
    console.say(f"  now   {_described(found.now)}")
    console.say(f"  then  {_described(found.then)}")
    console.say(
        "more passes, or less of that is wrong" if found.is_better else "they are no better: leave them as they are"
    )
    for name, weight in {"bias": found.bias, **found.weights}.items():
        console.say(f"  {name} = {weight:g}")
    if out is not None:
        console.say(f"released by: packshot channels release {out}")


def _described(effect: "Effect") -> str:
    wrong = f"{effect.wrong:.1%} of that wrong ({effect.wrong_from:.1%} – {effect.wrong_to:.1%})"
    return f"doubt ≤ {effect.limit:g}: {effect.passes:.0%} pass, {wrong}"
