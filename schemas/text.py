"""Text that may enter: which characters records take, and how what others wrote is made fit for them.

Refused are characters that nobody sees or that change how the text beside them is shown, for names that look alike
would be told apart, and a terminal would obey them: controls (C0, C1), line and paragraph separators, controls of
direction, characters without width, tags; and what is no character: lone surrogates and non-characters.

Titles and the like may hold what some scripts need and nobody sees (the joiners of Persian, Indic and emoji, a soft
hyphen, selectors of a variant); names may not, and a screen shows it by its escape.
"""

import re
from collections.abc import Iterable

# How long texts of ours may be, in characters.
CODE_MAX = 64
FIELD_MAX = 256
ID_MAX = 256
KEY_MAX = 256
MESSAGE_MAX = 2000
REASON_MAX = 4096

NAME = "[A-Za-z0-9][A-Za-z0-9._-]"  # a name's pattern is this and how many of the second

_UNFIT = sorted(
    [
        (0x00, 0x1F), (0x7F, 0x9F),  # controls
        (0x61C, 0x61C), (0x200E, 0x200F), (0x2028, 0x202E),  # direction, separators
        (0x200B, 0x200B), (0x2060, 0x206F), (0xFEFF, 0xFEFF),  # without width
        (0xFFF9, 0xFFFB), (0xE0000, 0xE007F),  # marks of notes, tags
        (0xD800, 0xDFFF), (0xFDD0, 0xFDEF),  # no characters
        *((plane << 16 | 0xFFFE, plane << 16 | 0xFFFF) for plane in range(17)),
    ]
)  # fmt: skip
_UNSEEN = [
    (0xAD, 0xAD), (0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200C, 0x200D),
    (0x3164, 0x3164), (0xFFA0, 0xFFA0), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0080, 0xE0FFF),
]  # fmt: skip
"""Unicode's Default_Ignorable_Code_Point, without what is unfit anyway."""
_VARIANTS = (0xFE00, 0xFE0F)  # they only choose a form, of emoji above all: no name needs them, a screen knows them


def _gaps(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    ordered = sorted(ranges)
    return [*zip([0, *(last + 1 for _, last in ordered)], [first - 1 for first, _ in ordered], strict=False)]


def _class(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(f"{_escape(first)}-{_escape(last)}" for first, last in ranges if first <= last)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


UNFIT = _class(_UNFIT)
"""What goes between the brackets of a regular expression's class."""


# What is fit rather than not what is unfit, and ASCII first: it takes a tenth of the time.
def _fit(unfit: Iterable[tuple[int, int]]) -> str:
    return f"[ -~]*(?:[{_class((max(first, 0xA0), last) for first, last in _gaps(unfit))}][ -~]*)*"


FIT = _fit(_UNFIT)
FIT_NAME = _fit([*_UNFIT, *_UNSEEN, _VARIANTS])
FIT_LINES = FIT.replace(" -~", r" -~\t\n\r")
_FIT_ELSEWHERE = f"[^{_class(pair for pair in _UNFIT if pair[1] < 0x10000)}]*"
UNSHOWN = _class([*_UNFIT, *_UNSEEN])
"""The same, of what a screen shows by its escape."""
_UNSHOWN_ONE = re.compile(f"[{UNSHOWN}]")
_BREAKS = re.compile(r"[\t-\r\x85\u2028\u2029]+")


def whole(pattern: str) -> str:
    """`pattern` for the whole of a text: a bare `$` lets a line break at the end pass. Means the same in ECMAScript."""
    return rf"^(?:{pattern})$(?!\n)"


def explained(message: str) -> str:
    """What an error of msgspec says of a value, in words: without patterns, and types as people call them."""
    for pattern, words in _PATTERNS.items():
        message = message.replace(f"matching regex {whole(pattern)!r}", words)
    for name, words in _TYPES.items():
        message = message.replace(f"`{name}`", words)
    return message


_PATTERNS = {
    **dict.fromkeys((FIT, FIT_NAME, FIT_LINES), "without control, invisible or unpaired characters"),
    f"{NAME}*": "of letters without accents, digits, dots, dashes and underscores, which begins with a letter or digit",
}
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}


def portable(pattern: str) -> str:
    """`pattern` as a JSON Schema may hold it: without the escapes that only Python knows, and so a little wider."""
    return pattern.replace(FIT_NAME, _FIT_ELSEWHERE).replace(FIT, _FIT_ELSEWHERE)


def printable(text: str, length_max: int) -> str:
    """What others wrote, fit for every record: line breaks are spaces, other unfit characters shown by their escapes.

    Text of more than `length_max` characters is cut there, and ends in an ellipsis.
    """
    fit = _UNSHOWN_ONE.sub(_escaped, _BREAKS.sub(" ", text[: length_max + 1]))
    return fit if max(len(fit), len(text)) <= length_max else fit[: length_max - 1] + "…"


def _escaped(unfit: re.Match[str]) -> str:
    return unfit[0].encode("unicode_escape", "surrogatepass").decode()
