"""Words for scenes: what a few words ask of a picture, by a vocabulary that is data beside this module. Pure.

Terms are the vocabulary's own names for what words of five languages say, so that the same wish has the same terms in
each. Nothing is guessed: a word that is not in the vocabulary is told.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from schemas.channels import Hex
from schemas.decoding import prepare
from schemas.records import Name

Language = Literal["en", "de", "fr", "es", "pl"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
Kind = Literal["surface", "room", "season", "mood", "light", "palette", "props"]
LENGTH_MAX = 500  # characters
PARAMETER = "background.prompt"  # where words for a scene are given
_KNOWN_MIN = 0.4  # of the words, below which a text is in none of the languages
_ENDING_MAX = 4  # letters that `*` stands for
_JOINING, _PART_MIN = ("de",), 3  # languages that write two words as one, and the letters of each of them
_TOKEN = re.compile(r"[^\W_]+")
_FOLDS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "œ": "oe", "æ": "ae"})  # letters that have no accent to lose

Tokens = tuple[str, ...]
Words = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=60)], ...], Meta(max_length=200)]


class NotUnderstood(ValueError):
    """Words of which none is known, or too few for any of the languages."""


class LightChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the main light (`key`) and all other light (`ambient`) are multiplied with, and how much more red than blue
    both become, as a share (`warmth`)."""

    key: Annotated[float, Meta(ge=0.3, le=2.0)] = 1.0
    ambient: Annotated[float, Meta(ge=0.3, le=2.0)] = 1.0
    warmth: Annotated[float, Meta(ge=-0.2, le=0.2)] = 0.0


