"""Text as rules read it: what looks the same is the same.

Unicode's NFKC, without what nobody sees, in lower case; and in a word that mixes scripts the Cyrillic and Greek letters
that look like Latin ones are those, for nobody writes so who does not hide something.
"""

import re
import unicodedata

_LOOKALIKES = str.maketrans(
    {
        **dict(zip("аеёорсухіїјѕһԁԛԝкмтпгв", "aeeopcyxiijshdqwkmtnrb", strict=True)),  # Cyrillic
        **dict(zip("αεικνορτυχωϲ", "aeikvoptuxwc", strict=True)),  # Greek
    }
)
_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"\s+")
_LATIN = "LATIN"


def folded(text: str) -> str:
    """`text` as rules read it."""
    plain = unicodedata.normalize("NFKC", text)
    seen = "".join(
        each for each in plain if unicodedata.category(each) not in ("Cf", "Mn", "Me", "Cc") or each.isspace()
    )
    lowered = unicodedata.normalize("NFKC", seen.casefold())
    return _SPACES.sub(" ", _WORD.sub(_one_script, lowered)).strip()


def is_read(text: str) -> bool:
    """Whether most of the letters are Latin, which the rules are written in; text without letters is."""
    letters = [each for each in folded(text) if each.isalpha()]
    return sum(_is_latin(each) for each in letters) >= 0.5 * len(letters)


def hides(text: str) -> bool:
    """Whether a word mixes letters that look alike, or holds what nobody sees between letters of Latin script."""
    return any(_is_mixed(word) for word in _WORD.findall(unicodedata.normalize("NFKC", text)))


def _one_script(word: re.Match[str]) -> str:
    return word[0].translate(_LOOKALIKES) if _is_mixed(word[0]) else word[0]


def _is_mixed(word: str) -> bool:
    letters = [each for each in word.casefold() if each.isalpha()]
    others = [each for each in letters if not _is_latin(each)]
    return 0 < len(others) < len(letters) and all(ord(each) in _LOOKALIKES for each in others)


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_LATIN) or letter == "ª"
