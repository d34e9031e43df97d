"""Audit: what `packshot audit` found last, and asking for another. Nothing is compared while a page is made."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from streams.facts import EVERY, Audits, NotedAudit, NotedFinding
from streams.runtime.clock import now_ms
from streams.services.audit import reports
from streams.services.audit.findings import KINDS
from streams.web.pages import UNSTORED, page
from streams.web.routes.door import Form
from streams.web.visitors import OPERATE, VIEW, Looking, Visitor

SHOWN = 20


@dataclass(frozen=True)
class Audited:
    """What a visitor may see of the audits: of one tenant its own findings, `whole` for who may see every tenant."""

    rows: list[NotedAudit]
    last: NotedAudit | None
    findings: list[NotedFinding]
    is_whole: bool
    at_work: NotedAudit | None

    @property
    def by_kind(self) -> dict[str, int]:
        """How many findings there are of each kind."""
        assert self.last is not None
        figures = self.last.figures
        return {kind: figures.get(kind, 0) if self.is_whole else self._own(kind) for kind in KINDS}

    @property
    def counts(self) -> dict[str, int]:
        """What was counted, besides what is wrong."""
        assert self.last is not None
        return {name: count for name, count in self.last.figures.items() if name not in KINDS}

    def _own(self, kind: str) -> int:
        return sum(each.kind == kind for each in self.findings)


@get("/desk/{tenant:str}/audit", opt=VIEW, sync_to_thread=True)
def show_audit(visitor: Looking) -> Response[str]:
    """The page; it is fetched anew while an audit is at work."""
    return page(visitor, "audit", told=_audited(visitor), kinds=KINDS)


@get("/desk/{tenant:str}/audit/newest", opt=VIEW, sync_to_thread=True)
def show_newest(visitor: Looking) -> Response[str]:
    """What was found, anew."""
    return page(visitor, "audit_newest", told=_audited(visitor), kinds=KINDS)


@post("/desk/{tenant:str}/audit/begin", opt=OPERATE, sync_to_thread=True)
def begin(visitor: Looking, data: Form) -> Redirect:
    """Begins an audit of everything, in a process of its own."""
    place = visitor.place
    reports.start(place.settings, place.database, visitor.name, deep=bool(data.get("deep")))
    return Redirect(visitor.address("audit"), status_code=303, headers=UNSTORED)


def _audited(visitor: Visitor) -> Audited:
    is_whole, at_ms = EVERY in visitor.session.tenants, now_ms()
    rows = Audits(visitor.place.database).newest(SHOWN)
    last = next((each for each in rows if each.is_whole), None)
    findings = [] if last is None else last.findings
    own = [each for each in findings if is_whole or each.tenant == visitor.tenant]
    return Audited(rows, last, own, is_whole, next((each for each in rows[:1] if each.is_at_work(at_ms)), None))


ROUTES: tuple[Any, ...] = (show_audit, show_newest, begin)
