"""The states of an asset: the table, its picture in the README, and that nothing gets round it."""

import ast
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from schemas.records import PublishRequested, TaskCompleted
from streams.facts import Database, IllegalTransition
from streams.facts.states import (
    AWAITS_PUBLISHER,
    ENDED,
    ENDED_BADLY,
    HELD,
    IN_PLAN,
    PLANNING,
    SETTLED,
    STATES,
    TRANSITIONS,
    UNDER_WAY,
    UNFINISHED,
    AssetEvent,
    diagram,
    listing,
)
from streams.services.submitting import fates
from tests.streams.flow import Flow, done, published, tasks, upsert

STREAMS = Path(__file__).parents[2] / "streams"
README = (STREAMS / "README.md").read_text()
TABLE, REPOSITORY = STREAMS / "facts" / "states.py", STREAMS / "facts" / "assets.py"
# What is shown in an order of its own, and a copy that spares the start of `submit` the facts; the test above holds it.
SHOWN = {STREAMS / "commands" / "tables" / "submit.py", STREAMS / "services" / "submitting" / "fates.py"}
OF_PEOPLE = {"begun again", "approved", "redone", "rejected", "undone", "retracted by a person"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    yield opened
    opened.close()


def test_the_readme_shows_the_table_as_it_is() -> None:
    assert f"```mermaid\n{diagram()}\n```" in README
    assert listing() in README


def test_every_event_has_a_transition_and_every_state_a_way_in_and_out() -> None:
    assert TRANSITIONS.keys() == set(typing.get_args(AssetEvent))
    edges = {(source, target) for source, target, _ in PLANNING}
    edges |= {(source, each.target) for each in TRANSITIONS.values() for source in each.sources}
    for state in STATES:
        assert {target for source, target in edges if source == state} - {state}, state
        assert {source for source, target in edges if target == state} - {state}, state


def test_from_every_state_of_the_plan_what_a_person_says_leads_on() -> None:
    for state in IN_PLAN:
        leads_to = {TRANSITIONS[event].target for event in OF_PEOPLE if state in TRANSITIONS[event].sources}  # type: ignore[index]
        assert leads_to - {state}, state


def test_the_sets_of_states_are_what_they_always_were() -> None:
    assert {"planned", "review", "publishing", "published", "failed", "rejected"} == IN_PLAN
    assert {"failed", "rejected"} == ENDED_BADLY
    assert {"published", "failed", "rejected"} == ENDED
    assert {"published", "review", "failed", "rejected"} == SETTLED == fates.SETTLED
    assert {"planned", "publishing", "leaving"} == UNDER_WAY
    assert {"planned", "failed"} == UNFINISHED
    assert {"review", "rejected"} == HELD
    assert {"publishing", "leaving"} == AWAITS_PUBLISHER


def test_no_other_module_has_a_set_of_states() -> None:
    found = {
        file
        for file in STREAMS.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Set | ast.Tuple | ast.List) and len(node.elts) > 1 and _names(node.elts) <= STATES
    }
    assert found - {TABLE} == SHOWN


def test_only_the_repository_writes_assets() -> None:
    found = {
        file
        for file in STREAMS.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("update", "insert", "_upsert", "_put")
        and node.args
        and ast.unparse(node.args[0]) in ("t.assets", "tables.assets", "assets")
    }
    assert found == {REPOSITORY}


@pytest.mark.parametrize("event", sorted(TRANSITIONS))
@pytest.mark.parametrize("state", sorted(STATES))
def test_the_repository_holds_to_the_table(database: Database, state: str, event: AssetEvent) -> None:
    with database.begin() as facts:
        facts.assets.put_plan("demo", "A", 1, {"amazon-1": ("amazon", None)})
    _set(database, state)
    with database.begin() as facts:
        moved = facts.assets.move("demo", "A", "amazon-1", 1, event, reason="why")
        (asset,) = facts.assets.of("demo", "A")
    assert moved is (state in TRANSITIONS[event].sources)
    assert (asset.state, asset.reason) == ((TRANSITIONS[event].target, "why") if moved else (state, ""))


def test_an_event_or_a_state_that_nobody_knows_is_illegal(database: Database) -> None:
    with database.begin() as facts:
        facts.assets.put_plan("demo", "A", 1, {"amazon-1": ("amazon", None)})
        with pytest.raises(IllegalTransition, match="vanished") as caught:
            facts.assets.move("demo", "A", "amazon-1", 1, "vanished")  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.kind) == ("illegal_transition", "permanent")
    _set(database, "limbo")
    with database.begin() as facts, pytest.raises(IllegalTransition, match="limbo"):
        facts.assets.move("demo", "A", "amazon-1", 1, "published")
    with database.begin() as facts, pytest.raises(IllegalTransition, match="limbo"):
        facts.assets.of("demo", "A")


def test_an_illegal_transition_is_an_answer_and_the_role_goes_on(database: Database) -> None:
    flow = Flow(database)
    (cut,) = tasks(flow.say(upsert(channels=["web"])))
    (compose,) = tasks(flow.say(done(cut)))
    request = next(each for each in flow.say(done(compose)) if isinstance(each, PublishRequested))
    _set(database, "limbo")
    assert flow.letters(published(request)) == [("imagery.dead", "illegal_transition")]
    completed = done(compose)
    assert isinstance(completed, TaskCompleted)
    assert flow.letters(completed) == [("imagery.dead", "illegal_transition")]
    assert tasks(flow.say(upsert(sku="B"))), "the next event is answered as ever"


def _names(elements: list[ast.expr]) -> set[object]:
    return {each.value if isinstance(each, ast.Constant) else each for each in elements}


def _set(database: Database, state: str) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE assets SET state = :state"), {"state": state})
