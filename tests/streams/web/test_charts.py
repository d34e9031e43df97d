"""The course of the pass rate as lines: within the picture, in order, whatever the figures."""

from random import Random

import pytest

from streams.services.reports.quality import Tally
from streams.web.charts import HEIGHT, WIDTH, Course


def tallies(count: int, random: Random) -> list[Tally]:
    made = []
    for number in range(count):
        passed, review, failed = (random.randint(0, 50) for _ in range(3))
        judged = max(1, passed + review + failed)
        made.append(Tally(name=f"day {number}", judged=judged, passed=passed, review=review, failed=failed))
    return made


@pytest.mark.parametrize("count", [1, 2, 30])
def test_dots_and_bars_lie_within_the_picture_in_order(count: int) -> None:
    course = Course.of(tallies(count, Random(count)))
    assert [each.x for each in course.days] == sorted({each.x for each in course.days})
    for each in course.days:
        assert each.bar_x >= 0
        assert each.bar_x + each.bar_width <= WIDTH
        assert 0 <= each.y <= HEIGHT
        assert each.bar_height >= 0
    assert course.line.count(",") == count


def test_all_lies_on_the_upper_rule_and_none_on_the_lower() -> None:
    good = Tally(name="a", judged=4, passed=4, review=0, failed=0)
    bad = Tally(name="b", judged=2, passed=0, review=1, failed=1)
    course = Course.of([good, bad])
    heights = {name: height for height, name in course.rules}
    assert [each.y for each in course.days] == [heights["100%"], heights["0%"]]
    assert course.days[1].bar_height == pytest.approx(course.days[0].bar_height / 2)


def test_no_day_is_no_line() -> None:
    assert Course.of([]).line == ""
