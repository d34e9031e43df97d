"""How a picture came about goes along with its tasks, and is what is asked for at its publication."""

from msgspec.structs import replace

from schemas.records import Action, Blob, Origin, Source, Step, Task, TaskCompleted
from streams.flow.processors.planning import following, redone
from streams.flow.processors.telling import provenance, with_action

SOURCE = Source(uri="https://user:secret@shop.example/mug.jpg")
BLOB = Blob(role="cutout", digest="cd" * 32, media_type="image/png", width_px=4, height_px=4, size_bytes=9)
PACKSHOT = Step(operation="packshot", asset="web-1", channel="web", parameters={"padding": "0.1"})
CUTOUT = Task(
    task_id="aa" * 32, tenant="acme", sku="mug", version=1, lane="standard", source=SOURCE,
    step=Step(operation="cutout", parameters={"subject": "auto"}, next=[PACKSHOT]),
)  # fmt: skip


def done(task: Task, **more: object) -> TaskCompleted:
    return TaskCompleted(task=task, outcome="done", outputs=[BLOB], **more)  # type: ignore[arg-type]


def cut(**more: object) -> TaskCompleted:
    return done(CUTOUT, model="u2netp@1", model_sha256="ab" * 32, source_digest="ef" * 32, **more)


def after(event: TaskCompleted) -> Task:
    measures = {f"cutout.{name}": value for name, value in event.measures.items()}
    return with_action(following(event.task, PACKSHOT, event.outputs, measures, ["u2netp@1"]), event)


def test_each_step_is_reported_with_its_network_and_the_photographs_digest() -> None:
    known = provenance(done(after(cut(measures={"person_share": 0.0}))))
    assert known.photograph == "ef" * 32
    assert known.actions == [
        Action(operation="cutout", parameters={"subject": "auto"}, model="u2netp@1", model_sha256="ab" * 32),
        Action(operation="packshot", parameters={"padding": "0.1"}),
    ]
    assert known.people is False
    assert "secret" not in repr(known)


def test_people_are_seen_or_not_looked_for() -> None:
    assert provenance(done(after(cut(measures={"person_share": 0.2})))).people is True
    assert provenance(done(after(cut()))).people is None


def test_a_step_that_is_redone_is_listed_once() -> None:
    again = redone(after(cut()), {"padding": "0.2"})
    known = provenance(done(again))
    assert [each.operation for each in known.actions] == ["cutout", "packshot"]
    assert known.actions[1].parameters == {"padding": "0.2"}


def test_a_retouch_is_passed_to_the_next_cutout_too() -> None:
    retouched = replace(CUTOUT, origin=Origin(source=SOURCE, retouch=3, actions=[Action(operation="cutout")]))
    known = provenance(done(after(done(retouched, source_digest="ef" * 32))))
    assert known.retouched
    assert [each.operation for each in known.actions] == ["cutout", "packshot"]


def test_what_was_made_before_it_was_noted_says_less_and_nothing_wrong() -> None:
    old = replace(following(CUTOUT, PACKSHOT, [BLOB], {}, ["u2netp@1"]), origin=None)
    known = provenance(done(old))
    assert known.photograph is None
    assert [each.operation for each in known.actions] == ["packshot"]
