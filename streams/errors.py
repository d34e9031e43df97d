"""The two ways in which an event may not be worked on now.

Refused        the event itself, or what it points to, is at fault: a typed answer, and its bytes are kept
Unavailable    something that every event needs is away: the same event is tried again until it is back
"""


class Refused(Exception):
    """An event cannot be worked on. `transient`: it may work later. `code` is stable, `field` names the culprit."""

    def __init__(self, code: str, message: str, *, field: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.transient = transient


class Unavailable(Exception):
    """A database, a store or a broker is away, or full; the message says which."""
