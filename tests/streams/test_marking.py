"""The same words at the same place in photographs of several products: laid over them."""

from msgspec.structs import replace

from gpu_workers.imaging.writing import Line, Writing
from gpu_workers.reading.photograph import marks_of
from schemas.records import Event, PublishRequested, ReviewRequested, TaskCompleted
from tests.streams.flow import Flow, done, tasks, upsert


def line(text: str, x: float, y: float, inside: float = 0.0, confidence: float = 0.95) -> Line:
    quad = (x - 50, y - 8, x + 50, y - 8, x + 50, y + 8, x - 50, y + 8)
    return Line(text=text, confidence=confidence, quad=quad, x_height_px=9.0, inside=inside)


def marks(*lines: Line, side: int = 1000) -> set[str]:
    return {*marks_of(Writing(lines=lines, codes=()), side, side)}


def made(flow: Flow, sku: str, *names: str) -> list[Event]:
    """What comes of the picture for amazon of a product whose photograph has these marks."""
    (cut,) = tasks(flow.say(upsert(sku=sku)))
    completed: TaskCompleted = done(cut)
    marked = replace(completed, measures={**completed.measures, **dict.fromkeys(names, 1.0)})
    return [
        answer for task in tasks(flow.say(marked)) if task.step.asset == "amazon-1" for answer in flow.say(done(task))
    ]


def test_the_same_words_at_the_same_place_have_a_name_in_common_wherever_the_place_lies() -> None:
    for at in range(100, 900, 7):
        assert marks(line("studioname", at, at)) & marks(line("Studio Name", at + 30, at - 30)), at


def test_other_words_and_other_places_have_none() -> None:
    here = marks(line("studioname", 200, 200))
    assert len(here) == 2
    assert not here & marks(line("another", 200, 200))
    assert not here & marks(line("studioname", 600, 200))


def test_what_is_on_the_product_or_unsure_or_short_is_no_mark() -> None:
    on, unsure, short = (
        line("brand name", 500, 500, inside=1.0),
        line("studio", 9, 9, confidence=0.5),
        line("no 1", 9, 9),
    )
    assert marks(on, unsure, short) == set()


def test_a_mark_on_several_products_is_for_a_person_and_about_the_source(flow: Flow) -> None:
    events = [made(flow, sku, "mark.ab", f"mark.{sku.lower()}") for sku in ("A", "B", "C", "D")]
    assert [type(each) for (each,) in events] == [PublishRequested, PublishRequested, PublishRequested, ReviewRequested]
    (request,) = events[-1]
    assert isinstance(request, ReviewRequested)
    assert [(doubt.about, doubt.checks) for doubt in request.doubts] == [("source", ["same_marks"])]
    assert "same_marks is 3" in request.reason


def test_a_product_announced_again_and_another_tenant_count_for_nothing(flow: Flow) -> None:
    for _ in range(4):
        made(flow, "A", "mark.ab")
    with flow.database.read() as facts:
        assert facts.marks.others("demo", "B", {"ab"}) == 1
        assert facts.marks.others("other", "B", {"ab"}) == 0
        assert facts.marks.others("demo", "A", {"ab"}) == 0
