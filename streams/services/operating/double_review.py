"""Double review: a share of the cases is decided by two people, and where they disagree by a third.

A case is drawn by its id: nobody chooses, and every gateway draws the same. What is said first is an opinion, an event
that moves nothing. The decision that settles the case is sent by whoever says the same second, or comes third.
"""

import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from schemas.doubts import waits_for
from schemas.records import CutoutRetouched, OpinionGiven, ReviewDecided
from streams.facts import Case, Facts, Review
from streams.runtime.errors import Refused

OPINIONS_MAX = 2  # whoever comes third decides


def drawn(text: str) -> float:
    """A share, 0..1, that is a text's for ever."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def is_for_two(case_id: str, share: float) -> bool:
    """Whether a case is one of the share (0..1) that two people decide on."""
    return drawn(f"two people {case_id}") < share


def word(event: ReviewDecided, case: Case, said: Sequence[OpinionGiven], share: float) -> ReviewDecided | OpinionGiven:
    """What a person's decision on a case is sent as, where the opinions `said` stand. Raises Refused `said_before`.

    An opinion that was on less than what is in doubt by now does not count.
    """
    if any(each.decided_by == event.decided_by for each in said):
        raise Refused("said_before", "you said what you think: somebody else has to look, too", field="case_id")
    before = [each for each in said if set(event.checks) <= set(each.checks)]
    agrees = any((each.approved, each.redo) == (event.approved, event.redo) for each in before)
    if agrees or len(before) >= OPINIONS_MAX or not (said or is_for_two(case.case_id, share)):
        return event
    return OpinionGiven(
        tenant=event.tenant,
        sku=event.sku,
        case=case.case_id,
        approved=event.approved,
        redo=event.redo,
        reason=event.reason,
        decided_by=event.decided_by,
        version=event.version,
        checks=event.checks,
    )


def retouched(event: CutoutRetouched, case: Case, said: Sequence[OpinionGiven], share: float) -> CutoutRetouched:
    """A retouch of a case; where two people decide, the edges that one of them made are asked about again."""
    is_alone = not (said or is_for_two(case.case_id, share))
    return event if is_alone else replace(event, approved=False)


def check_alone(review: Review, facts: Facts, share: float) -> None:
    """Raises Refused `two_people` for a review that nobody may decide alone: it waits for a case that two decide on."""
    for doubt in waits_for(review.request):
        case = facts.cases.get(doubt.case)
        if is_for_two(doubt.case, share) or (case is not None and facts.opinions.standing(case)):
            message = f"two people decide on it: packshot review approve --case {doubt.case[:12]}"
            raise Refused("two_people", message, field="review_id")


def own(case: Case, person: str, facts: Facts) -> OpinionGiven | None:
    """A person's opinion on a case, where it stands."""
    return next((each for each in facts.opinions.standing(case) if each.decided_by == person), None)
