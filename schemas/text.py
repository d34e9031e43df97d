"""Text that may enter: which characters records take, and how what others wrote is made fit for them.

Refused are characters that nobody sees or that change how the text beside them is shown, for names that look alike
would be told apart, and a terminal would obey them: controls (C0, C1), line and paragraph separators, controls of
direction, characters without width, tags; and what is no character: lone surrogates and non-characters.
"""

import re

# How long texts of ours may be, in characters.
CODE_MAX = 64
FIELD_MAX = 256
ID_MAX = 256
KEY_MAX = 256
MESSAGE_MAX = 2000
REASON_MAX = 4096

# A class of regular expressions, in escapes that Python and, up to the planes beyond the first, ECMAScript know.
UNFIT = (
    r"\x00-\x1f\x7f-\x9f"  # controls
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # separators, direction, without width
    r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # no characters
    r"\U000e0000-\U000e007f"  # tags
) + "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 17))
_UNFIT = re.compile(f"[{UNFIT}]")
_BREAKS = re.compile(r"[\t-\r\x85\u2028\u2029]+")
_ASTRAL = re.compile(r"\\U[0-9a-f]{8}(-\\U[0-9a-f]{8})?")


def whole(pattern: str) -> str:
    """`pattern` for the whole of a text: a bare `$` lets a line break at the end pass. Means the same in ECMAScript."""
    return rf"^(?:{pattern})$(?!\n)"


def portable(pattern: str) -> str:
    """`pattern` as a JSON Schema may hold it: without the escapes that only Python knows."""
    return _ASTRAL.sub("", pattern)


def printable(text: str, length_max: int) -> str:
    """What others wrote, fit for every record: line breaks are spaces, other unfit characters shown by their escapes.

    Text of more than `length_max` characters is cut there, and ends in an ellipsis.
    """
    fit = _UNFIT.sub(_escaped, _BREAKS.sub(" ", text[: length_max + 1]))
    return fit if max(len(fit), len(text)) <= length_max else fit[: length_max - 1] + "…"


def _escaped(unfit: re.Match[str]) -> str:
    return unfit[0].encode("unicode_escape", "surrogatepass").decode()
