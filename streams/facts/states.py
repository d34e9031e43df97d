"""The states of an asset: which there are, and by which event an asset goes from which of them to which.

The repository of assets moves an asset by the name of an event alone, and holds to this table. An event may come late:
then the asset stays where later ones have brought it, and `stays` says in which states that is meant. In any other
state the event is illegal, and so is a state that is none of these: `IllegalTransition`, an answer like any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from streams.runtime.errors import Refused

AssetState = Literal["planned", "review", "publishing", "published", "failed", "rejected", "leaving"]
AssetEvent = Literal[
    "begun again",
    "judged good",
    "judged doubtful",
    "found live",
    "retold live",
    "published",
    "approved",
    "redone",
    "rejected",
    "rejected before",
    "undone",
    "retracted by a person",
    "not made",
    "not published",
    "broke a processor",
]

STATES: frozenset[AssetState] = frozenset(get_args(AssetState))
IN_PLAN = STATES - {"leaving"}
ENDED_BADLY: frozenset[AssetState] = frozenset({"failed", "rejected"})
ENDED = ENDED_BADLY | {"published"}
SETTLED = ENDED | {"review"}  # nothing moves it but a person, or what is newer
UNDER_WAY = STATES - SETTLED  # something of ours has to happen to it next
UNFINISHED: frozenset[AssetState] = frozenset({"planned", "failed"})  # a plan that is told again begins these anew
AWAITS_PUBLISHER: frozenset[AssetState] = frozenset({"publishing", "leaving"})  # to go live, or to be retracted
HELD: frozenset[AssetState] = frozenset({"review", "rejected"})  # the last word is not to publish it


class IllegalTransition(Refused):
    """An event that the table does not know in the asset's state."""

    def __init__(self, event: str, state: str, asset: str) -> None:
        super().__init__(
            "illegal_transition", f"{asset} is {state}, which {event!r} does not lead on from", field="state"
        )


@dataclass(frozen=True)
class Transition:
    """What an event does: it leads from `sources` to `target`; in the states of `stays` it comes late."""

    sources: frozenset[AssetState]
    target: AssetState
    why: str

    @property
    def stays(self) -> frozenset[AssetState]:
        """The states in which the event changes nothing."""
        return STATES - self.sources


TRANSITIONS: dict[AssetEvent, Transition] = {
    "begun again": Transition(ENDED_BADLY, "planned", "its product is planned anew: a replay, a new rule"),
    "judged good": Transition(IN_PLAN, "publishing", "the gates let its picture pass"),
    "judged doubtful": Transition(IN_PLAN, "review", "the gates want a person to look"),
    "found live": Transition(UNFINISHED, "published", "just this picture is live already"),
    "retold live": Transition(IN_PLAN, "published", "facts are made anew, and what was asked for is live already"),
    "published": Transition(IN_PLAN - HELD, "published", "the publisher announces it"),
    "approved": Transition(IN_PLAN, "publishing", "a person lets it pass"),
    "redone": Transition(IN_PLAN, "planned", "a person has it made again, otherwise"),
    "rejected": Transition(IN_PLAN, "rejected", "a person does not want it"),
    "rejected before": Transition(UNFINISHED, "rejected", "it came out just as a person rejected it"),
    "undone": Transition(IN_PLAN, "review", "a person takes the decision back"),
    "retracted by a person": Transition(IN_PLAN, "rejected", "a person takes it off the shop"),
    "not made": Transition(UNFINISHED, "failed", "its making failed, or something is lacking"),
    "not published": Transition(frozenset({"planned", "publishing"}), "failed", "the publisher cannot carry it out"),
    "broke a processor": Transition(IN_PLAN - {"published", "rejected"}, "failed", "its event is poison"),
}

# What the plan itself does, and the publisher to what is in no plan: an asset begins, leaves, is gone ("[*]").
PLANNING: tuple[tuple[str, str, str], ...] = (
    ("[*]", "planned", "planned"),
    *((state, "planned", "newer version") for state in sorted(IN_PLAN - {"planned"})),
    ("leaving", "planned", "planned again"),
    *((state, "leaving", "out of the plan, live") for state in sorted(IN_PLAN)),
    *((state, "[*]", "out of the plan, not live") for state in sorted(IN_PLAN)),
    ("leaving", "[*]", "retracted"),
)


def transition(event: AssetEvent) -> Transition:
    """What an event does. Raises IllegalTransition for one that nobody knows."""
    if event not in TRANSITIONS:
        raise IllegalTransition(event, "in any state", "an asset")
    return TRANSITIONS[event]


def diagram() -> str:
    """The table as Mermaid's text for a state diagram. What leads back to where it came from is left out."""
    edges: dict[tuple[str, str], list[str]] = {}
    for source, target, event in [*PLANNING, *_edges()]:
        if source != target:
            edges.setdefault((source, target), []).append(event)
    lines = [f"    {source} --> {target} : {', '.join(events)}" for (source, target), events in sorted(edges.items())]
    return "\n".join(["stateDiagram-v2", *lines])


def listing() -> str:
    """The table as Markdown: each event, from where it leads, where to, and what it is."""
    rows = [f"| {event} | {_named(each.sources)} | {each.target} | {each.why} |" for event, each in TRANSITIONS.items()]
    return "\n".join(["| event | from | to | what happened |", "|---|---|---|---|", *rows])


def _named(states: frozenset[AssetState]) -> str:
    return "any of the plan" if states == IN_PLAN else ", ".join(sorted(states))


def _edges() -> Iterator[tuple[str, str, str]]:
    for event, each in TRANSITIONS.items():
        yield from ((source, each.target, event) for source in sorted(each.sources))
