"""Passwords in addresses and texts, never to be shown."""

import re

MASK = "***"
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:/{0,2})[^\s/@?#'\"]*:[^\s'\"]*@")
_USER_ALONE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@?#'\"]+@")
# Words that a query or a connection string has before what nobody is to see; a signed address is a key, too.
_NAMED = re.compile(
    r"((?:password|passwd|pwd|passphrase|secret|token|api[-_]?key|access[-_]?key(?:id)?|sig|signature|credential)"
    r"[\"']?\s*[=:]\s*[\"']?)[^\s&;#,'\"}]+",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """The text without the users and passwords of the addresses in it, and without what is named a password.

    It masks too much rather than too little: everything up to the last @ of an address, for passwords hold anything.
    """
    text = _USER.sub(rf"\1{MASK}@", text)
    return _NAMED.sub(rf"\1{MASK}", _USER_ALONE.sub(rf"\1{MASK}@", text))
