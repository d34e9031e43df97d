"""The files that pages need, under an address that is of just these files, so that browsers may keep them."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def address(name: str) -> str:
    """The address of a file."""
    version, found = _files()
    assert name in found, name
    return f"/desk/-/static/{version}/{name}"


def of(version: str) -> Mapping[str, bytes]:
    """The files of a version: none of any but this one."""
    known, found = _files()
    return found if version == known else {}


@cache
def _files() -> tuple[str, dict[str, bytes]]:
    folder = resources.files("streams.web") / "static"
    found = {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in TYPES}
    whole = b"".join(name.encode() + data for name, data in sorted(found.items()))
    return hashlib.sha256(whole).hexdigest()[:12], found
