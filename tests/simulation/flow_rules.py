"""An operator of the flow's simulation: what speaks how much against a cutout is released, as a channel's rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas import codec, topics, uncertainty
from schemas.channels.rulebook import parse
from schemas.records import ChannelReleased, Event, TaskFailed
from streams.services.releases.channels import _shipped
from streams.services.review.weighing import _with_weights
from tests.simulation.broker import Violation

if TYPE_CHECKING:
    from tests.simulation.flow_world import FlowWorld

CHANNEL = "amazon"
JUDGED = ("published", "review")


def release(world: FlowWorld) -> None:
    """The weights of a channel become others than they were."""
    known = _newest(world)
    text = _shipped(CHANNEL) if known is None else known.text
    weights = replace(uncertainty.SHIPPED, bias=round(world.rng.uniform(-7, -6), 2))
    text = _with_weights(text, parse(text).version, weights)
    number = parse(text).number
    world.say(ChannelReleased(channel=CHANNEL, version=number, text=text, released_at_ms=world.now_ms))


def check(world: FlowWorld) -> None:
    """The newest weights count, and what waits or is live was judged by the rules that they are in.

    But for products of which something could not be made anew: what is live of them stays.
    """
    newest = _newest(world)
    if newest is None:
        return
    wanted = parse(newest.text)
    with world.database.read() as facts:
        counting = facts.recipes.cookbook().rules.load(CHANNEL)
        judged = [each for each in facts.assets.every() if each.channel == CHANNEL and each.state in JUDGED]
    others = {each.task.sku for each in decoded(world, topics.COMPLETED.name) if isinstance(each, TaskFailed)}
    if counting.uncertainty_weights != wanted.uncertainty_weights:
        raise Violation(f"{counting.rule_version} counts, and {wanted.rule_version} was released")
    for asset in (each for each in judged if each.sku not in others):
        if asset.verdict is None or not asset.verdict.rules.endswith(wanted.rule_version):
            rules = None if asset.verdict is None else asset.verdict.rules
            raise Violation(f"{asset.sku} {asset.asset} is {asset.state} by {rules}, not by {wanted.rule_version}")


def _newest(world: FlowWorld) -> ChannelReleased | None:
    events = decoded(world, topics.RECIPES.name)
    return max((each for each in events if isinstance(each, ChannelReleased)), key=lambda it: it.version, default=None)


def decoded(world: FlowWorld, topic: str) -> Iterator[Event]:
    """The events of a topic, without what somebody wrote that is none."""
    for record in world.on(topic):
        with suppress(codec.WireError):
            yield codec.decode(record.value)
