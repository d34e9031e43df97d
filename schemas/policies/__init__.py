"""Content policy: what a merchant's texts may say, as dated YAML rules in the folder `rules`. Pure.

A rule is words and what follows of them, or what a photograph shows (`schemas.policies.pictures`). Texts are folded
first (`schemas.policies.folding`), and a word counts as a whole one; `*` at its end stands for any ending. Of all rules
that speak the hardest outcome counts.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from math import prod
from typing import Annotated, Literal, get_args

import msgspec
import regex
from msgspec import Meta

from schemas import categories
from schemas.channels import version_number
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.policies.folding import folded, hides, is_read
from schemas.policies.pictures import PictureRule
from schemas.policies.scope import Scope
from schemas.records import Name
from schemas.text import explained, whole

Outcome = Literal["allow", "rewrite", "review", "refuse"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)  # from the mildest on
LENGTH_MAX = 500  # characters of a title: all marketplaces allow fewer
SEARCH_MAX_S = 0.1  # of CPU time; no rule that ships took 1 ms for the worst of six texts of 500 characters
SEARCHES_MAX_S = 0.5  # of CPU time, of all expressions over all texts of a product
REPEATS_MAX = 20_000  # of all expressions of a file: each takes 0.5 KB, and `(a{1000}){1000}` are a million
_SLOW = "its expression takes too long to search for"
_COUNT = re.compile(r"\{([^,}]*)")
_VERBOSE = re.compile(r"\(\?[A-Za-z0-9]*x")  # in which a count may be spelled in many ways
_Words = Annotated[tuple[Annotated[str, Meta(min_length=2, max_length=100)], ...], Meta(max_length=1000)]
_Expressions = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=2000)], ...], Meta(max_length=100)]


class BadPolicy(InputError, ValueError):
    """Rules about texts that are none, by today's format; the message names the field."""

    code = "bad_policy"


