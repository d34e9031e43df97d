"""Costs: each tenant sees its own, and who sees several sees them side by side."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from streams.facts import Database
from tests.streams.web.conftest import Client
from tests.streams.web.test_pages import share

SignIn = Callable[..., Client]
TENANTS = ("acme", "demo", "other")


@pytest.fixture
def spent(database: Database) -> None:
    with database.begin() as facts:
        for number, tenant in enumerate(TENANTS):
            known = replace(share(f"task-{tenant}", "web-1", 1000.0), tenant=tenant)
            facts.costs.put([replace(known, result_id=tenant, price_nanos=(number + 1) * 1_000_000_000)])


def tenants_on(page: str) -> list[str]:
    """The tenants that the page tells of, in order."""
    return [name for name in TENANTS if f'href="/desk/{name}/costs"' in page.partition("By tenant")[2]]


@pytest.mark.usefixtures("spent")
def test_who_runs_the_system_sees_every_tenants_costs(sign_in: SignIn) -> None:
    page = sign_in("*", role="operator").get("/desk/demo/costs").text
    assert tenants_on(page) == list(TENANTS)
    assert [text in page for text in ("1.00", "2.00", "3.00")] == [True] * 3
    assert "By channel" in page
    assert "By operation" in page


@pytest.mark.usefixtures("spent")
def test_a_tenant_sees_its_own_costs_alone(sign_in: SignIn) -> None:
    page = sign_in("demo", role="operator").get("/desk/demo/costs").text
    assert "By tenant" not in page
    assert [name in page for name in TENANTS] == [False, True, False]
    assert [text in page for text in ("1.00", "2.00", "3.00")] == [False, True, False]


@pytest.mark.usefixtures("spent")
def test_somebody_of_two_tenants_sees_these_two(sign_in: SignIn) -> None:
    page = sign_in("demo", "acme").get("/desk/demo/costs").text
    assert tenants_on(page) == ["acme", "demo"]
    assert "other" not in page
