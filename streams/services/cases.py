"""Review cases: what waits for a person, by its cause, and what people do about it. For pages, routes and commands.

A case is a product × a source × what is in doubt of it. A decision on it counts for all assets that wait for it: those
that wait for nothing else go live at once, or end. Everything here is one tenant's, but where `tenant` is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from schemas.decoding import prepare
from schemas.records import (
    Blob,
    CheckOutcome,
    DecisionUndone,
    Name,
    Parameters,
    ReviewDecided,
    Source,
    Text,
    VerdictOutcome,
)
from schemas.retouching import Retouch
from streams.facts import Database
from streams.flow.relay import Sender
from streams.runtime.settings import Settings
from streams.services.views import View

CLAIMED_FOR_S = 60  # a heartbeat every 20 s keeps a claim; who is gone for a minute has none
About = Literal["cutout", "people", "product", "text", "colour", "light", "style", "policy", "channel"]
CaseState = Literal["waiting", "approved", "rejected", "redone", "superseded"]


@dataclass(frozen=True)
class Wanted:
    """Which cases are meant: those that fit everything given. `check` is a check's name, `older_than_s` an age."""

    tenant: str | None = None
    sku: str | None = None
    about: str | None = None
    channel: str | None = None
    check: str | None = None
    category: str | None = None
    older_than_s: float | None = None


class PictureView(View, frozen=True, kw_only=True):
    """Pixels in the blob store: `streams.blobs.Blobs.get(digest)`."""

    role: str
    digest: str
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int


class CaseCheck(View, frozen=True, kw_only=True):
    """A line of a verdict: `measured` in `unit` against `limit` ("≤ 0.25") of `rule`. `about` is the doubt that it is
    part of."""

    point: str
    name: str
    outcome: CheckOutcome
    measured: float | None
    limit: str
    rule: str
    unit: str
    about: str


class CaseAsset(View, frozen=True, kw_only=True):
    """An asset of a case, and the checks on it, the worst of this case's first.

    `also_in` are the other cases that it waits for: a decision on this one alone does not release it.
    """

    review_id: str
    asset: str
    channel: str
    campaign: str | None
    version: int
    state: str
    reason: str
    outcome: VerdictOutcome
    picture: PictureView
    checks: Sequence[CaseCheck]
    also_in: Sequence[str]
    deadline_ms: int | None
    since_ms: int


class CaseSummary(View, frozen=True, kw_only=True):
    """A case in a list. `why` is its worst check in words, `again` why what was decided before does not hold.

    `waiting` assets wait for it, of which `releases` wait for nothing else. `cutout` is None where the product's own
    file is what is in doubt.
    """

    case_id: str
    tenant: str
    sku: str
    title: str
    category: str
    about: About
    state: CaseState
    why: str
    again: str
    checks: Sequence[str]
    channels: Sequence[str]
    waiting: int
    releases: int
    deadline_ms: int | None
    since_ms: int
    source: Source | None
    cutout: PictureView | None
    picture: PictureView
    claimed_by: str | None
    claimed_until_ms: int | None


class CasePage(View, frozen=True, kw_only=True):
    """Cases by deadline, then age; `next` is the cursor of the next page, with the same filters."""

    items: Sequence[CaseSummary]
    next: str | None


class StepView(View, frozen=True, kw_only=True):
    """A step that may be redone: its parameters as they are, and all that it takes, with their types in words."""

    operation: str
    parameters: Parameters
    takes: dict[str, str]


class RetouchView(View, frozen=True, kw_only=True):
    """How a source's cutout is retouched now; `retouch` is the digest of the strokes' blob."""

    version: int
    source: Source
    parameters: Parameters
    retouch: str | None
    reason: str
    decided_by: str


