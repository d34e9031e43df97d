"""Reviewing through an API elsewhere: the same cases and decisions, by a key with the scopes `read` and `review`."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from schemas.records import DecisionUndone
from streams.client import Client
from streams.client.base import Call
from streams.runtime.errors import Refused
from streams.services.review.cases import CasePage, CaseSummary, CaseView, Decision, Wanted, Word

CASE_ID_CHARACTERS = 64
T = TypeVar("T")


def every(client: Client, wanted: Wanted) -> list[CaseSummary]:
    """The cases that wait, by deadline, then age. Raises Problem."""
    return list(_cases(client, wanted))


def find(client: Client, shortened: str) -> str:
    """The id of the one case that waits and begins so; a whole id is taken as it is. Raises Refused, Problem."""
    if len(shortened) == CASE_ID_CHARACTERS:
        return shortened
    found = [each.case_id for each in _cases(client, Wanted()) if each.case_id.startswith(shortened)]
    if len(found) != 1:
        count = "no case that waits begins" if not found else "several cases begin"
        raise Refused("unknown_case", f"{count} with {shortened!r}; a whole id is taken, too", field="case_id")
    return found[0]


def get(client: Client, case_id: str) -> CaseView:
    """A case. Raises Problem."""
    return client.send(_call("GET", f"reviews/cases/{case_id}", CaseView))


def decide(client: Client, case_id: str, decision: Decision, holder: str) -> Word:
    """What a person says of a case, for all assets that wait for it. Raises Problem."""
    body = msgspec.json.encode(decision)
    return client.send(_call("POST", f"reviews/cases/{case_id}/decision", Word, {"holder": holder}, body))


def undo(client: Client, case_id: str, reason: str) -> DecisionUndone:
    """Takes the decision on a case back. Raises Problem."""
    return client.send(_call("DELETE", f"reviews/cases/{case_id}/decision", DecisionUndone, {"reason": reason}))


def _cases(client: Client, wanted: Wanted) -> Iterator[CaseSummary]:
    filters = {name: getattr(wanted, name) for name in ("sku", "about", "channel", "check", "category")}
    older = {} if wanted.older_than_s is None else {"older_than": f"{round(wanted.older_than_s)}s"}
    cursor: str | None = None
    while True:
        page = client.send(_call("GET", "reviews/cases", CasePage, {**filters, **older, "cursor": cursor}))
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _call(
    method: str, path: str, answer: type[T], params: Mapping[str, Any] | None = None, body: bytes = b""
) -> Call[T]:
    query = {name: str(value) for name, value in (params or {}).items() if value not in (None, "")}
    headers = {"Content-Type": "application/json"} if body else {}
    return Call(method, path, msgspec.json.Decoder(answer).decode, query, headers, body)
