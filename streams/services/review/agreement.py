"""How good reviewing is: how much of what passed is wrong, who finds what is known to be wrong, and who agrees.

Intervals are E. B. Wilson's (Probable Inference, 1927) for 95 %. Strata are weighted by how much of what passed is in
each; the interval of the whole goes by the size of a plain sample that would tell as much (L. Kish, Survey Sampling,
1965).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.records import OpinionGiven, PictureRated, ReviewDecided
from streams.services.review.sampling import Sample

Z_95 = 1.959964  # of the normal distribution


@dataclass(frozen=True)
class Rate:
    """`found` of `looked`, as a share with its interval; `looked` need not be whole where strata are weighted."""

    found: float
    looked: float

    @property
    def share(self) -> float | None:
        """The share; None where nobody looked."""
        return self.found / self.looked if self.looked else None

    @property
    def interval(self) -> tuple[float, float]:
        """From where to where the share is with 95 %."""
        if not self.looked:
            return 0.0, 1.0
        share, spread = self.found / self.looked, Z_95**2 / self.looked
        middle = (share + spread / 2) / (1 + spread)
        half = Z_95 * math.sqrt(share * (1 - share) / self.looked + spread / (4 * self.looked)) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class StratumRate:
    """How much of a stratum that passed is wrong, and how many pictures are in it."""

    stratum: str
    pictures: int
    wrong: Rate


@dataclass
class Reviewer:
    """What a person did: how many they looked at; of what is known to be wrong how many they found; how often they
    agreed with who looked at the same."""

    name: str
    looked: int = 0
    known_bad: int = 0
    found: int = 0
    pairs: int = 0
    agreed: int = 0

    @property
    def finds(self) -> Rate:
        """How much of what is known to be wrong they find."""
        return Rate(self.found, self.known_bad)

    @property
    def agrees(self) -> Rate:
        """How often they say what others say."""
        return Rate(self.agreed, self.pairs)


@dataclass
class Judge:
    """What a person said of cases that two decide on: of how many; of those that another looked at how often they said
    the same; and where they did not, how often the third, who decided, said what they did."""

    name: str
    cases: int = 0
    pairs: int = 0
    agreed: int = 0
    disputed: int = 0
    kept: int = 0

    @property
    def agrees(self) -> Rate:
        """How often they say what the other says."""
        return Rate(self.agreed, self.pairs)

    @property
    def upheld(self) -> Rate:
        """How often the third says what they said, where the other did not."""
        return Rate(self.kept, self.disputed)


@dataclass(frozen=True)
class CaseAgreement:
    """What two people say of the same case before it is released; `third` had to be decided by somebody else."""

    pairs: Rate
    kappa: float | None
    third: int
    people: Sequence[Judge]


@dataclass(frozen=True)
class Agreement:
    """What a sample says. `wrong` is of all that passed, by its strata; `kappa` is agreement beyond chance, -1..1."""

    wrong: Rate
    strata: Sequence[StratumRate]
    reviewers: Sequence[Reviewer]
    pairs: Rate
    kappa: float | None
    open: int
    thumbs: Rate


def of(sample: Sample, thumbs: Iterable[PictureRated]) -> Agreement:
    """What a sample says, and what people who look at products say with their thumbs."""
    strata = _strata(sample)
    people = _reviewers(sample)
    pairs = _pairs(sample)
    agreed = sum(one.is_right == other.is_right for one, other in pairs)
    ups = [each.is_right for each in thumbs]
    return Agreement(
        wrong=_weighted(strata),
        strata=sorted(strata, key=lambda each: (-(each.wrong.share or 0), each.stratum)),
        reviewers=people,
        pairs=Rate(agreed, len(pairs)),
        kappa=_kappa([(one.is_right, other.is_right) for one, other in pairs]),
        open=sum(sample.wants_another(digest) for digest, words in sample.words.items() if not words[0].is_known_bad),
        thumbs=Rate(sum(ups), len(ups)),
    )


def of_cases(courses: Iterable[Sequence[OpinionGiven | ReviewDecided]]) -> CaseAgreement:
    """What the words on cases say that two decide on; of each case in the order in which they came."""
    decided = [words[:3] for words in courses if words]
    people: dict[str, Judge] = {}
    for words in decided:
        _note_judges(words, people)
    pairs = [(words[0], words[1]) for words in decided if len(words) > 1]
    return CaseAgreement(
        pairs=Rate(sum(_outcome(one) == _outcome(other) for one, other in pairs), len(pairs)),
        kappa=_kappa([(one.approved, other.approved) for one, other in pairs]),
        third=sum(len(words) > 2 for words in decided),
        people=sorted(people.values(), key=lambda each: each.name),
    )


def _note_judges(words: Sequence[OpinionGiven | ReviewDecided], people: dict[str, Judge]) -> None:
    judges = [people.setdefault(each.decided_by, Judge(each.decided_by)) for each in words]
    for judge in judges:
        judge.cases += 1
    if len(words) < 2:
        return
    do_agree = _outcome(words[0]) == _outcome(words[1])
    for judge, each in zip(judges[:2], words[:2], strict=True):
        judge.pairs += 1
        judge.agreed += do_agree
        if len(words) > 2:
            judge.disputed += 1
            judge.kept += _outcome(each) == _outcome(words[2])


def _outcome(word: OpinionGiven | ReviewDecided) -> tuple[bool, bool]:
    return word.approved, word.redo


def verdict(words: Sequence[PictureRated]) -> bool | None:
    """Whether a picture is right by what was said of it: where two disagree the third decides; None until then."""
    right = sum(each.is_right for each in words)
    wrong = len(words) - right
    return None if right == wrong else right > wrong


def _strata(sample: Sample) -> list[StratumRate]:
    pictures: dict[str, int] = defaultdict(int)
    looked: dict[str, list[bool]] = defaultdict(list)
    for each in sample.passed:
        pictures[each.stratum] += 1
        agreed_on = verdict(sample.words.get(each.digest, ()))
        if agreed_on is not None:
            looked[each.stratum].append(agreed_on)
    return [
        StratumRate(name, count, Rate(sum(not right for right in looked[name]), len(looked[name])))
        for name, count in sorted(pictures.items())
    ]


def _weighted(strata: Sequence[StratumRate]) -> Rate:
    """The rate of all strata in which somebody looked, weighted by their size."""
    seen = [each for each in strata if each.wrong.looked]
    whole = sum(each.pictures for each in seen)
    if not whole:
        return Rate(0, 0)
    weights = [each.pictures / whole for each in seen]
    share = sum(weight * (each.wrong.share or 0) for weight, each in zip(weights, seen, strict=True))
    looked = 1 / sum(weight**2 / each.wrong.looked for weight, each in zip(weights, seen, strict=True))
    return Rate(share * looked, looked)


def _reviewers(sample: Sample) -> list[Reviewer]:
    people: dict[str, Reviewer] = {}
    for words in sample.words.values():
        for each in words:
            one = people.setdefault(each.rated_by, Reviewer(each.rated_by))
            one.looked += 1
            one.known_bad += each.is_known_bad
            one.found += each.is_known_bad and not each.is_right
    for pair in _pairs(sample):
        for each in pair:
            people[each.rated_by].pairs += 1
            people[each.rated_by].agreed += pair[0].is_right == pair[1].is_right
    return sorted(people.values(), key=lambda each: each.name)


def _pairs(sample: Sample) -> list[tuple[PictureRated, PictureRated]]:
    """The first two words on each picture that two people looked at, without knowing of each other."""
    return [(words[0], words[1]) for words in sample.words.values() if len(words) > 1 and not words[0].is_known_bad]


def _kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """J. Cohen, A Coefficient of Agreement for Nominal Scales, 1960; None where all say one thing."""
    if not pairs:
        return None
    first, second = (sum(pair[number] for pair in pairs) / len(pairs) for number in (0, 1))
    by_chance = first * second + (1 - first) * (1 - second)
    agreed = sum(one == other for one, other in pairs) / len(pairs)
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
