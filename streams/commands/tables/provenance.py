"""What `packshot provenance`, `disclosures` and `probe` show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.commands.tables import GOOD, WRONG
from streams.runtime.screen import console, print_json, styled, table

if TYPE_CHECKING:
    from streams.publishing.signing.reading import FileProvenance
    from streams.services.live.probing import Probed
    from streams.services.live.provenance import ExplainedAsset, RuleView

STATES = {
    "trusted": "it is as it was signed, by a key of this installation",
    "valid": "it is as it was signed, by who is not known here",
    "altered": "it was changed after it was signed",
    "unsigned": "it has no C2PA manifest",
    "unreadable": "its C2PA manifest cannot be read",
}


def show_provenance(found: FileProvenance, *, as_json: bool) -> None:
    """What a file says of itself."""
    if as_json:
        print_json(found)
        return
    good = found.state in ("trusted", "valid")
    console.say(GOOD if good else WRONG, f" {found.state}: {STATES[found.state]}")
    for name in ("signed_by", "software", "title", "photograph", "source_type", "statement"):
        if value := getattr(found, name):
            console.say(f"  {name.replace('_', ' ')}: {value}")
    for code in found.wrong:
        console.say(styled(f"  {code}", "yellow"))
    for number, each in enumerate(found.actions, start=1):
        parameters = ", ".join(f"{name.rpartition('.')[2]}={value}" for name, value in each.parameters.items())
        console.say(f"  {number}. {each.action} {each.description} {parameters}".rstrip())


def show_rules(rules: Sequence[RuleView], *, as_json: bool) -> None:
    """The rules that ship."""
    if as_json:
        print_json(rules)
        return
    shown = table("rule", "where", "kind", "since", "of pictures that are", "settled")
    for each in rules:
        shown.add_row(
            each.rule, each.jurisdiction, each.kind, each.since, ", ".join(each.made), "no" if each.unsettled else "yes"
        )
    console.show(shown)


def show_explained(assets: Sequence[ExplainedAsset], *, everything: bool, as_json: bool) -> None:
    """Assets, how they were made, and the rules that apply, in sentences."""
    if as_json:
        print_json(assets)
        return
    for asset in assets:
        console.say(styled(f"{asset.tenant} {asset.sku} {asset.asset}", "bold"))
        for sentence in asset.sentences:
            console.say(f"  {sentence}")
        applying = [each for each in asset.rules if each.applies]
        for each in asset.rules if everything else applying:
            fields = ", ".join(f"{name}={value}" for name, value in each.fields.items()) if each.applies else ""
            mark = styled(each.kind, "yellow") if each.applies else styled("no", "bright_black")
            console.say("  ", mark, f" {each.rule} ({each.jurisdiction}): {each.why} {fields}".rstrip())
        if not applying:
            console.say("  None of the rules that ship asks for anything to be told of it.")


def show_probed(found: Probed, *, as_json: bool) -> None:
    """What a probe saw."""
    if as_json:
        print_json(found)
        return
    if found.found:
        shown = table("sku", "asset", "drift", "seen", "url")
        for each in found.found:
            shown.add_row(each.sku, each.asset, each.drift, each.seen, each.url)
        console.show(shown)
    age = "no cache told an age" if found.age_s_max is None else f"ages up to {found.age_s_max} s"
    console.say(
        GOOD if not found.found else WRONG,
        f" {found.files} files of {found.assets} assets, {found.signed} with a signature that holds; "
        f"{len(found.found)} differences; latency {found.latency_ms_median:.0f} ms at the median, "
        f"{found.latency_ms_max:.0f} at most; {age}",
    )
