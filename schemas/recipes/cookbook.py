"""The cookbook: the recipes that count and the tenants' defaults, and what they make of a product. Pure.

Of each parameter the first of these that says something decides:

1. the channel, where it demands its own ground: then neither a ground nor a shadow is anybody else's to choose
2. the recipe
3. the tenant's defaults for the channel
4. the tenant's defaults for all channels
5. the channel's rules, as far as the operation heeds them
6. the operation's own default

The first four are written into the steps, the last two are the operation's to look up; the gates judge what comes out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Literal, TypeVar

import msgspec

from schemas import channels, policies, recipes
from schemas.channels.rulebook import SHIPPED, Rulebook
from schemas.operations import OPERATIONS
from schemas.policies import Policy
from schemas.recipes import Defaults, Recipe, RecipeStep, UnknownRecipe
from schemas.recipes.checking import allows
from schemas.recipes.reading import BadRecipe, parse_defaults, parse_recipe
from schemas.records import ChannelReleased, DefaultsReleased, PolicyReleased, RecipeReleased, Step

Release = RecipeReleased | DefaultsReleased | ChannelReleased | PolicyReleased
T = TypeVar("T")
Origin = Literal["recipe", "tenant", "channel", "operation"]


@dataclass(frozen=True, eq=False)
class Cookbook:
    """Recipes by name, defaults by tenant, the channels' rules that they are held against, and what is released of
    rules about texts, as YAML.

    In the place of a recipe that today's rules refuse is what they say.
    """

    recipes: Mapping[str, Recipe | BadRecipe]
    defaults: Mapping[str, Defaults | BadRecipe] = field(default_factory=dict)
    rules: Rulebook = SHIPPED
    texts: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        """The rules about texts that count. Raises BadPolicy."""
        return policies.released(self.texts)

    def recipe(self, name: str) -> Recipe:
        """The recipe called `name`. Raises UnknownRecipe, BadRecipe."""
        if name not in self.recipes:
            raise UnknownRecipe(f"no recipe is called {name!r}; there are: {', '.join(sorted(self.recipes))}")
        found = self.recipes[name]
        if isinstance(found, BadRecipe):
            raise found
        return found

    def defaults_of(self, tenant: str) -> Defaults | None:
        """A tenant's defaults. Raises BadRecipe."""
        found = self.defaults.get(tenant)
        if isinstance(found, BadRecipe):
            raise found
        return found

    def slips(self, name: str, tenant: str, wanted: Sequence[str], campaign: str | None, number: int) -> list[Step]:
        """The routing slips of a product's source, `number` being its place from 1: the recipe's steps, assets named.

        An asset is called `channel-number`, behind `campaign.` for a campaign's and before `.asset` where the recipe
        names it. A channel that the recipe names itself gets what is made for it there in the place of what is made
        for each. Raises UnknownRecipe, BadRecipe.
        """
        steps = self.recipe(name).steps
        own, prefix = own_channels(steps), f"{campaign}." if campaign else ""

        def drawn(step: RecipeStep, above: str | None) -> list[Step]:
            made = [
                Step(
                    operation=step.operation,
                    asset=asset_of(step, channel, prefix, number),
                    channel=channel,
                    parameters={name: value for name, (value, _) in self.parameters(step, tenant, channel).items()},
                    next=[slip for following in step.next for slip in drawn(following, channel)],
                )
                for channel in channels_of(step, wanted, above, own, self.rules)
            ]
            return [slip for slip in made if recipes.assets(slip)]

        return [slip for step in steps for slip in drawn(step, None)]

    def parameters(self, step: RecipeStep, tenant: str, channel: str | None) -> dict[str, tuple[str, Origin]]:
        """What is written into a step for a tenant and channel, and who says so."""
        mine = self.defaults_of(tenant)
        defaults = {} if mine is None else mine.of(step.operation, channel)
        chosen: dict[str, tuple[str, Origin]] = {name: (value, "tenant") for name, value in defaults.items()}
        chosen |= {name: (value, "recipe") for name, value in step.parameters.items()}
        if channel is not None and self.rules.load(channel).background_required:
            return {name: each for name, each in chosen.items() if not name.startswith(("background.", "shadow."))}
        return chosen


def filled(
    operation: str, chosen: Mapping[str, tuple[str, Origin]], channel: str | None, rulebook: Rulebook = SHIPPED
) -> dict[str, tuple[str, Origin]]:
    """All that a step goes by: what is written into it, what the channel's rules add, and the operation's defaults."""
    complete = dict(chosen)
    rules = {} if channel is None else _of_channel(channel, rulebook)
    for each in msgspec.structs.fields(OPERATIONS[operation].parameters):
        if each.encode_name in chosen:
            continue
        if each.default not in (None, msgspec.NODEFAULT):
            complete[each.encode_name] = (_written(each.default), "operation")
        elif each.encode_name in rules:
            complete[each.encode_name] = (rules[each.encode_name], "channel")
    return complete


