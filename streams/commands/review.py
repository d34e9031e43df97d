"""`packshot review`: a person's decisions on doubtful assets."""

from typing import Any

import click

from streams.commands.options import parameters
from streams.runtime.screen import console, print_json
from streams.runtime.settings import Settings


@click.group()
def review() -> None:
    """A person's decisions on doubtful assets."""


@review.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are decided, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.pass_obj
def review_list(settings: Settings, everything: bool, as_json: bool) -> None:
    """Show the assets that wait for a decision."""
    from streams.commands.tables.review import show_reviews
    from streams.services.status import open_database

    with open_database(settings) as database, database.read() as facts:
        show_reviews(facts.reviews.every(pending=not everything), as_json=as_json)


@review.command()
@click.argument("review_id", metavar="ID")
@click.option("--why", default="", help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who decides; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def approve(settings: Settings, review_id: str, why: str, decided_by: str, as_json: bool) -> None:
    """Let an asset go live. ID may be shortened to its first digits."""
    _decide(settings, review_id, as_json, approved=True, reason=why, decided_by=decided_by)


@review.command()
@click.argument("review_id", metavar="ID")
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who decides; by default the user's name.")
@click.option("--redo", is_flag=True, help="Make the asset again, with the parameters given by --set.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter for --redo.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def reject(
    settings: Settings, review_id: str, why: str, decided_by: str, redo: bool, pairs: tuple[str, ...], as_json: bool
) -> None:
    """Keep an asset from going live. ID may be shortened to its first digits."""
    if pairs and not redo:
        raise click.UsageError("--set is for --redo")
    _decide(
        settings,
        review_id,
        as_json,
        approved=False,
        reason=why,
        decided_by=decided_by,
        redo=redo,
        parameters=parameters(pairs),
    )


@review.command()
@click.argument("review_id", metavar="ID")
@click.option("--why", required=True, help="The reason, which is kept.")
@click.option("--by", "decided_by", default="", envvar="USER", help="Who takes it back; by default the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_obj
def undo(settings: Settings, review_id: str, why: str, decided_by: str, as_json: bool) -> None:
    """Take a decision back: what went live by it goes, and the asset waits for a decision again."""
    from streams.services import local

    event = local.undo(settings, review_id, why, decided_by)
    if as_json:
        print_json(event)
        return
    taken = "approval" if event.decision.approved else "rejection"
    console.say(f"the {taken} of {event.decision.review_id[:12]} is taken back ({event.tenant} {event.sku})")


def _decide(settings: Settings, review_id: str, as_json: bool, **decision: Any) -> None:
    from streams.services import local

    event = local.decide(settings, review_id, **decision)
    if as_json:
        print_json(event)
        return
    console.say(f"{'approved' if event.approved else 'rejected'} {event.review_id[:12]} ({event.tenant} {event.sku})")
