"""Signing in at the desk: a link that works once, and the session that it opens.

Nobody has a password here. Whoever can run `packshot` on the system makes a link and hands it to a person; an identity
provider signs people in by its own means, see `streams.services.access.oidc`.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

import msgspec

from schemas.records import Name
from streams.facts import Database
from streams.facts.sessions import EVERY, SEEN_EVERY_MS, DeskLink, DeskSession, DeskSessions, Role
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused

LINK_MS = 15 * 60_000  # long enough to hand a link over, short enough that a lost one opens nothing
SESSION_MS = 12 * 3600_000  # a long working day
IDLE_MS = 2 * 3600_000
RANDOM_BYTES = 32
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")  # so many bytes in base64


@dataclass(frozen=True)
class SignIn:
    """A link that signs somebody in, and whom: for whoever made it."""

    link: str
    name: str
    role: Role
    tenants: tuple[str, ...]


def link(database: Database, name: str, tenants: tuple[str, ...], role: Role) -> str:
    """The code of a new link, which nobody can tell again. Raises Refused."""
    _check(name, tenants)
    code, now = secrets.token_urlsafe(RANDOM_BYTES), now_ms()
    DeskSessions(database).put_link(DeskLink(digest_of(code), name, role, tenants, now, now + LINK_MS))
    return code


def address(base_url: str, code: str) -> str:
    """The link. The code is behind a #, which no browser sends: it is in nobody's log."""
    return f"{base_url}/desk/-/sign-in#{code}"


def enter(database: Database, code: str) -> tuple[str, DeskSession]:
    """The token of a new session, and what is known of it. Raises Refused for a link that opens nothing."""
    token, session = secrets.token_urlsafe(RANDOM_BYTES), None
    if _CODE.fullmatch(code):
        session = DeskSessions(database).enter(digest_of(code), digest_of(token), now_ms(), SESSION_MS)
    if session is None:
        raise Refused("link_unknown", "the link was used before, is over, or was never made", field="code")
    return token, session


def opened(database: Database, token: str) -> DeskSession | None:
    """The session of a token that is valid now; None for any other. What is no token costs no look-up."""
    if not _CODE.fullmatch(token):
        return None
    known, now = DeskSessions(database), now_ms()
    session = known.find(digest_of(token))
    if session is None or not session.is_valid(now, IDLE_MS):
        return None
    if session.seen_at_ms < now - SEEN_EVERY_MS:
        known.seen(session.digest, now)
    return session


def leave(database: Database, session: DeskSession) -> None:
    """Ends a session at once."""
    DeskSessions(database).end(session.digest, now_ms())


def digest_of(text: str) -> str:
    """What is kept of a code or a token: its SHA-256. It is of 256 random bits, so that a fast hash is enough."""
    return hashlib.sha256(text.encode()).hexdigest()


def form_token(token: str) -> str:
    """What every form and fetch of a session says, and no other site can know: it is made of the session's token."""
    return hmac.new(token.encode(), b"packshot.desk.form", hashlib.sha256).hexdigest()


def _check(name: str, tenants: tuple[str, ...]) -> None:
    names = (("name", name), *(("tenants", each) for each in tenants if each != EVERY))
    for field, text in names:
        try:
            msgspec.convert(text, Name)
        except msgspec.ValidationError as error:
            raise Refused("bad_name", f"{text!r}: {error}", field=field) from error
    if not tenants:
        raise Refused("bad_name", "a link is for one tenant at least", field="tenants")
