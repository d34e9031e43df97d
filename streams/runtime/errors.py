"""The two ways in which an event may not be worked on now.

Refused        the event itself, or what it points to, is at fault: a typed answer, and its bytes are kept
Unavailable    something that every event needs is away: the same event is tried again until it is back

A refusal is of one of three kinds.

transient      it may work later: tried again after a while, a few times
permanent      it never will: dead at once
poison         whoever works on it breaks, in a way that nobody foresaw: dead, and worth a look by a developer
"""

from schemas.errors import InputError
from schemas.records import FailureKind
from schemas.text import CODE_MAX, FIELD_MAX, MESSAGE_MAX, printable


class Refused(Exception):
    """An event cannot be worked on. `code` is stable, `field` names the culprit; both are fit for every record."""

    def __init__(
        self, code: str, message: str, *, field: str = "", transient: bool = False, poison: bool = False
    ) -> None:
        super().__init__(message)
        self.code = printable(code, CODE_MAX)
        self.field = printable(field, FIELD_MAX)
        self.kind: FailureKind = "transient" if transient else "poison" if poison else "permanent"

    @classmethod
    def because(cls, error: InputError, *, field: str | None = None) -> "Refused":
        """The answer to what is wrong with an input; `field` where the caller's event has another name for it."""
        return cls(error.code, str(error), field=error.field if field is None else field, transient=error.transient)

    @property
    def message(self) -> str:
        """What it says, fit for every record, whatever a host or a file had to say in it."""
        return printable(str(self), MESSAGE_MAX)

    @property
    def transient(self) -> bool:
        """Whether it may work later."""
        return self.kind == "transient"


class Unavailable(Exception):
    """A database, a store or a broker is away, or full; the message says which."""
