"""What every error about something from outside has in common: a picture, a parameter, a recipe, a record, a file.

Whoever reads such things raises one of its own kind; whoever answers for them need not know the kinds:
`streams.runtime.errors.Refused.because` makes an answer of any.
"""

from typing import ClassVar

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}


class InputError(Exception):
    """Something from outside cannot be used; the message says what and why, for whoever sent it.

    `code` is stable, `field` names the culprit, `transient` says whether the same may work later.
    """

    code: ClassVar[str] = "bad_input"
    field: str = ""
    transient: bool = False


def in_words(message: str) -> str:
    """A message of msgspec with types as people call them, who need not know Python's names."""
    for name, words in _WORDS.items():
        message = message.replace(f"`{name}`", words)
    return message
