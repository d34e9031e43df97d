"""The channels' rules, as an order on this machine asks for them."""

from collections.abc import Mapping

from gpu_workers.pools import rules
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel, Rulebook
from schemas.records import Step
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings


def channel_name(operation: str, name: str | None) -> str | None:
    return name or ("web" if operation == "transparent" else None)


def step_of(operation: str, channel: str | None, parameters: Mapping[str, str]) -> Step:
    return Step(operation=operation, channel=channel_name(operation, channel), parameters=dict(parameters))


def channel_of(operation: str, name: str | None, category: str, rules: Rulebook) -> Channel:
    name = channel_name(operation, name)
    if name is None:
        raise Refused("missing_channel", f"{operation} needs --channel", field="channel")
    try:
        return rules.load(name, category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="channel") from error


def rules_that_count(settings: Settings) -> Rulebook:
    database = Database(settings.database)
    try:
        database.create_tables()
        return rules.rules_that_count(database)
    finally:
        database.close()