class Rule(Scope, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What texts with one of `words` in them lead to, but for those with one of `unless` in them, too, and products of
    one of the category groups `not_of`. `spelled` are regular expressions over the text as it is, and folded; where one
    takes longer than SEARCH_MAX_S, or nothing is left of SEARCHES_MAX_S, a person looks at the text.

    A `rewrite` puts `instead` in the words' place.
    """

    id: Name
    outcome: Literal["rewrite", "review", "refuse"]
    why: str
    words: _Words = ()
    spelled: _Expressions = ()
    unless: tuple[str, ...] = ()
    instead: str = ""

    def __post_init__(self) -> None:
        Scope.__post_init__(self)
        if not self.words and not self.spelled:
            raise ValueError("a rule must have `words` or `spelled`")
        for field in ("words", "unless"):
            if strange := [each for each in getattr(self, field) if re.search(r"\*[\w*]", folded(each))]:
                raise ValueError(f"`{field}`: {strange[0]!r}: a `*` stands at a word's end")
        if self.repeats > REPEATS_MAX:
            raise ValueError(f"`spelled`: {self.repeats} repeats where {REPEATS_MAX} may be")
        for pattern in self.spelled:
            try:
                regex.compile(pattern)
            except (regex.error, RecursionError, MemoryError, OverflowError) as error:
                raise ValueError(f"`spelled`: {pattern[:100]!r} is no regular expression: {error}") from error

    @property
    def repeats(self) -> int:
        """No fewer than the copies that its expressions are compiled to. Raises ValueError."""
        if verbose := [each for each in self.spelled if _VERBOSE.search(each)]:
            raise ValueError(f"`spelled`: {verbose[0][:100]!r} is verbose, with the flag x")
        return sum(_repeats(pattern) for pattern in self.spelled)


class RuleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of rules about one thing: `rules` about texts, and `pictures` about what photographs show."""

    name: Name
    version: Annotated[str, Meta(pattern=whole(r"[0-9]{4}-[0-9]{2}(\.[0-9]{1,3})?"))]
    source: str
    rules: tuple[Rule, ...]
    pictures: Annotated[tuple[PictureRule, ...], Meta(max_length=100)] = ()

    def __post_init__(self) -> None:
        if (repeats := sum(rule.repeats for rule in self.rules)) > REPEATS_MAX:
            raise ValueError(f"`spelled`: {repeats} repeats in all where {REPEATS_MAX} may be")

    @property
    def ref(self) -> str:
        """NAME@VERSION."""
        return f"{self.name}@{self.version}"

    @property
    def number(self) -> int:
        """The version as a number that rises with it, as channels' do."""
        return version_number(self.version)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says of a text: the rule as `file@version/id`, its outcome, and the words that it found."""

    rule: str
    outcome: Outcome
    why: str
    found: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A text, what comes of it, and by which rules; `text` is the rewritten one where a rule rewrites. One that
    `is_read` is in a script that the rules are written in; of others they say nothing."""

    text: str
    outcome: Outcome
    is_read: bool
    findings: tuple[Finding, ...] = ()


@dataclass
class TimeBudget:
    """CPU seconds that are left to search in: of a product, all texts share them."""

    left_s: float = SEARCHES_MAX_S

    def search(self, pattern: regex.Pattern[str], text: str) -> regex.Match[str] | None:
        """Where the expression is found. Raises TimeoutError."""
        with self._spent() as timeout_s:
            return pattern.search(text, timeout=timeout_s)

    def replaced(self, pattern: regex.Pattern[str], instead: str, text: str) -> str:
        """`text` with `instead` wherever the expression is found. Raises TimeoutError."""
        with self._spent() as timeout_s:
            return pattern.sub(instead, text, timeout=timeout_s)

    @contextmanager
    def _spent(self) -> Iterator[float]:
        if self.left_s <= 0:
            raise TimeoutError
        began_s = time.thread_time()
        try:
            yield min(self.left_s, SEARCH_MAX_S)
        finally:
            self.left_s -= time.thread_time() - began_s


@dataclass(frozen=True, eq=False)
class Policy:
    """The files of rules that count together; `lineage` names those that were released, None where all of them ship."""

    files: tuple[RuleFile, ...]
    lineage: str | None = None

    @property
    def version(self) -> str:
        """The newest of the files'."""
        return max((file.version for file in self.files), default="")

    def judged(
        self, text: str, *, tenant: str = "", channel: str = "", category: str = "", budget: TimeBudget | None = None
    ) -> Judged:
        """What comes of a text of a tenant, about a product of `category`, for a channel or for all."""
        budget = budget or TimeBudget()
        groups = categories.groups(category)
        findings: list[Finding] = [*_of_form(text)]
        begin, rewritten = text[:LENGTH_MAX], text  # what is longer goes to a person anyway, and is nobody's to search
        read = folded(begin)
        for rule in self._compiled:
            if not rule.rule.covers(tenant, channel, groups):
                continue
            try:
                found = rule.found(begin, read, budget)
                if found is not None and len(text) <= LENGTH_MAX:
                    rewritten = rule.rewritten(rewritten, budget)
            except TimeoutError:
                findings.append(Finding(rule=rule.ref, outcome="review", why=_SLOW, found=""))
                continue
            if found is not None:
                findings.append(Finding(rule=rule.ref, outcome=rule.rule.outcome, why=rule.rule.why, found=found))
        outcome: Outcome = max((each.outcome for each in findings), key=OUTCOMES.index, default="allow")
        return Judged(text=rewritten, outcome=outcome, is_read=is_read(begin), findings=tuple(findings))

    def of_pictures(self, *, tenant: str, channel: str, category: str) -> dict[str, PictureRule]:
        """The rules about photographs of a tenant's product of `category`, for a channel, as `file@version/id`."""
        groups = categories.groups(category)
        return {
            f"{file.ref}/{rule.id}": rule
            for file in self.files
            for rule in file.pictures
            if rule.covers(tenant, channel, groups)
        }

    @cached_property
    def _compiled(self) -> tuple["_Compiled", ...]:
        return tuple(_Compiled(f"{file.ref}/{each.id}", each) for file in self.files for each in file.rules)


@dataclass(frozen=True, eq=False)
class _Compiled:
    ref: str
    rule: Rule

    def found(self, text: str, read: str, budget: TimeBudget) -> str | None:
        """The words that it speaks of; "" where it speaks of all of the text, None where of nothing. Raises
        TimeoutError."""
        if self._unless is not None and self._unless.search(read):
            return None
        if self._words is not None and (word := self._words.search(read)) is not None:
            return word[0]
        spelled = (budget.search(each, form) for each in self._spelled for form in (text, read))
        match = next((hit for hit in spelled if hit), None)
        return None if match is None else str(match[0])

    def rewritten(self, text: str, budget: TimeBudget) -> str:
        if self.rule.outcome != "rewrite":
            return text
        if self._words is not None:
            text = self._words.sub(self.rule.instead, text)
        for pattern in self._spelled:
            text = budget.replaced(pattern, self.rule.instead, text)
        return " ".join(text.split())

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        return _any_of(self.rule.words)

    @cached_property
    def _unless(self) -> re.Pattern[str] | None:
        return _any_of(self.rule.unless)

    @cached_property
    def _spelled(self) -> tuple[regex.Pattern[str], ...]:
        return tuple(regex.compile(each, regex.IGNORECASE) for each in self.rule.spelled)


def _of_form(text: str) -> Iterator[Finding]:
    """What is said of any text, whatever its words."""
    if len(text) > LENGTH_MAX:
        yield Finding(rule="form/length", outcome="review", why=f"longer than {LENGTH_MAX} characters", found=text[:40])
    if hides(text[:LENGTH_MAX]):
        yield Finding(rule="form/hidden", outcome="review", why="a word mixes scripts that look alike", found=text[:40])


def _repeats(pattern: str) -> int:
    """No fewer than the copies of a part that an expression is compiled to, as if all counts stood within each other.

    They are counted before it is compiled, which may end the process for want of memory.
    """
    counts = [re.sub(r"[^0-9]", "", each) for each in _COUNT.findall(pattern)]
    if any(len(each) > len(str(REPEATS_MAX)) for each in counts):
        return REPEATS_MAX + 1
    return prod(max(int(each or 1), 1) for each in counts)


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    parts = [re.escape(folded(each)).replace(r"\*", r"\w*") for each in words]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE) if parts else None


