"""Admission: memory is shared out, who is large gets a turn, who is urgent does not wait, and what runs out is told."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic

import cv2
import numpy as np
import pytest
import pyvips

from gpu_workers.operations.base import ComposeRequest
from gpu_workers.pools import admission, memory, memory_model
from gpu_workers.pools.admission import MB, Budget, OutOfMemory, TooMuchMemory
from gpu_workers.sources.decoding import Header, Picture
from schemas import channels
from schemas.channels.rulebook import SHIPPED
from schemas.records import Step
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings, SettingsError
from streams.services.ordering.local_render import open_studio

WAIT_S = 30.0


class Line:
    """Threads that want memory, held until they are let go; `held` is who has it, in the order in which they got it."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.held: list[str] = []
        self._go: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def wants(self, name: str, wanted_mb: int, *, is_urgent: bool = True) -> None:
        waiting = len(self.budget._line) + 1
        self._go[name] = threading.Event()
        self._threads.append(threading.Thread(target=self._hold, args=(name, wanted_mb, is_urgent)))
        self._threads[-1].start()
        self.until(lambda: name in self.held or len(self.budget._line) >= waiting)

    def ends(self, name: str) -> None:
        self._go[name].set()

    def until(self, is_so: Callable[[], bool]) -> None:
        with self._changed:
            ends_at = monotonic() + WAIT_S
            while not is_so():
                assert monotonic() < ends_at
                self._changed.wait(0.01)

    def join(self) -> None:
        for go in self._go.values():
            go.set()
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()

    def _hold(self, name: str, wanted_mb: int, is_urgent: bool) -> None:
        with self.budget.reserve(wanted_mb * MB, is_urgent=is_urgent):
            with self._changed:
                self.held.append(name)
                self._changed.notify_all()
            self._go[name].wait(WAIT_S)


def test_a_large_picture_is_not_passed_by_small_ones() -> None:
    line = Line(Budget(1000 * MB))
    line.wants("first", 400)
    line.wants("giant", 900)
    line.wants("small", 100)
    assert line.held == ["first"]
    line.ends("first")
    line.until(lambda: len(line.held) == 3)
    assert line.held == ["first", "giant", "small"]
    line.join()
    assert line.budget.free == line.budget.bytes_max


def test_urgent_work_goes_before_what_waits_and_has_room_beside_it() -> None:
    line = Line(Budget(3000 * MB))
    line.wants("bulk", 2000, is_urgent=False)
    line.wants("more", 600, is_urgent=False)  # would leave an urgent picture no room
    line.wants("urgent", 400)
    assert line.held == ["bulk", "urgent"]
    line.ends("bulk")
    line.until(lambda: "more" in line.held)
    line.join()


def test_who_waits_stands_aside_and_who_does_not_wait_does_not() -> None:
    budget, waited = Budget(1000 * MB), list[str]()

    @contextmanager
    def aside(who: str) -> Iterator[None]:
        waited.append(who)
        yield

    first = budget.reserve(600 * MB, while_waiting=lambda: aside("first"))
    second = budget.reserve(600 * MB, while_waiting=lambda: aside("second"))
    with ThreadPoolExecutor(1) as thread:
        with first:
            waiting = thread.submit(second.__enter__)
            ends_at = monotonic() + WAIT_S
            while not waited:
                assert monotonic() < ends_at
            assert not waiting.done()
        assert waiting.result(WAIT_S) > 0
        thread.submit(second.__exit__, None, None, None).result(WAIT_S)
    assert waited == ["second"]
    assert budget.free == budget.bytes_max


def test_a_giant_that_fills_the_budget_gets_it_alone() -> None:
    line = Line(Budget(1000 * MB))
    line.wants("giant", 1000, is_urgent=False)
    assert line.held == ["giant"]
    line.join()


