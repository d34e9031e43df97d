"""A second look: who looks at which of the pictures that passed, and what becomes of it.

Pictures are drawn by stratum, the one with the fewest looked at first, within one by a hash, so that nobody chooses. A
share is looked at by two people, and where they disagree a third decides. Among them are some that people rejected:
whoever looks is not told which.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.records import PictureRated, RatingPurpose, Verdict
from streams.consumer.letters import outgoing
from streams.facts import Database, Facts, Live, Review
from streams.flow.relay import Sender
from streams.runtime.errors import Refused
from streams.services.operating.double_review import drawn

LOOKED_AMONG = 2000  # of the newest pictures that are live
BAD_AMONG = 200  # of those that people rejected last
KNOWN_BAD_EVERY = 8  # one of so many that a person sees is known to be wrong
TWICE_SHARE = 0.2  # of the sample two people look at
WORDS_MAX = 3  # two, and a third where they disagree
STRATUM_MAX = 256  # characters
NEAR_SHARE = 0.5  # of its limit: doubt above it is near


@dataclass(frozen=True)
class Picture:
    """A picture of the sample. `key` is where one that is live lies in the origin; one without is known to be wrong, in
    the blob store, and `rejected_by` says who rejected it."""

    digest: str
    sku: str
    asset: str
    channel: str
    media_type: str
    stratum: str = ""
    key: str = ""
    rejected_by: str = ""

    @property
    def is_known_bad(self) -> bool:
        """Whether it is one that people rejected."""
        return not self.key


@dataclass(frozen=True)
class Sample:
    """What there is to look at of a tenant's, and what was said of it, by picture, the first word first."""

    passed: Sequence[Picture]
    known_bad: Sequence[Picture]
    words: Mapping[str, Sequence[PictureRated]]

    def next_for(self, person: str, *, skipped: Sequence[str] = ()) -> Picture | None:
        """The picture that a person is to look at next; None when there is none."""
        mine = {digest for digest, words in self.words.items() if any(each.rated_by == person for each in words)}
        open_ones = [each for each in self.passed if each.digest not in mine and each.digest not in skipped]
        is_bads_turn = len(mine) % KNOWN_BAD_EVERY == _turn(person)
        bad = [each for each in self.known_bad if each.digest not in (*mine, *skipped) and each.rejected_by != person]
        if bad and (is_bads_turn or not open_ones):
            return min(bad, key=lambda each: drawn(each.digest))
        begun = [each for each in open_ones if self.words.get(each.digest) and self.wants_another(each.digest)]
        fresh = [each for each in open_ones if not self.words.get(each.digest)]
        return begun[0] if begun else self._least_looked_at(fresh)

    def wants_another(self, digest: str) -> bool:
        """Whether one more person is to look at a picture of which something was said."""
        words = self.words[digest]
        if len(words) >= WORDS_MAX:
            return False
        if len({each.is_right for each in words}) > 1:
            return True
        return len(words) == 1 and drawn(f"twice {digest}") < TWICE_SHARE

    def _least_looked_at(self, fresh: Sequence[Picture]) -> Picture | None:
        looked: dict[str, int] = defaultdict(int)
        for each in self.passed:
            looked[each.stratum] += bool(self.words.get(each.digest))
        return min(fresh, key=lambda each: (looked[each.stratum], drawn(each.digest)), default=None)


def sample(tenant: str, facts: Facts) -> Sample:
    """The sample of a tenant, and what was said of it."""
    words: dict[str, list[PictureRated]] = defaultdict(list)
    for each in facts.ratings.of(tenant):
        if each.purpose == "sample":
            words[each.picture].append(each)
    live = {each.digest: each for each in map(_passed, facts.overviews.live(tenant, LOOKED_AMONG))}
    bad = {each.digest: each for each in _known_bad(facts.overviews.rejected(tenant, BAD_AMONG))}
    return Sample([each for each in live.values() if each.digest not in bad], list(bad.values()), words)


def find(tenant: str, digest: str, facts: Facts) -> Picture:
    """The picture of the sample with this digest. Raises Refused."""
    known = sample(tenant, facts)
    found = next((each for each in (*known.passed, *known.known_bad) if each.digest == digest), None)
    if found is None:
        raise Refused("unknown_picture", "it is not of the sample any more", field="picture")
    return found


def look(database: Database, sender: Sender, tenant: str, digest: str, by: str, is_right: bool, reason: str) -> None:
    """Sends what a person says of a picture of the sample; returns when the broker has it. Raises Refused."""
    with database.read() as facts:
        picture = find(tenant, digest, facts)
        event = _rated(tenant, picture, "sample", by, is_right, reason, facts)
    _send(event, sender)


def thumb(database: Database, sender: Sender, tenant: str, sku: str, asset: str, by: str, is_right: bool) -> None:
    """Sends a thumb of somebody who looks at a product's picture that is live. Raises Refused."""
    with database.read() as facts:
        product = facts.products.get(tenant, sku)
        row = next((each for each in facts.assets.of(tenant, sku) if each.asset == asset), None)
        if product is None or row is None or row.live is None:
            raise Refused("unknown_picture", f"nothing of {asset!r} is live", field="asset")
        picture = _passed(Live(row.live, product.event.category))
        event = _rated(tenant, picture, "thumb", by, is_right, "", facts)
    _send(event, sender)


def _rated(
    tenant: str, picture: Picture, purpose: RatingPurpose, by: str, is_right: bool, reason: str, facts: Facts
) -> PictureRated:
    key = (picture.digest, by, purpose)
    before = [
        each for each in facts.ratings.on(tenant, picture.sku) if (each.picture, each.rated_by, each.purpose) == key
    ]
    return PictureRated(
        tenant=tenant,
        sku=picture.sku,
        asset=picture.asset,
        channel=picture.channel,
        picture=picture.digest,
        is_right=is_right,
        version=max((each.version for each in before), default=0) + 1,
        purpose=purpose,
        stratum=picture.stratum,
        is_known_bad=picture.is_known_bad,
        reason=reason,
        rated_by=by,
    )


def _send(event: PictureRated, sender: Sender) -> None:
    sender.send([outgoing(event, "packshot/review", codec=sender.codec)])


def _passed(live: Live) -> Picture:
    live_now = live.published
    parts = (live_now.channel, live.category.partition(" > ")[0] or "no category", _band(live_now.verdict))
    who = "a person let it pass" if live_now.approved_by else "gates"
    stratum = " · ".join((*parts, who))[:STRATUM_MAX]
    file = live_now.file
    return Picture(file.content, live_now.sku, live_now.asset, live_now.channel, file.media_type, stratum, file.key)


def _known_bad(rejected: Sequence[Review]) -> Iterator[Picture]:
    for each in rejected:
        completed = each.request.completed
        blob, channel = completed.outputs[0], completed.task.step.channel or "web"
        by = "" if each.decision is None else each.decision.decided_by
        yield Picture(blob.digest, completed.task.sku, each.asset, channel, blob.media_type, rejected_by=by)


def _band(verdict: Verdict) -> str:
    """How near the doubt about its cutout is to the limit."""
    check = next((each for each in verdict.checks if each.name == "cutout.uncertainty"), None)
    if check is None or check.measured is None:
        return "no doubt measured"
    limit = float("".join(letter for letter in check.limit if letter.isdigit() or letter == ".") or "nan")
    return "near the limit" if check.measured > NEAR_SHARE * limit else "far from the limit"


def _turn(person: str) -> int:
    """Which of a person's looks is at one that is known to be wrong: not the same for everybody."""
    return int(drawn(f"turn {person}") * KNOWN_BAD_EVERY)
