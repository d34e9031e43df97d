"""What others wrote is made fit for every record, whatever it was."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.text import FIT, FIT_NAME, MESSAGE_MAX, UNFIT, portable, printable, whole

UNFIT_SHOWN = {
    "no\x00thing": r"no\x00thing",
    "\x1b[31mred": r"\x1b[31mred",
    "a\x9bb": r"a\x9bb",
    "abc\u202edef": r"abc\u202edef",
    "zero\u200bwidth\ufeff": r"zero\u200bwidth\ufeff",
    "half \ud800": r"half \ud800",
    "none \U0001fffe\ufdd0": r"none \U0001fffe\ufdd0",
    "first\r\nsecond\tthird": "first second third",
    "first\u2028second": "first second",
    "漢字 é 😀 عربى": "漢字 é 😀 عربى",
}


@pytest.mark.parametrize("text", UNFIT_SHOWN)
def test_what_is_unfit_is_shown_by_its_escape(text: str) -> None:
    assert printable(text, 100) == UNFIT_SHOWN[text]


@given(st.text(st.characters(codec=None), max_size=300), st.integers(1, 100))
def test_any_text_becomes_fit_and_no_longer_than_the_limit(text: str, length_max: int) -> None:
    made = printable(text, length_max)
    assert len(made) <= length_max
    assert re.search(f"[{UNFIT}]", made) is None
    assert printable(made, length_max) == made
    made.encode()


def test_every_control_and_every_direction_is_unfit() -> None:
    unfit = re.compile(f"[{UNFIT}]")
    passed = unfit.sub("", "".join(map(chr, range(0x110000))))
    assert not [char for char in passed if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [char for char in passed if unicodedata.bidirectional(char) in ("LRE", "RLE", "LRO", "RLO", "PDF")]
    assert not [char for char in passed if ord(char) & 0xFFFE == 0xFFFE]


def test_a_cut_is_reported() -> None:
    assert printable("x" * 3000, MESSAGE_MAX) == "x" * (MESSAGE_MAX - 1) + "…"


def test_a_pattern_for_the_whole_lets_no_line_break_pass() -> None:
    assert re.search(whole("[a-z]+"), "acme")
    assert not re.search(whole("[a-z]+"), "acme\n")
    assert not re.search(whole("a|b"), "ac")


@given(st.text(st.characters(codec=None), max_size=50))
def test_a_text_is_fit_when_it_has_nothing_unfit(text: str) -> None:
    assert bool(re.search(whole(FIT), text)) == (re.search(f"[{UNFIT}]", text) is None)


def test_a_portable_pattern_has_no_escape_that_only_python_knows() -> None:
    assert r"\U" not in portable(whole(FIT))


@pytest.mark.parametrize("code", [0xAD, 0x34F, 0x115F, 0x17B4, 0x180E, 0x3164, 0xFFA0, 0x1D173, 0xE0100])
def test_what_nobody_sees_is_in_no_name_and_shown_by_its_escape(code: int) -> None:
    text = f"A{chr(code)}B"
    assert not re.match(whole(FIT_NAME), text)
    assert re.match(whole(FIT), text)
    assert printable(text, 100).isascii()


def test_a_name_needs_no_variant_and_a_screen_shows_it() -> None:
    heart = "❤️"
    assert not re.match(whole(FIT_NAME), heart)
    assert printable(heart, 100) == heart


def test_what_is_a_name_is_fit_and_quick_to_tell() -> None:
    for name in ("Größe 40 – blau", "キャップ", "قميص", "🧢", "a" * 128):
        assert re.match(whole(FIT_NAME), name)
    assert not re.match(whole(FIT_NAME), "é" * 20_000 + "\n")


@pytest.mark.parametrize("title", ["می\u200cخواهم", "क्\u200dष", "👩\u200d🔬 lab coat", "soft\u00adhyphen"])
def test_titles_hold_what_their_script_needs_names_do_not_and_screens_show_it(title: str) -> None:
    assert re.search(whole(FIT), title)
    assert not re.search(whole(FIT_NAME), title)
    assert printable(title, 100) != title
