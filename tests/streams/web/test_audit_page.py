"""The audit's page: it shows what was noted and never looks itself; a tenant sees its own findings, and no figures."""

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from streams.facts import Audits, Database, NotedFinding
from streams.facts.audits import FINDINGS_KEPT, GONE_AFTER_MS, KEPT
from streams.runtime.clock import now_ms
from streams.runtime.settings import Settings
from streams.services.audit import reports
from streams.services.audit.findings import Finding, Report
from streams.web.routes import audit as page
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]
AT = "/desk/demo/audit"
OURS = NotedFinding("stuck", "demo|<b>A</b> main v1", "planned, and nothing is under way", "demo")
THEIRS = NotedFinding("lost", "abc", "other|B: read 1 times, ended 0 times", "other")
NOBODYS = NotedFinding("unsent", "outbox", "3 records, the oldest for 90 s")
FIGURES = {"tasks": 1234, "stuck": 1, "lost": 1, "unsent": 1}


@pytest.fixture
def audits(database: Database) -> Audits:
    made = Audits(database)
    number = made.begin(now_ms() - 5000, "desk/theirs", deep=True)
    made.end(number, now_ms(), FIGURES, [OURS, THEIRS, NOBODYS])
    return made


def test_a_tenant_sees_its_own_findings_and_no_figures(audits: Audits, sign_in: SignIn) -> None:
    assert audits.newest(1)[0].found == 3
    page = sign_in("demo", role="viewer").get(AT).text
    assert "demo|&lt;b&gt;A&lt;/b&gt; main v1" in page
    for hidden in ("other|B", "outbox", "1,234", "desk/theirs", "<b>A</b>", "Audit now"):
        assert hidden not in page


def test_who_may_see_all_sees_all(audits: Audits, sign_in: SignIn) -> None:
    assert audits.newest(1)
    page = sign_in("*", role="operator").get(AT).text
    for shown in ("3 found", "other|B", "outbox", "1,234", "desk/theirs", "every live file was read", "Audit now"):
        assert shown in page


def test_the_page_looks_at_nothing_itself(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: Any, **__: Any) -> None:
        raise AssertionError("the page audits")

    monkeypatch.setattr(reports, "audit", looked)
    assert "Nobody has audited yet" in sign_in("demo").get(AT).text


def test_one_at_a_time(sign_in: SignIn, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_watch", lambda *_: None)
    client = sign_in("*", role="operator")
    begun = client.post(f"{AT}/begin", data={"deep": "yes"}, follow_redirects=False)
    assert begun.status_code == 303
    assert client.post(f"{AT}/begin", data={}, follow_redirects=False).status_code == 422
    assert "data-refresh" in client.get(AT).text
    known = Audits(database).newest(5)
    assert [(each.asked_by, each.is_deep) for each in known] == [("desk/ada", True)]
    assert sign_in("*", role="reviewer").post(f"{AT}/begin", data={}).status_code == 403


def test_one_that_was_killed_is_not_at_work_for_ever(sign_in: SignIn, database: Database) -> None:
    Audits(database).begin(now_ms() - GONE_AFTER_MS - 1, "x", deep=False)
    page = sign_in("*", role="operator").get(AT).text
    assert "it ended without a word" in page
    assert "data-refresh" not in page


def test_a_process_that_dies_is_reported(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(settings.database)
    database.create_tables()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(reports, "ENDS", (0,))  # which /bin/false does not end with
    reports.start(settings, database, "ada", deep=False)
    while (known := Audits(database).newest(1)[0]).ended_at_ms is None:
        time.sleep(0.02)
    assert known.why == "its process ended with 1"
    database.close()


def test_what_goes_wrong_is_noted_and_raised(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Report:
        raise RuntimeError("the broker is away, password=hunter2")

    monkeypatch.setattr(reports, "audit", away)
    with pytest.raises(RuntimeError):
        reports.noted(settings, "ada", deep=False)
    database = Database(settings.database)
    (known,) = Audits(database).newest(5)
    database.close()
    assert known.why.startswith("the broker is away")
    assert not known.is_whole


def test_much_is_kept_in_part_and_old_ones_are_forgotten(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("lost", f"{number}", "x", "demo") for number in range(FINDINGS_KEPT + 5)]
    monkeypatch.setattr(reports, "audit", lambda *_, **__: Report({}, found))
    assert not reports.noted(settings, "ada", deep=False).clean
    database = Database(settings.database)
    audits = Audits(database)
    first = audits.newest(1)[0]
    assert (first.found, len(first.findings)) == (FINDINGS_KEPT + 5, FINDINGS_KEPT)
    for _ in range(KEPT + 3):
        audits.begin(now_ms(), "ada", deep=False)
    assert len(audits.newest(1000)) == KEPT
    database.close()


def test_a_page_tells_kinds_of_ones_own(audits: Audits, sign_in: SignIn) -> None:
    assert page.SHOWN >= 1
    assert audits.newest(1)
    shown = sign_in("demo").get(AT).text
    assert "1 found" in shown
