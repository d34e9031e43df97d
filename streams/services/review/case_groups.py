"""Cases that are alike: seen side by side, and decided together. Each decision is an event of its own."""

from collections.abc import Callable, Sequence
from functools import partial

from schemas.decoding import prepare
from schemas.records import Sha256
from streams.facts import Database
from streams.flow.relay import Sender
from streams.runtime.errors import Refused
from streams.services.reports.views import View
from streams.services.review import cases
from streams.services.review.case_decisions import Decision
from streams.services.review.case_views import CaseSummary
from streams.services.review.cases import PAGE_MAX, Wanted, Word

ALIKE_MAX = 24  # side by side on a screen


class Decided(View, frozen=True, kw_only=True):
    """What became of one of several decisions: `refused` says why it was not sent, "" where it was."""

    case_id: Sha256
    refused: str


def alike(database: Database, tenant: str, case_id: str) -> list[CaseSummary]:
    """The cases that wait and are in doubt for just the same checks, those of the same category first.

    The case itself is not among them. Raises Refused `unknown_case`.
    """
    case = cases.get(database, tenant, case_id).summary
    wanted = Wanted(tenant=tenant, about=case.about, check=case.checks[0] if case.checks else None)
    found = [
        each
        for each in cases.page(database, wanted, limit=PAGE_MAX).items
        if each.case_id != case_id and each.checks == case.checks
    ]
    return sorted(found, key=lambda each: each.category != case.category)[:ALIKE_MAX]


def decide(
    database: Database,
    sender: Sender,
    tenant: str,
    case_ids: Sequence[str],
    decision: Decision,
    decided_by: str,
    twice_share: float,
) -> list[Decided]:
    """Sends the same decision on several cases; one that is refused, as when somebody else has it, keeps none back. Of
    `twice_share` (0..1) of the cases, two people decide.

    Raises Refused `unknown_case` before any is sent, and for a redo, which is one case's.
    """
    if decision.outcome == "redo":
        raise Refused("bad_parameters", "what is to be made again is said of one case", field="outcome")
    with database.read() as facts:
        known = {case_id: facts.cases.get(case_id) for case_id in case_ids}
    for case_id, case in known.items():
        if case is None or case.tenant != tenant:
            raise Refused("unknown_case", f"no case has the id {case_id!r}", field="cases")
    say = partial(cases.decide, database, sender, tenant, twice_share=twice_share)
    return [_decided(say, case_id, decision, decided_by) for case_id in case_ids]


def _decided(say: Callable[..., Word], case_id: str, decision: Decision, decided_by: str) -> Decided:
    try:
        say(case_id, decision, decided_by)
    except Refused as refusal:
        return Decided(case_id=case_id, refused=refusal.message)
    return Decided(case_id=case_id, refused="")


prepare(Decided)