def test_bulk_work_that_waited_long_goes_before_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(Budget(1000 * MB))
    line.wants("first", 800)
    line.wants("giant", 900, is_urgent=False)
    monkeypatch.setattr(admission, "AGEING_S", 0.0)
    line.wants("urgent", 900)
    line.ends("first")
    line.until(lambda: len(line.held) == 2)
    assert line.held == ["first", "giant"]
    line.join()


@pytest.mark.parametrize("seed", range(5))
def test_no_more_is_shared_out_than_there_is_and_everybody_gets_some(seed: int) -> None:
    budget, random = Budget(1000 * MB), Random(seed)
    request = [(random.choice([1, 50, 300, 999, 1000]), random.random() < 0.3) for _ in range(200)]

    def ask(one: tuple[int, bool]) -> int:
        with budget.reserve(one[0] * MB, is_urgent=one[1]):
            assert budget.free >= 0
            return one[0]

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(ask, request)) == [size for size, _ in request]
    assert budget.free == budget.bytes_max


def test_what_the_whole_budget_cannot_hold_is_refused_by_name() -> None:
    budget = Budget(1000 * MB)
    with pytest.raises(TooMuchMemory), budget.reserve(1001 * MB):
        pass
    refusing = pytest.raises(Refused, match=r"a\.jpg: it takes 1,001 MB.*1,000 MB.*PACKSHOT_MEMORY_BUDGET_MB")
    with refusing as refused, memory.admitted(budget, 1001 * MB, "sources", "a.jpg"):
        pass
    assert (refused.value.code, refused.value.field, refused.value.kind) == (
        "source_too_many_pixels",
        "sources",
        "permanent",
    )


def _opencv() -> None:
    raise cv2.error("OpenCV(4.12) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 48000000000 bytes")


def _wrapped() -> None:
    try:
        np.empty(1 << 60, np.uint8)
    except MemoryError as error:
        raise RuntimeError("the engine fails") from error


def _vips() -> None:
    raise pyvips.Error("unable to write to memory", "out of memory --- size == 3GB")


@pytest.mark.parametrize(
    "fail", [lambda: np.empty(1 << 60, np.uint8), lambda: [0] * (1 << 62), _opencv, _wrapped, _vips]
)
def test_memory_that_runs_out_is_worth_another_try_whoever_says_so(fail: Callable[[], object]) -> None:
    with pytest.raises(Refused) as refused, memory.admitted(Budget(MB), MB, "sources", "a.jpg"):
        fail()
    assert (refused.value.code, refused.value.field, refused.value.kind) == ("out_of_memory", "sources", "transient")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(KeyError), admission.running_out():
        raise KeyError("out of memory")
    with pytest.raises(OutOfMemory), admission.running_out():
        raise RuntimeError("std::bad_alloc")


