"""What the tests of packshots share."""

import msgspec

from schemas import channels
from schemas.channels import Channel, Size


def small(name: str, **rules: object) -> Channel:
    """The rules of a channel on a canvas of a few hundred pixels, enlargement allowed."""
    given: dict[str, object] = {"canvas": Size(320, 320), "smallest": Size(80, 80), "scale_max": 4.0}
    return msgspec.structs.replace(channels.load(name), **given | rules)
