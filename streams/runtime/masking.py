"""Passwords in addresses and texts, never to be shown."""

import re

MASK = "***"
# A text may be as long as a record: each expression reads it once, so a scheme is sought where its characters begin,
# and users only in what runs up to an @ without a space or a quote.
_UP_TO_AT = re.compile(r"(?<![^\s'\"])[^\s'\"]*@")
_SCHEME = r"(?<![A-Za-z0-9+.-])([0-9+.-]*+[A-Za-z][A-Za-z0-9+.-]*+:"
_USER = re.compile(_SCHEME + r"/{0,2})[^\s/@?#'\"]*:[^\s'\"]*@")
_USER_ALONE = re.compile(_SCHEME + r"//)[^\s/@?#'\"]+@")
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
    return _NAMED.sub(rf"\1{MASK}", _UP_TO_AT.sub(_without_users, text))


def _without_users(found: re.Match[str]) -> str:
    return _USER_ALONE.sub(rf"\1{MASK}@", _USER.sub(rf"\1{MASK}@", found[0]))
