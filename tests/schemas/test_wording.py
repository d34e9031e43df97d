"""Words for scenes: what five languages say is the same, and what is not known is told."""

import pytest

from schemas import wording
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters
from schemas.wording import LANGUAGES, NotUnderstood, read, told, vocabulary


def terms(text: str) -> dict[str, bool]:
    return {each.term: each.is_wanted for each in read(text).said}


SAME = {
    "en": "On an oak table by the window, soft morning light, with branches, without lemons",
    "de": "Auf einem Tisch aus Eiche am Fenster, sanftes Licht am Morgen, mit Zweigen, ohne Zitronen",
    "fr": "Sur une table en chêne près de la fenêtre, lumière douce du matin, avec des branches, sans citrons",
    "es": "Sobre una mesa de roble junto a la ventana, luz suave de la mañana, con ramas, sin limones",
    "pl": "Na stole dębowym przy oknie, łagodne światło poranka, z gałęziami, bez cytryn",
}
WANTED = {"oak": True, "table": True, "window": True, "soft": True, "morning": True, "branches": True, "lemons": False}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same(language: str) -> None:
    found = read(SAME[language])
    assert found.language == language
    assert terms(SAME[language]) == WANTED
    assert found.seed == read(SAME["en"]).seed != 0


def test_what_is_not_known_is_told() -> None:
    found = read("Marble counter, a flamingo, 2 lemons and pink light")
    assert found.unknown == ("flamingo", "2")
    assert [each.term for each in found.said] == ["marble", "counter", "lemons", "pink"]


def test_a_word_is_of_the_texts_own_language() -> None:
    assert terms("oak table not bad") == {"oak": True, "table": True}  # `Bad` is a bathroom where the text is German
    assert terms("las hojas sobre una mesa") == {"table": True}  # `las` is a forest where the text is Polish


@pytest.mark.parametrize(
    "text", ["una tazza sul tavolo di legno", "мраморный стол у окна", "?!", "quux", "a b c d e oak"]
)
def test_unknown_languages_and_words_are_refused_by_name(text: str) -> None:
    with pytest.raises(NotUnderstood):
        read(text)
    with pytest.raises(BadParameters, match="it is read in en, de, fr, es, pl") as caught:
        MockupParameters.parse({"background.prompt": text})
    assert caught.value.field == "background.prompt"
    assert told({"background.prompt": text}) is None


def test_who_gave_words_is_told_what_was_made_of_them() -> None:
    answer = told({"background.prompt": "Marmor ohne Kerzen, Einhorn, golden"})
    assert answer is not None
    assert (answer.language, answer.used, answer.unknown) == (
        "de",
        {"Marmor": ["marble"], "Kerzen": ["without candle"]},
        ["Einhorn", "golden"],
    )
    assert told({"scene": "auto"}) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Eichentisch", ["oak", "table"]),
        ("Küchenregal", ["kitchen", "shelf"]),
        ("ein Wintermorgen am Holztisch", ["winter", "morning", "wood", "table"]),
        ("Fensterlicht", ["window"]),
        ("ohne Holztisch im Bad", ["wood", "table", "bathroom"]),
    ],
)
def test_german_words_may_be_two(text: str, wanted: list[str]) -> None:
    assert [each.term for each in read(text).said] == wanted
    assert not read(text).unknown


def test_without_is_said_of_the_next_thing_only() -> None:
    assert terms("marble without any plastic lemons, but candles") == {"marble": True, "lemons": False, "candle": True}
    assert terms("ohne Holztisch im Bad") == {"wood": False, "table": False, "bathroom": True}


def test_other_wishes_are_other_variations_and_order_is_none() -> None:
    assert read("oak, morning").seed == read("morning oak").seed == read("Morgen, Eiche").seed
    assert read("oak, morning").seed != read("oak, evening").seed
    assert read("oak with branches").seed != read("oak without branches").seed


def test_upper_case_accents_and_phrases_do_not_matter() -> None:
    assert terms("CHÊNE, Salle de bain") == {"oak": True, "bathroom": True}
    assert terms("golden-hour in the living room") == {"evening": True, "living-room": True}


def test_no_word_says_two_things_in_a_language() -> None:
    known = vocabulary()
    for language in LANGUAGES:
        groups = [known.ignored[language], known.without[language]]
        groups += [term.words[language] for term in known.terms.values()]
        words = [word for group in groups for word in set(map(wording._folded, group))]
        assert sorted(words) == sorted(set(words)), language


def test_every_word_is_found() -> None:
    known = vocabulary()
    for language in LANGUAGES:
        index = wording._shipped()[1][language]
        for name, term in known.terms.items():
            for word in term.words[language]:
                tokens = tuple(wording._TOKEN.findall(wording._folded(word)))
                assert index.term(tokens) == name, (language, word)


def test_long_texts_are_refused_before_they_are_read() -> None:
    with pytest.raises(BadParameters, match=r"`background\.prompt`"):
        MockupParameters.parse({"background.prompt": "oak " * 200})