@cache
def shipped() -> Cookbook:
    """The recipes that ship, and no defaults."""
    texts = {name: recipes.text_of(name) for name in recipes.names()}
    return Cookbook({name: parse_recipe(text, f"{name}.yaml") for name, text in texts.items()})


def with_releases(releases: Iterable[Release]) -> Cookbook:
    """What ships and what was released, of each its newest version; of one version that which was released."""
    return _with(tuple(sorted((type(each).__name__, name_of(each), each.version, each.text) for each in releases)))


@lru_cache(64)
def _with(releases: tuple[tuple[str, str, int, str], ...]) -> Cookbook:
    """From kind, name, version and text in order; the same releases give the same cookbook, slips and all."""
    rules = _rules(releases)
    found, defaults = dict(_shipped_by(rules)), dict(shipped().defaults)
    for kind, name, version, text in releases:
        if kind == DefaultsReleased.__name__:
            defaults[name] = _read(parse_defaults, text, name, rules)
        elif kind == RecipeReleased.__name__ and version >= shipped_version(RecipeReleased, name):
            found[name] = _read(parse_recipe, text, name, rules)
    return Cookbook(found, defaults, rules, _texts(releases))


def _rules(releases: Iterable[tuple[str, str, int, str]]) -> Rulebook:
    mine = (each for each in releases if each[0] == ChannelReleased.__name__)
    released = {name: text for _, name, version, text in mine if version >= shipped_version(ChannelReleased, name)}
    return Rulebook(released) if released else SHIPPED


def _texts(releases: Iterable[tuple[str, str, int, str]]) -> tuple[str, ...]:
    mine = (each for each in releases if each[0] == PolicyReleased.__name__)
    newest = {name: text for _, name, version, text in mine if version >= shipped_version(PolicyReleased, name)}
    return tuple(newest.values())


def _shipped_by(rules: Rulebook) -> Mapping[str, Recipe | BadRecipe]:
    """The recipes that ship, held against the rules that count."""
    if rules is SHIPPED:
        return shipped().recipes
    return {name: _read(parse_recipe, recipes.text_of(name), f"{name}.yaml", rules) for name in recipes.names()}


def _read(parse: Callable[[str, str, Rulebook], T], text: str, name: str, rules: Rulebook) -> T | BadRecipe:
    try:
        return parse(text, name, rules)
    except BadRecipe as error:
        return error


def shipped_version(kind: type[Release], name: str) -> int:
    """The version that ships of a recipe or a channel's rules; 0 for what does not ship."""
    if kind is RecipeReleased and name in recipes.names():
        return shipped().recipe(name).version
    if kind is ChannelReleased and name in channels.names():
        return channels.load(name).number
    if kind is PolicyReleased:
        return next((each.number for each in policies.shipped().files if each.name == name), 0)
    return 0


def name_of(release: Release) -> str:
    """The recipe, the channel, the file of rules, or the tenant of the defaults."""
    match release:
        case RecipeReleased():
            return release.recipe
        case ChannelReleased():
            return release.channel
        case PolicyReleased():
            return release.policy
        case _:
            return release.tenant


def own_channels(steps: Sequence[RecipeStep]) -> set[tuple[str | None, str]]:
    """The channels that a recipe names itself, each with the asset's name there."""
    own = {(step.asset, channel) for step in steps for channel in (*step.channels, step.channel) if channel is not None}
    return own.union(*(own_channels(step.next) for step in steps))


def channels_of(
    step: RecipeStep,
    wanted: Sequence[str],
    above: str | None,
    own: Collection[tuple[str | None, str]],
    rules: Rulebook,
) -> list[str | None]:
    """The channels that a step works for; `above` is that of the step before it, `own` are the recipe's own."""
    if step.channels:
        return [channel for channel in wanted if channel in step.channels]
    if not step.each:
        is_allowed = step.channel or above is None or allows(rules, above, step.operation)
        return [step.channel or above] if is_allowed else []
    others = [channel for channel in wanted if (step.asset, channel) not in own]
    return [channel for channel in others if allows(rules, channel, step.operation)]


def asset_of(step: RecipeStep, channel: str | None, prefix: str, number: int) -> str | None:
    """The name of the asset that a step makes for a channel, if it makes one."""
    if channel is None or (step.next and step.asset is None):
        return None
    return f"{prefix}{channel}-{number}" + (f".{step.asset}" if step.asset else "")


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_channel(name: str, rulebook: Rulebook) -> dict[str, str]:
    """A channel's rules in the words of parameters."""
    rules = rulebook.load(name)
    return {
        "background.color": rules.background or "transparent",
        "shadow.mode": rules.shadow,
        "padding": f"{(1 - rules.fill.target) / 2:.4g}",
        "outputSize": f"{rules.canvas.width_px}x{rules.canvas.height_px}",
    }