@pytest.mark.parametrize(
    ("files", "limit_mb"),
    [
        ({"sys/fs/cgroup/memory.max": "max\n"}, 8000),
        ({"sys/fs/cgroup/memory.max": f"{3000 * MB}\n"}, 3000),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2000 * MB}\n"}, 2000),
        (
            {
                "proc/self/cgroup": "0::/pod/worker\n",
                "sys/fs/cgroup/pod/worker/memory.max": "max\n",
                "sys/fs/cgroup/pod/memory.max": f"{1500 * MB}\n",
            },
            1500,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu,memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{1200 * MB}\n",
            },
            1200,
        ),
        ({"sys/fs/cgroup/memory.max": str(9223372036854771712)}, 8000),
    ],
)
def test_the_limit_is_the_least_that_groups_and_machine_allow(
    tmp_path: Path, files: dict[str, str], limit_mb: int
) -> None:
    for name, text in {"proc/meminfo": f"MemTotal: {8000 * 1024} kB\n", **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert admission.allowed_bytes(tmp_path) == limit_mb * MB


def test_a_budget_that_holds_no_picture_is_said_at_the_start() -> None:
    with pytest.raises(SettingsError, match="PACKSHOT_MEMORY_BUDGET_MB"):
        memory.memory_budget(Settings(memory_budget_mb=900))
    assert (
        memory.memory_budget(Settings(memory_budget_mb=4096, worker_threads=4)).bytes_max
        == (4096 - admission.PROCESS_MB - 5 * 64) * MB  # one thread more, for urgent work
    )


def head(width_px: int, height_px: int, **fields: object) -> Header:
    known = {"media_type": "image/jpeg", "bands": 3, "bits": 8, "is_progressive": False} | fields
    return Header(width_px=width_px, height_px=height_px, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("memory_mb", "is_progressive", "fits"),
    [(3072, False, True), (3072, True, False), (4096, False, True), (4096, True, True)],
)
def test_the_largest_picture_of_8_bits_fits_a_worker_of_4_gb(memory_mb: int, is_progressive: bool, fits: bool) -> None:
    room = memory.memory_budget(Settings(memory_budget_mb=memory_mb, worker_threads=4)).bytes_max
    photograph = head(10_000, 10_000, is_progressive=is_progressive)
    wanted = memory_model.photograph_bytes("cutout", 2_000_000, photograph, memory_model.KEPT_PIXELS_MAX)
    assert (wanted < room) == fits


def test_what_is_kept_of_a_photograph_follows_from_what_its_steps_make() -> None:
    def kept(*steps: Step) -> int:
        return memory_model.kept_pixels(Step(operation="cutout", next=list(steps)), "", SHIPPED)

    shop = Step(operation="packshot", channel="shopify")
    small = Step(operation="packshot", channel="shopify", parameters={"outputSize": "500x500"})
    styled = Step(operation="packshot", channel="instagram", next=[Step(operation="style", channel="shopify")])
    full = Step(operation="packshot", channel="shopify", parameters={"padding": "0"})
    cut = Step(operation="packshot", channel="shopify", parameters={"scaling": "fill"})
    wide = Step(operation="packshot", channel="shopify", parameters={"outputSize": "2400x1000"})
    assert kept(shop) == 12_000_000  # of 2,048 px it takes 78 %
    assert kept(wide) == round((2 * 2400 * 0.78) ** 2)
    assert kept(full) == kept(Step(operation="mockup", channel="shopify")) == (2 * 2048) ** 2
    assert kept(small) == 12_000_000
    assert kept(small, full) == kept(styled) == kept(full)
    assert kept(cut) == memory_model.KEPT_PIXELS_MAX
    assert kept() == kept(Step(operation="artwork", channel="shopify")) == memory_model.KEPT_PIXELS_MAX
    assert kept(Step(operation="packshot", channel="no-such", parameters={"outputSize": "wide"})) == 25_000_000
    zalando = channels.load("zalando")
    longest_px = max(zalando.canvas.width_px, zalando.canvas.height_px) * zalando.fill.target
    expected = min(max(round((2 * longest_px) ** 2), 12_000_000), memory_model.KEPT_PIXELS_MAX)
    assert kept(Step(operation="packshot", channel="zalando")) == expected


def test_render_refuses_what_its_memory_does_not_hold(tmp_path: Path) -> None:
    """Also where the picture fits and what is made of it does not."""
    picture = Picture(np.full((64, 64, 4), 200, np.uint8), "image/png", 8, True, "", 1, 1)
    settings = Settings(memory_budget_mb=admission.PROCESS_MB + 64 + 40, data_folder=tmp_path)
    with open_studio(settings) as studio:
        made: list[tuple[Callable[[], object], str]] = [
            (lambda: studio.cutout(picture, "a.png", {}, ""), "source_too_many_pixels sources"),
            (
                lambda: studio.picture("packshot", [picture], ComposeRequest(channels.load("shopify"), {}), {}),
                "too_much_memory inputs",
            ),
        ]
        for make, expected in made:
            with pytest.raises(Refused) as refused:
                make()
            assert f"{refused.value.code} {refused.value.field}" == expected
