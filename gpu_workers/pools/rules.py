"""The channels' rules that a pool goes by."""

from schemas.channels.rulebook import SHIPPED, Rulebook
from streams.facts import Database


def rules_that_count(database: Database) -> Rulebook:
    """The channels' rules as the facts have them now. Pictures planned by older ones are made again by the flow."""
    with database.read() as facts:
        return facts.recipes.cookbook().rules


def shipped() -> Rulebook:
    return SHIPPED