@cache
def shipped() -> Policy:
    """The rules that ship. Raises msgspec.ValidationError naming the field of a file that is not well formed."""
    folder = resources.files(__name__) / "rules"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".yaml")), key=lambda each: each.name)
    return Policy(tuple(parse(each.read_bytes()) for each in files))


def parse(text: bytes | str) -> RuleFile:
    """A file of rules. Raises msgspec.DecodeError, which names the field at fault."""
    from schemas import documents  # see schemas.categories

    return documents.decode(text, RuleFile)


def read(text: str) -> RuleFile:
    """A file of rules that somebody wrote. Raises BadPolicy."""
    try:
        return parse(text)
    except msgspec.DecodeError as error:
        raise BadPolicy(explained(str(error))) from error


def joined(own: Mapping[str, RuleFile]) -> Policy:
    """The rules that ship and one's own, by the files' names; one's own counts in the place of one that ships."""
    if not own:
        return shipped()
    files = {each.name: each for each in shipped().files} | dict(own)
    lineage = ",".join(sorted(each.ref for each in own.values()))
    return Policy(tuple(files[name] for name in sorted(files)), lineage)


@lru_cache(64)
def released(texts: tuple[str, ...]) -> Policy:
    """The rules that ship and those that were released, as YAML. Raises BadPolicy."""
    return joined({each.name: each for each in map(read, texts)})


prepare(RuleFile, Judged)