class Term(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a word means. `light` is what it does to any scene's light, `colour` what a paint becomes by it."""

    kind: Kind
    words: dict[Language, Words]
    light: LightChange | None = None
    colour: Hex | None = None

    def __post_init__(self) -> None:
        if (self.kind == "palette") != (self.colour is not None):
            raise ValueError("a term has a `colour` when it is of the palette, and only then")
        if missing := set(LANGUAGES) - self.words.keys():
            raise ValueError(f"`words`: there are none in {', '.join(sorted(missing))}")


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`terms` by name; `kinds` says what a term of each kind counts when a scene is chosen; `without` are the words
    that say no to the next, `ignored` those that say nothing of a scene."""

    version: Annotated[int, Meta(ge=1)]
    kinds: dict[Kind, Annotated[int, Meta(ge=0)]]
    without: dict[Language, Words]
    ignored: dict[Language, Words]
    terms: dict[Name, Term]


@dataclass(frozen=True)
class Said:
    """A term, the words for it as they were written, and whether it is wanted or is not to be there."""

    term: str
    words: str
    is_wanted: bool = True


@dataclass(frozen=True)
class Reading:
    """What a text says: in which of the languages most of it is, its terms, and the words that are not known."""

    language: Language
    said: tuple[Said, ...]
    unknown: tuple[str, ...]
    version: int

    @property
    def seed(self) -> int:
        """A number that is the same for the same terms, in any order and language; never 0."""
        terms = sorted({f"{each.term}{each.is_wanted:d}" for each in self.said})
        digest = hashlib.sha256(f"{self.version}/{' '.join(terms)}".encode()).digest()
        return 1 + int.from_bytes(digest[:6], "big")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What who gave words is told: in which language they were read, which were used and for which terms, and which
    are not known."""

    language: Language
    used: dict[str, list[str]]
    unknown: list[str]


def told(parameters: Mapping[str, str]) -> Told | None:
    """What to tell of the words among an operation's parameters; None where there are none, or none that is known."""
    try:
        reading = read(parameters[PARAMETER]) if PARAMETER in parameters else None
    except NotUnderstood:
        return None
    if reading is None:
        return None
    used: dict[str, list[str]] = {}
    for each in reading.said:
        used.setdefault(each.words, []).append(each.term if each.is_wanted else f"without {each.term}")
    return Told(language=reading.language, used=used, unknown=list(reading.unknown))


def vocabulary() -> Vocabulary:
    """The one that ships."""
    return _shipped()[0]


def fingerprint() -> str:
    """SHA-256 of the vocabulary: with another one words mean something else."""
    return hashlib.sha256(_text()).hexdigest()


def read(text: str) -> Reading:
    """What `text` says of a scene. Raises NotUnderstood, which names the words that are not known."""
    words = [(_folded(match[0]), match[0]) for match in _TOKEN.finditer(unicodedata.normalize("NFKC", text))]
    tokens = tuple(folded for folded, _ in words)
    known, indexes = _shipped()
    language = max(LANGUAGES, key=lambda each: sum(bool(indexes[each].terms((token,))) for token in tokens))
    said, unknown, negated = [], [], False
    for start, length, found in _found(tokens, indexes[language]):
        written = " ".join(word for _, word in words[start : start + length])
        terms = [term for term in found if term not in (_WITHOUT, _IGNORED)]
        said += [Said(term, written, not negated) for term in terms]
        unknown += [] if found else [written]
        negated = _WITHOUT in found or (negated and not terms)
    _hold_understood(tokens, said, unknown)
    return Reading(language, tuple(said), tuple(unknown), known.version)


def _hold_understood(tokens: Tokens, said: Sequence[Said], unknown: Sequence[str]) -> None:
    languages = f"it is read in {', '.join(LANGUAGES)}"
    if not said:
        raise NotUnderstood(f"none of its words says anything of a scene ({languages}): {', '.join(unknown) or 'none'}")
    if len(unknown) > (1 - _KNOWN_MIN) * len(tokens):
        raise NotUnderstood(f"too few of its words are known ({languages}); not known: {', '.join(unknown)}")


# how words are found

_WITHOUT, _IGNORED = "-without", "-ignored"  # no names of terms


@dataclass(frozen=True)
class _Index:
    """The phrases of a language, and the beginnings of its words, with their terms. `joins`: a word may be two of them,
    as `Eichentisch` is."""

    phrases: Mapping[Tokens, str]
    stems: Mapping[str, str]
    joins: bool

    def term(self, tokens: Tokens) -> str | None:
        if tokens in self.phrases or len(tokens) > 1:
            return self.phrases.get(tokens)
        word = tokens[0]
        ends = range(len(word), max(len(word) - _ENDING_MAX, 1) - 1, -1)
        return next((self.stems[word[:end]] for end in ends if word[:end] in self.stems), None)

    def terms(self, tokens: Tokens) -> tuple[str, ...]:
        """What a phrase says; nothing where it is not known."""
        term = self.term(tokens)
        return (term,) if term is not None else self._joined(tokens[0]) if len(tokens) == 1 and self.joins else ()

    def _joined(self, word: str) -> tuple[str, ...]:
        for cut in range(_PART_MIN, len(word) - _PART_MIN + 1):
            parts = self.term((word[:cut],)), self.term((word[cut:],))
            if None not in parts and _WITHOUT not in parts and parts != (_IGNORED, _IGNORED):
                return tuple(part for part in parts if part is not None and part != _IGNORED)
        return ()


def _found(tokens: Tokens, index: _Index) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Where phrases begin, how many tokens they have and what they mean: the longest first. A word of another language
    than most of the text's is not known: `bad` is a room in one, and says nothing in another."""
    start = 0
    while start < len(tokens):
        lengths = range(min(_longest(), len(tokens) - start), 0, -1)
        tries = ((length, index.terms(tokens[start : start + length])) for length in lengths)
        length, terms = next(((length, terms) for length, terms in tries if terms), (1, ()))
        yield start, length, terms
        start += length


def _folded(text: str) -> str:
    """Lower case, without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_FOLDS))
    return "".join(each for each in apart if not unicodedata.combining(each))


@cache
def _longest() -> int:
    return max(len(phrase) for index in _shipped()[1].values() for phrase in index.phrases)


@cache
def _shipped() -> tuple[Vocabulary, dict[Language, _Index]]:
    from schemas import documents  # with a reader of YAML, which most commands do without

    known = documents.decode(_text(), Vocabulary)
    return known, {language: _index(known, language) for language in LANGUAGES}


@cache
def _text() -> bytes:
    return (resources.files("schemas.wording") / "vocabulary.yaml").read_bytes()


def _index(known: Vocabulary, language: Language) -> _Index:
    phrases: dict[Tokens, str] = {}
    stems: dict[str, str] = {}
    groups = {_IGNORED: known.ignored[language], _WITHOUT: known.without[language]}
    groups |= {name: term.words[language] for name, term in known.terms.items()}
    for name, words in groups.items():
        for word in words:
            tokens = tuple(_TOKEN.findall(_folded(word)))
            if word.endswith("*"):
                stems[tokens[0]] = name
            else:
                phrases[tokens] = name
    return _Index(phrases, stems, language in _JOINING)


prepare(Vocabulary, Told)