class CaseView(View, frozen=True, kw_only=True):
    """One case with its assets, the failing check first.

    `version` is the place of the newest word on it, 0 for none; `decision` the one that stands. `steps` are those that
    may be redone, the cutout's first; `claim` whose it is now.
    """

    summary: CaseSummary
    checks: Sequence[CaseCheck]
    assets: Sequence[CaseAsset]
    steps: Sequence[StepView]
    version: int
    decision: ReviewDecided | None
    retouch: RetouchView | None
    claim: "ClaimView | None"


class ClaimView(View, frozen=True, kw_only=True):
    """A case that is `holder`'s until `until_ms`, Unix time; `epoch` tells it from every other claim on the case."""

    case_id: str
    holder: str
    epoch: int
    until_ms: int


class Claimed(View, frozen=True, kw_only=True):
    """The next case, and the claim on it."""

    claim: ClaimView
    case: CaseView


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of a case. Redo: `step` is made again with `parameters`, the operation's own unless it says
    "cutout"; with a `retouch`, its strokes. `epoch` is that of the claim, where there is one.
    """

    outcome: Literal["approve", "reject", "redo"]
    reason: Text = ""
    step: Name | None = None
    parameters: Parameters = field(default_factory=dict)
    retouch: Retouch | None = None
    epoch: Annotated[int, Meta(ge=1)] | None = None


class Word(View, frozen=True, kw_only=True):
    """What became of a decision: the case, the place of the word on it, and how many assets it counts for."""

    case_id: str
    version: int
    outcome: Literal["approve", "reject", "redo"]
    assets: int


def page(database: Database, wanted: Wanted, after: str | None = None, limit: int = 50) -> CasePage:
    """The cases that wait, by deadline, then age. Raises Refused `bad_cursor`."""
    raise NotImplementedError


def get(database: Database, tenant: str | None, case_id: str) -> CaseView:
    """One case, whatever its state. Raises Refused `unknown_case`."""
    raise NotImplementedError


def picture(database: Database, tenant: str, case_id: str, digest: str) -> Blob:
    """A picture of the case, to be read from the blob store. Raises Refused `unknown_case`, `unknown_picture`."""
    raise NotImplementedError


def photograph(database: Database, settings: Settings, tenant: str, case_id: str, longest_px: int = 2048) -> bytes:
    """The source of a case as it is seen, upright, as a WebP file; strokes are shares of its width and height.

    Raises Refused `unknown_case`, and what fetching and decoding a source does.
    """
    raise NotImplementedError


def decide(
    database: Database, sender: Sender, tenant: str | None, case_id: str, decision: Decision, decided_by: str
) -> Word:
    """Sends a person's decision; returns when the broker has it.

    Raises Refused: `unknown_case`; `review_closed` when nothing waits for it any more; `claim_lost` when its claim has
    ended, `case_claimed` when it is another's; `bad_parameters` naming the parameter; `bad_retouch`.
    """
    raise NotImplementedError


def undo(
    database: Database, sender: Sender, tenant: str | None, case_id: str, reason: str, decided_by: str
) -> DecisionUndone:
    """Takes back the decision that stands on a case. Raises Refused `unknown_case`, `review_closed`."""
    raise NotImplementedError


def claim(database: Database, tenant: str, case_id: str, holder: str) -> ClaimView:
    """Makes a case that waits the holder's; a claim of its own begins anew. Raises Refused `case_claimed`."""
    raise NotImplementedError


def heartbeat(database: Database, tenant: str, case_id: str, holder: str, epoch: int) -> ClaimView:
    """Keeps a claim for another CLAIMED_FOR_S. Raises Refused `claim_lost`."""
    raise NotImplementedError


def release(database: Database, tenant: str, case_id: str, holder: str, epoch: int) -> None:
    """Gives a case back; a claim that has ended already changes nothing."""
    raise NotImplementedError


def next_case(database: Database, wanted: Wanted, holder: str) -> Claimed | None:
    """Claims the first case that waits and is nobody's; None when there is none."""
    raise NotImplementedError


prepare(CasePage, CaseView, ClaimView, Claimed, Decision, Word)
