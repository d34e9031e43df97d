"""`packshot webhooks`: who is told of what was published, and how that went."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from streams.commands.groups import Group
from streams.commands.tables import moment
from streams.runtime.settings import Settings
from streams.services.reports.moments import Moment

if TYPE_CHECKING:
    from streams.services.integrations.webhook_views import WebhookDeliveryView, WebhookSecret

STATES = ("waiting", "behind", "delivered", "failed", "dropped")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
_endpoint = click.argument("name", metavar="ID")


@click.group("webhooks", cls=Group)
def group() -> None:
    """Webhooks: who is told of what was published, and how that went."""


@group.command()
@click.argument("url")
@click.option("--tenant", required=True, help="Whose events.")
@click.option("--events", default="", help="Which, with commas: asset.published,…; all when none is named.")
@click.option("--asymmetric", is_flag=True, help="Sign by Ed25519 (v1a), not by HMAC-SHA256 (v1).")
@_as_json
@click.pass_obj
def add(settings: Settings, url: str, tenant: str, events: str, asymmetric: bool, as_json: bool) -> None:
    """Have events of a tenant sent to URL; shows once what receivers verify them with."""
    from streams.services.integrations import webhooks as desk
    from streams.services.integrations.webhook_views import secret_view

    named = [each.strip() for each in events.split(",") if each.strip()]
    with desk.opened(settings) as webhooks:
        networks = settings.webhook_private_networks
        added = desk.add(webhooks, networks, tenant, url, named, "v1a" if asymmetric else "v1")
    _show_secret(secret_view(added.endpoint, added.secrets[0]), as_json)


@group.command("list")
@click.option("--tenant", help="Those of this tenant.")
@_as_json
@click.pass_obj
def webhooks_list(settings: Settings, tenant: str | None, as_json: bool) -> None:
    """Show the endpoints, and how many deliveries each has."""
    from streams.runtime.screen import console, print_json, table
    from streams.services.integrations import webhooks as desk
    from streams.services.integrations.webhook_views import webhook_view

    with desk.opened(settings) as webhooks:
        found = [webhook_view(*each) for each in desk.endpoints(webhooks, tenant)]
    if as_json:
        print_json(found)
        return
    shown = table("id", "tenant", "state", "url", "events", "waiting", "delivered", "failed")
    for each in found:
        columns, counts = (each.endpoint, each.tenant, each.state, each.url, ", ".join(each.events)), each.deliveries
        shown.add_row(*columns, str(_open(counts)), str(counts.get("delivered", 0)), str(counts.get("failed", 0)))
    console.show(shown) if found else console.say("nobody is told of anything")


@group.command()
@_endpoint
@_as_json
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show one endpoint; of its secrets only what is public, and until when they are valid."""
    from streams.runtime.screen import console, print_json
    from streams.services.integrations import webhooks as desk
    from streams.services.integrations.webhook_views import webhook_view

    with desk.opened(settings) as webhooks:
        found = webhook_view(*desk.endpoint(webhooks, name))
    if as_json:
        print_json(found)
        return
    for title, value in msgspec.to_builtins(found).items():
        console.say(f"{title:<18}", str(value))


@group.command()
@_endpoint
@click.option("--why", default="by hand", help="The reason, which is kept.")
@_as_json
@click.pass_obj
def pause(settings: Settings, name: str, why: str, as_json: bool) -> None:
    """Send nothing to an endpoint; what is to be sent waits."""
    from streams.services.integrations import webhooks as desk

    with desk.opened(settings) as webhooks:
        desk.set_state(webhooks, name, "paused", why)
    _say(f"{name} is paused; what is published meanwhile waits for it", {"paused": name}, as_json)


@group.command()
@_endpoint
@_as_json
@click.pass_obj
def resume(settings: Settings, name: str, as_json: bool) -> None:
    """Have an endpoint that was paused or disabled go on."""
    from streams.services.integrations import webhooks as desk

    with desk.opened(settings) as webhooks:
        desk.set_state(webhooks, name, "active", "")
    _say(f"{name} goes on", {"resumed": name}, as_json)


