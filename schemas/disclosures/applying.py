"""Which disclosure rules apply to a picture, and why: pure, from how it was made, its channel and the day.

Where a rule's reading is not settled, the careful one is told. Rules of every place are asked, for a picture on a CDN
is seen everywhere: a merchant who does not sell in a place leaves its duties out.
"""

import datetime
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from schemas import documents
from schemas.decoding import prepare
from schemas.disclosures.ledger import Ledger, ledger
from schemas.records import Duty, Name, Provenance
from schemas.text import whole

Made = Literal["captured", "enhanced", "enlarged", "rendered", "virtual_model", "generated_background", "generated"]
MADE: tuple[Made, ...] = get_args(Made)  # from the least of a machine on
Kind = Literal["mark", "label", "field"]
WORDS = {
    "captured": "the photograph's own product, on a ground of one colour or none",
    "enhanced": "the photograph's product with its light or colours corrected by arithmetic",
    "enlarged": "the photograph's product, enlarged by a network",
    "rendered": "a product in a scene, or a print on one, rendered without a network",
    "virtual_model": "a product on a virtual model, who does not exist, rendered without a network",
    "generated_background": "a real product in a picture that a network generated",
    "generated": "a picture that a network generated",
}
_PEOPLE = {
    None: "Nobody looked whether people are in it.",
    True: "People are seen in it.",
    False: "No people are in it.",
}
_NOBODY = "Who is seen in it is a virtual model: nobody has that body."
# IPTC's terms, by what they stand for here; a term that is not named is taken as `rendered`, which tells more.
_TERMS: dict[str, Made] = {
    "": "captured",
    "digitalCapture": "captured",
    "computationalCapture": "captured",
    "negativeFilm": "captured",
    "positiveFilm": "captured",
    "print": "captured",
    "minorHumanEdits": "captured",
    "humanEdits": "captured",
    "screenCapture": "captured",
    "algorithmicallyEnhanced": "enhanced",
    "compositeWithTrainedAlgorithmicMedia": "generated_background",
    "trainedAlgorithmicMedia": "generated",
}


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A duty to disclose what is in `made`; with `people`, only where somebody is seen in the picture, or may be.

    Of `channels` where some are named, else of all. `since` is the day from which it holds. `unsettled` says what is
    not clear about it; "" where nothing is known to be. `fields` may hold {source_type}, which is IPTC's term.
    """

    id: Name
    kind: Kind
    made: Annotated[tuple[Made, ...], Meta(min_length=1)]
    why: str
    since: datetime.date
    channels: tuple[Name, ...] = ()
    people: bool = False
    unsettled: str = ""
    fields: dict[str, str] = {}


class RuleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one jurisdiction or platform, with where they were found and on which day."""

    name: Name
    version: Annotated[str, Meta(pattern=whole(r"[0-9]{4}-[0-9]{2}(\.[0-9]{1,3})?"))]
    jurisdiction: str
    source: str
    found: datetime.date
    rules: tuple[Rule, ...]


class MadeAs(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture was made, as far as rules ask for it; `people` is None where nobody looked."""

    made: Made
    people: bool | None
    source_type: str
    ledger: Ledger


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A rule and a picture: whether it `applies`, and the sentence that argues it."""

    rule: str
    jurisdiction: str
    kind: Kind
    applies: bool
    unsettled: bool
    why: str
    source: str
    fields: dict[str, str]


@cache
def shipped() -> tuple[RuleFile, ...]:
    """The rules that ship, by file name."""
    folder = resources.files("schemas.disclosures") / "rules"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".yaml")), key=lambda each: each.name)
    return tuple(documents.decode(each.read_bytes(), RuleFile) for each in files)


def made_as(provenance: Provenance | None, models: Sequence[str]) -> MadeAs:
    """How a picture in which `models` took part was made, by its provenance where that was noted."""
    known, took = provenance or Provenance(), ledger(provenance, models)
    made = _TERMS.get(known.source_type, "rendered")
    if any(each.role == "enlarges" for each in took.took_part):
        made = max(made, "enlarged", key=MADE.index)
    if known.virtual:
        made = max(made, "virtual_model", key=MADE.index)
    if took.generative:
        made = max(made, "generated_background", key=MADE.index)
    return MadeAs(made=made, people=known.people, source_type=known.source_type, ledger=took)


def applied(made: MadeAs, channel: str, at_ms: int) -> list[Applied]:
    """Every rule that is asked of pictures on a channel at a Unix time in ms, those that do not apply with why not."""
    day = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).date()
    return [
        _applied(file, rule, made, day)
        for file in shipped()
        for rule in file.rules
        if not rule.channels or channel in rule.channels
    ]


def duties(made: MadeAs, channel: str, at_ms: int) -> list[Duty]:
    """What has to be told of a picture on a channel at a Unix time in ms."""
    return [
        Duty(rule=each.rule, kind=each.kind, unsettled=each.unsettled, fields=each.fields)
        for each in applied(made, channel, at_ms)
        if each.applies
    ]


def argued(made: MadeAs) -> Iterator[str]:
    """How a picture was made, in sentences."""
    yield f"It is {WORDS[made.made]}."
    term = made.source_type or "nothing"
    yield f"Its file says {term} of how it was made (IPTC DigitalSourceType)."
    for each in made.ledger.took_part:
        yield f"{each.model} {each.role} ({each.operation})."
    yield f"{made.ledger.statement[:1].upper()}{made.ledger.statement[1:]}."
    yield _PEOPLE[made.people] if made.made != "virtual_model" else _NOBODY


def _applied(file: RuleFile, rule: Rule, made: MadeAs, day: datetime.date) -> Applied:
    against = _against(rule, made, day)
    why = f"{rule.why}{f' Unsettled: {rule.unsettled}' if rule.unsettled and not against else ''}"
    return Applied(
        rule=f"{file.name}@{file.version}/{rule.id}",
        jurisdiction=file.jurisdiction,
        kind=rule.kind,
        applies=not against,
        unsettled=bool(rule.unsettled),
        why=why if not against else f"Not asked: {against}.",
        source=f"{file.source} (found {file.found})",
        fields={name: text.format(source_type=made.source_type) for name, text in rule.fields.items()},
    )


def _against(rule: Rule, made: MadeAs, day: datetime.date) -> str:
    """Why a rule does not apply; "" where it does. Where nobody looked for people, there may be some."""
    if made.made not in rule.made:
        return f"it is about {', '.join(each.replace('_', ' ') for each in rule.made)}, and this is {made.made}"
    if rule.people and made.people is False:
        return "it is about people, and none are in it"
    return f"it holds from {rule.since} on" if day < rule.since else ""


prepare(Rule, RuleFile, MadeAs, Applied)
