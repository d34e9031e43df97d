"""Content policy: what a merchant's texts may say, as dated YAML rules in the folder `rules`. Pure.

A rule is words and what follows of them. Texts are folded first (`schemas.policies.folding`), and a word counts as a
whole one; `*` at its end stands for any ending. Of all rules that speak the hardest outcome counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Annotated, Literal, get_args

import msgspec
import regex
from msgspec import Meta

from schemas import categories
from schemas.channels import version_number
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.policies.folding import folded, hides, is_read
from schemas.records import Name
from schemas.text import explained, whole

Outcome = Literal["allow", "rewrite", "review", "refuse"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)  # from the mildest on
LENGTH_MAX = 500  # characters of a title: all marketplaces allow fewer
SEARCH_MAX_S = 0.1  # of CPU time; no rule that ships took 1 ms for the worst of six texts of 500 characters
_SLOW = "its expression takes too long to search for"
_Words = Annotated[tuple[Annotated[str, Meta(min_length=2, max_length=100)], ...], Meta(max_length=1000)]
_Expressions = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=2000)], ...], Meta(max_length=100)]


class BadPolicy(InputError, ValueError):
    """Rules about texts that are none, by today's format; the message names the field."""

    code = "bad_policy"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What texts with one of `words` in them lead to, but for those with one of `unless` in them, too, and products of
    one of the category groups `not_of`. `spelled` are regular expressions over the text as it is, and folded; where one
    takes longer than SEARCH_MAX_S, a person looks at the text.

    A `rewrite` puts `instead` in the words' place. A rule of some `tenants` or `channels` counts for these alone.
    """

    id: Name
    outcome: Literal["rewrite", "review", "refuse"]
    why: str
    words: _Words = ()
    spelled: _Expressions = ()
    unless: tuple[str, ...] = ()
    not_of: tuple[str, ...] = ()
    tenants: tuple[Name, ...] = ()
    channels: tuple[Name, ...] = ()
    instead: str = ""

    def __post_init__(self) -> None:
        if not self.words and not self.spelled:
            raise ValueError("a rule must have `words` or `spelled`")
        if unknown := set(self.not_of) - categories.names():
            raise ValueError(f"`not_of`: there are no {', '.join(sorted(unknown))}")
        for pattern in self.spelled:
            try:
                regex.compile(pattern)
            except regex.error as error:
                raise ValueError(f"`spelled`: {pattern!r} is no regular expression: {error}") from error


class RuleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of rules about one thing."""

    name: Name
    version: Annotated[str, Meta(pattern=whole(r"[0-9]{4}-[0-9]{2}(\.[0-9]{1,3})?"))]
    source: str
    rules: tuple[Rule, ...]

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


@dataclass(frozen=True, eq=False)
class Policy:
    """The files of rules that count together; `lineage` names those that were released, None where all of them ship."""

    files: tuple[RuleFile, ...]
    lineage: str | None = None

    @property
    def version(self) -> str:
        """The newest of the files'."""
        return max((file.version for file in self.files), default="")

    def judged(self, text: str, *, tenant: str = "", channel: str = "", category: str = "") -> Judged:
        """What comes of a text of a tenant, about a product of `category`, for a channel or for all."""
        groups = categories.groups(category)
        findings: list[Finding] = [*_of_form(text)]
        begin, rewritten = text[:LENGTH_MAX], text  # what is longer goes to a person anyway, and is nobody's to search
        read = folded(begin)
        for rule in self._compiled:
            if not rule.covers(tenant, channel, groups):
                continue
            try:
                found = rule.found(begin, read)
                if found is not None and len(text) <= LENGTH_MAX:
                    rewritten = rule.rewritten(rewritten)
            except TimeoutError:
                findings.append(Finding(rule=rule.ref, outcome="review", why=_SLOW, found=""))
                continue
            if found is not None:
                findings.append(Finding(rule=rule.ref, outcome=rule.rule.outcome, why=rule.rule.why, found=found))
        outcome: Outcome = max((each.outcome for each in findings), key=OUTCOMES.index, default="allow")
        return Judged(text=rewritten, outcome=outcome, is_read=is_read(begin), findings=tuple(findings))

    @cached_property
    def _compiled(self) -> tuple["_Compiled", ...]:
        return tuple(_Compiled(f"{file.ref}/{each.id}", each) for file in self.files for each in file.rules)


@dataclass(frozen=True, eq=False)
class _Compiled:
    ref: str
    rule: Rule

    def covers(self, tenant: str, channel: str, groups: frozenset[str]) -> bool:
        rule = self.rule
        mine = (not rule.tenants or tenant in rule.tenants) and (not rule.channels or channel in rule.channels)
        return mine and groups.isdisjoint(rule.not_of)

    def found(self, text: str, read: str) -> str | None:
        """The words that it speaks of; "" where it speaks of all of the text, None where of nothing. Raises
        TimeoutError."""
        if self._unless is not None and self._unless.search(read):
            return None
        if self._words is not None and (word := self._words.search(read)) is not None:
            return word[0]
        spelled = (each.search(way, timeout=SEARCH_MAX_S) for each in self._spelled for way in (text, read))
        match = next((hit for hit in spelled if hit), None)
        return None if match is None else str(match[0])

    def rewritten(self, text: str) -> str:
        if self.rule.outcome != "rewrite":
            return text
        if self._words is not None:
            text = self._words.sub(self.rule.instead, text)
        for pattern in self._spelled:
            text = pattern.sub(self.rule.instead, text, timeout=SEARCH_MAX_S)
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
