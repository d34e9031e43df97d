"""A reviewer of an installation, who decides on what waits, alone or by its cause, takes back, and retouches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import codec, topics
from schemas.doubts import waits_for
from schemas.records import CutoutRetouched, DecisionUndone, ReviewDecided
from streams.facts import Review

if TYPE_CHECKING:
    from tests.streams.installation import SKUS, Installation
else:
    SKUS = ("A", "B", "C")


class Desk:
    """A person of an installation, who does what its seed says."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def undecided(self) -> list[Review]:
        """The reviews on which she has not said her next word."""
        fields = {(event.review_id, event.version) for event in self._said() if event.case is None}
        with self._installation.database.read() as facts:
            return [its for its in facts.reviews.every() if (its.review_id, its.rank + 1) not in fields]

    def person(self) -> None:
        """Decides on a review that she sees as pending, or on one of its cases."""
        undecided, random = self.undecided(), self._installation.random
        if not undecided or random.random() > 0.2:
            return
        review = random.choice(undecided)
        if random.random() < 0.6:
            self._decide_case(review)
        else:
            self._say_of(review, version=review.rank + 1)

    def undo(self) -> None:
        """She takes a decision back, one of before it was taken back at times."""
        with self._installation.database.read() as facts:
            known = [review for review in facts.reviews.every(pending=False) if review.last is not None]
        if not known:
            return
        last = self._installation.random.choice(known).last
        decision = last if isinstance(last, ReviewDecided) else last.decision  # type: ignore[union-attr]
        self._undo(decision, decision.version + 1)

    def undo_case(self) -> None:
        """She takes a decision on a case back."""
        cases = sorted({event.case for event in self._said() if event.case})
        if not cases:
            return
        with self._installation.database.read() as facts:
            case = facts.cases.get(self._installation.random.choice(cases))
        if case is not None and case.decision is not None:
            self._undo(case.decision, case.rank + 1)

    def retouch(self) -> None:
        """She has a photograph cut out otherwise, or as it was."""
        random = self._installation.random
        with self._installation.database.read() as facts:
            product = facts.products.get("demo", random.choice(SKUS))
            if product is None or product.deleted:
                return
            source = product.event.sources[0]
            known = facts.retouches.get("demo", product.event.sku, source)
        version = (0 if known is None else known.version) + random.choice((1, 1, 2))
        parameters = random.choice(({}, {"subject": "everything"}, {"speckle_share": "0.02"}))
        about = {"tenant": "demo", "sku": product.event.sku, "source": source, "version": version}
        self._installation.say(CutoutRetouched(**about, parameters=parameters, decided_by="ada"))  # type: ignore[arg-type]

    def _said(self) -> list[ReviewDecided]:
        words = [codec.decode(record.value) for record in self._installation.on(topics.DECISIONS.name)]
        return [word for word in words if isinstance(word, ReviewDecided)]

    def _undo(self, decision: ReviewDecided, version: int) -> None:
        about = {"tenant": "demo", "sku": decision.sku, "decision": decision, "version": version}
        self._installation.say(DecisionUndone(**about, reason="a slip", decided_by="ada"))  # type: ignore[arg-type]

    def _decide_case(self, review: Review) -> None:
        doubt = self._installation.random.choice(waits_for(review.request))
        with self._installation.database.read() as facts:
            case = facts.cases.get(doubt.case)
            waiting = facts.cases.waiting([doubt.case])[doubt.case]
        assert case is not None
        is_said = any((each.case, each.version) == (case.case_id, case.rank + 1) for each in self._said())
        if waiting and not is_said:
            self._say_of(waiting[0], case=case.case_id, checks=doubt.checks, version=case.rank + 1)

    def _say_of(self, review: Review, **more: object) -> None:
        random = self._installation.random
        redo = random.random() < 0.3
        approved = not redo and random.random() < 0.6
        parameters = {"padding": f"0.{random.randint(1, 9)}"} if redo else {}
        self._installation.say(
            ReviewDecided(
                review_id=review.review_id,
                tenant="demo",
                sku=review.request.completed.task.sku,
                approved=approved,
                redo=redo,
                parameters=parameters,
                decided_by="ada",
                reason="seen",
                **more,  # type: ignore[arg-type]
            )
        )
