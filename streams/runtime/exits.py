"""What a command or a role ends with. Each number has one meaning; streams/README.md lists them."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit status of a process."""

    OK = 0
    FOUND = 1
    NOT_DONE = 2
    BROKE = 70
    STUCK = 71
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What it says, for people."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "it did what it was told, and found nothing wrong",
    Exit.FOUND: "it did what it was told, and something failed, differs or is missing: it says what",
    Exit.NOT_DONE: "it could not work at all: its arguments, a setting, a file, or a server that is away",
    Exit.BROKE: "nobody foresaw it, or the broker does not take what follows: nothing is committed, start it again",
    Exit.STUCK: "a role with records to read got nowhere, or reached no broker: nothing is committed, start it again",
    Exit.INTERRUPTED: "a person ended it by Ctrl-C",
}
