"""What every error about something from outside has in common: a picture, a parameter, a recipe, a record, a file.

Whoever reads such things raises one of its own kind; whoever answers for them need not know the kinds:
`streams.runtime.errors.Refused.because` makes an answer of any.
"""

from typing import ClassVar


class InputError(Exception):
    """Something from outside cannot be used; the message says what and why, for whoever sent it.

    `code` is stable, `field` names the culprit, `transient` says whether the same may work later.
    """

    code: ClassVar[str] = "bad_input"
    field: str = ""
    transient: bool = False
