"""Words: the places of what people say, one behind the other, on a review, on a case or on a photograph's cutout."""

from streams.runtime.errors import Refused

AHEAD_MAX = 1000  # of the newest that is known: so many a person never says before the flow has read the first


def check_place(version: int, newest: int) -> None:
    """Raises Refused for a place so far ahead that, taken, it would leave none for what others say later."""
    if version > newest + AHEAD_MAX:
        message = f"{version} is too far ahead of {newest}, the newest that is known"
        raise Refused("version_ahead", message, field="version")
