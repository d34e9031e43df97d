"""What a caller would like, by RFC 7240: `Prefer: wait=N`."""

import re

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?", re.IGNORECASE)


def wait_s(prefer: str | None) -> int | None:
    """How many seconds of waiting a Prefer header asks for; None where it asks for none."""
    match = _WAIT.search(prefer or "")
    return None if match is None else int(match[1])