@group.command()
@_endpoint
@_as_json
@click.pass_obj
def remove(settings: Settings, name: str, as_json: bool) -> None:
    """Forget an endpoint and all its deliveries."""
    from streams.services.integrations import webhooks as desk

    with desk.opened(settings) as webhooks:
        desk.remove(webhooks, name)
    _say(f"{name} is removed", {"removed": name}, as_json)


@group.command()
@_endpoint
@click.option("--keep-hours", default=24.0, show_default=True, help="For how long the secret before signs as well.")
@_as_json
@click.pass_obj
def rotate(settings: Settings, name: str, keep_hours: float, as_json: bool) -> None:
    """Give an endpoint a new secret; both sign until the one before is over."""
    from streams.services.integrations import webhooks as desk
    from streams.services.integrations.webhook_views import secret_view

    with desk.opened(settings) as webhooks:
        new = desk.rotate(webhooks, name, keep_hours * 3600)
    _show_secret(secret_view(name, new), as_json)


@group.command()
@_endpoint
@click.option("--state", type=click.Choice(STATES), help="Those in this state.")
@click.option("--since", "since_ms", type=Moment(), help="Those noted then or later: a time, or 2h ago.")
@click.option("--limit", default=50, show_default=True, help="The most that are shown, the newest first.")
@_as_json
@click.pass_obj
def deliveries(
    settings: Settings, name: str, state: str | None, since_ms: int | None, limit: int, as_json: bool
) -> None:
    """Show what an endpoint was told, is to be told, and how each attempt went."""
    from streams.runtime.screen import print_json
    from streams.services.integrations import webhooks as desk
    from streams.services.integrations.webhook_views import delivery_view

    with desk.opened(settings) as webhooks:
        found = [delivery_view(each) for each in desk.deliveries(webhooks, name, state, since_ms, limit)]
    print_json(found) if as_json else _show_deliveries(found)


@group.command()
@_endpoint
@click.option("--since", "since_ms", type=Moment(), required=True, help="From when on: a time, or 2h ago.")
@click.option("--until", "until_ms", type=Moment(), help="Before when.")
@_as_json
@click.pass_obj
def replay(settings: Settings, name: str, since_ms: int, until_ms: int | None, as_json: bool) -> None:
    """Send what was published in a range of time once more, each with the id that it had."""
    from streams.services.integrations import webhooks as desk

    with desk.opened(settings) as webhooks:
        count = desk.replay(settings, webhooks, name, since_ms, until_ms)
    _say(f"{count} deliveries are to be sent again", {"endpoint": name, "sent_again": count}, as_json)


def _show_deliveries(found: "Sequence[WebhookDeliveryView]") -> None:
    from streams.runtime.screen import console, table

    shown = table("message", "state", "event", "sku", "noted", "tries", "due", "last answer")
    for each in found:
        last = each.log[-1] if each.log else None
        if each.state == "dropped":
            shown.add_row(
                "", each.state, "", "", moment(each.created_at_ms), str(each.tries), "", "the endpoint was full"
            )
            continue
        answer = "" if last is None else f"{last.status or ''} {last.reason}".strip()[:80]
        due = moment(each.due_at_ms) if each.state == "waiting" else ""
        cells = (each.message, each.state, each.type, each.sku, moment(each.created_at_ms), str(each.tries), due)
        shown.add_row(*cells, answer)
    console.show(shown) if found else console.say("nothing")


def _show_secret(made: "WebhookSecret", as_json: bool) -> None:
    from streams.runtime.screen import console, print_json

    if as_json:
        print_json(made)
        return
    console.say(f"endpoint  {made.endpoint}")
    console.say(f"secret    {made.secret}")
    console.say("Receivers verify with it; it is not shown again.")


def _open(counts: Mapping[str, int]) -> int:
    return counts.get("waiting", 0) + counts.get("behind", 0)


def _say(text: str, facts: dict[str, Any], as_json: bool) -> None:
    from streams.runtime.screen import console, print_json

    print_json(facts) if as_json else console.say(text)
