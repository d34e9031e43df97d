"""What a caller of the HTTP API waits for, beside the same cutout in-process, rembg's own server and LitServe.

Processes as production runs them: Apache Kafka, a worker of the cutout pool, a gateway; photographs of less than a
megapixel, no two the same. The bulk lane is saturated while calls come at random, and the same cutouts are called
in-process beside the same worker. The load is a share of what callers who never pause get through, measured first.

Goodput is what was answered within its deadline of 2 s at half as many calls again as there is room for. Memory is what
idle listeners add to the gateway's resident set; a batch's events are counted by the gateway's processor time. Hooks of
a shop come while cutouts do.
"""

import argparse
import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import aiohttp
import numpy as np
import psutil
import structlog
from confluent_kafka import Producer

from gpu_workers.engines import Tensor, open_engine
from gpu_workers.operations.cutout import cutout
from loadtest.benchmarks import gateway_parts as parts
from loadtest.benchmarks import quality
from loadtest.benchmarks.gateway_parts import Api, Called, Photographs, Process, System, at_random, percentile_ms
from loadtest.benchmarks.worker_contenders import MODEL, ROUTES, WEIGHTS
from schemas import topics
from schemas.identity import content_id
from schemas.records import CatalogChanged, Source, Step, Task
from streams.consumer.clients import make_topics, producer_config
from streams.consumer.letters import outgoing
from streams.embedded import choose_broker
from streams.facts import Database
from streams.runtime.settings import Settings

DEADLINE_S = 2
HOOKS_PER_S = 20  # a shop in which 72,000 products change in an hour
CALLERS = 6  # who never pause: more than a worker of two cores has threads
BULK_PER_S = 12  # of a scene's time, with room: more than a worker of two cores gets through in all of them
PREPARED = 1.5  # photographs for each call that is expected
ALONE = 20
CACHED = 200
LISTENERS = 1000
EVENTS = 20_000
SETTLED_S = 3.0
MIB = 1024 * 1024
TARGETS = {
    "added_p50_ms": ("le", 60),
    "added_p99_ms": ("le", 250),
    "within_2_s_at_70_percent": ("ge", 0.99),
    "goodput_at_150_percent": ("ge", 0.95),
    "hook_p99_ms": ("le", 1000),
    "cached_p50_ms": ("le", 15),
    "listeners_mib": ("le", 150),
    "batch_events_per_cpu_s": ("ge", 2000),
}
Figures = dict[str, float]


def main(for_s: float, beside: bool, hooks_alone: bool) -> None:
    """Prints the scenes, and the figures as JSON in its last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = choose_broker(folder, parts.CACHE, "kafka")
        broker.start()
        stack.callback(broker.stop)
        settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers, data_folder=folder)
        make_topics(settings)
        system = stack.enter_context(System(folder, broker.bootstrap_servers))
        bench = Bench(settings, system, Photographs(), for_s)
        figures = asyncio.run(bench.scenes(beside, hooks_alone))
    print(json.dumps({"figures": figures, "targets": {name: TARGETS[name] for name in TARGETS if name in figures}}))


class Bench:
    """The scenes, one after another."""

    def __init__(self, settings: Settings, system: System, photographs: Photographs, for_s: float) -> None:
        self.settings, self.system, self.photographs, self.for_s = settings, system, photographs, for_s

    async def scenes(self, beside: bool, hooks_alone: bool) -> Figures:
        """Every scene's figures, or those of the hooks beside cutouts at half of what there is room for."""
        database = Database(self.settings.database)
        database.create_tables()
        hooks = parts.Hooks(self.system.url, database)
        self.system.run("worker", "--pool", "cutout")
        gateway = self.system.run("gateway")
        key = self.system.key()
        parts.await_port(self.system.port, gateway)
        time_out, connector = aiohttp.ClientTimeout(total=parts.READY_S), aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=time_out, connector=connector) as session:
            api = Api(session, self.system.url, key)
            await self._until_warm(api)
            if hooks_alone:
                return _said(_percentiles("hook", await self._hooked(api, hooks, await self._capacity_per_s(api))))
            figures = await self._alone(api, beside) | await self._known(api)
            figures |= await self._batch(api, gateway) | await self._listeners(api, gateway)
            await asyncio.to_thread(self._saturate, database)
            return figures | await self._under_load(api, hooks)

    async def _until_warm(self, api: Api) -> None:
        while (await api.cutout(self.photographs.new(), 60, 60)).status != 200:
            await asyncio.sleep(0.5)

    async def _alone(self, api: Api, beside: bool) -> Figures:
        """Calls one after another, with nothing else going on."""
        figures = {"alone_p50_ms": await self._each(lambda: api.cutout(self.photographs.new(), 60, 60))}
        with in_process() as cut_out:
            figures["in_process_alone_p50_ms"] = await self._each(partial(self._locally, cut_out))
        if beside:
            with parts.rembg_server() as url:
                figures["rembg_server_p50_ms"] = await self._each(partial(_of_rembg, api, url, self.photographs))
            with parts.litserve_server() as port:
                figures["litserve_p50_ms"] = await self._each(partial(self._locally, _by_litserve(api, port)))
        return _said(figures)

    async def _each(self, call: Callable[[], Awaitable[Called]]) -> float:
        await parts.one_after_another(call, 2)  # what is loaded by the first ones is nobody's wait
        return percentile_ms(await parts.one_after_another(call, ALONE), 50)

    async def _locally(self, cut_out: Callable[[bytes], bytes], due_s: float | None = None) -> Called:
        photograph = self.photographs.new()
        began_s = time.monotonic() if due_s is None else due_s
        await asyncio.to_thread(cut_out, photograph)
        return Called(200, time.monotonic() - began_s)

    async def _known(self, api: Api) -> Figures:
        photograph = self.photographs.new()
        await api.cutout(photograph, 60, 60)
        calls = await parts.one_after_another(lambda: api.cutout(photograph, 60, 60), CACHED)
        return _said({"cached_p50_ms": percentile_ms(calls, 50), "cached_p99_ms": percentile_ms(calls, 99)})

    async def _batch(self, api: Api, gateway: Process) -> Figures:
        """Events of products in NDJSON, each acknowledged by the broker before its line is answered."""
        source = {"uri": "https://images.example/a.jpg"}
        lines = (json.dumps({"sku": f"S{n}", "sources": [source], "channels": ["web"]}) for n in range(EVENTS))
        body = "\n".join(lines).encode()
        cpu_s, began_s = _cpu_s(gateway), time.monotonic()
        kind = {"Content-Type": "application/x-ndjson"}
        async with api.session.post(f"{api.url}/v1/products:batch", data=body, headers=api.headers | kind) as answer:
            answers = (await answer.read()).splitlines()
        took_s, cpu_s = time.monotonic() - began_s, _cpu_s(gateway) - cpu_s
        assert [json.loads(each)["status"] for each in answers] == [202] * EVENTS
        per_s = {"batch_events_per_cpu_s": EVENTS / cpu_s, "batch_events_per_s": EVENTS / took_s}
        return _said({name: round(each, 1) for name, each in per_s.items()})

    async def _listeners(self, api: Api, gateway: Process) -> Figures:
        """What listeners to whom nothing is told add to the gateway."""
        before = psutil.Process(gateway.pid).memory_info().rss
        async with asyncio.TaskGroup() as group:
            heard = [asyncio.Event() for _ in range(LISTENERS)]
            listening = [group.create_task(_listen(api, each)) for each in heard]
            for each in heard:
                await each.wait()
            await asyncio.sleep(SETTLED_S)
            with_them = psutil.Process(gateway.pid).memory_info().rss
            for task in listening:
                task.cancel()
        figures = {"listeners_mib": (with_them - before) / MIB, "gateway_mib_with_listeners": with_them / MIB}
        return _said({name: round(mib, 1) for name, mib in figures.items()})

    def _saturate(self, database: Database) -> None:
        """More bulk tasks than are worked on in the meantime."""
        folder = self.system.folder / parts.SOURCES
        folder.mkdir()
        producer = Producer(producer_config(self.settings))
        for number in range(round(BULK_PER_S * self.for_s)):
            picture = folder / f"{number}.jpg"
            picture.write_bytes(self.photographs.new())
            source = Source(uri=picture.as_uri())
            about = {"tenant": "bulk", "sku": str(number), "version": 1}
            with database.begin() as facts:
                facts.products.put(CatalogChanged(**about, sources=[source], channels=["web"]))  # type: ignore[arg-type]
            step, identity = Step(operation="cutout"), content_id(str(number))
            task = Task(task_id=identity, lane="bulk", step=step, source=source, **about)  # type: ignore[arg-type]
            record = outgoing(task, "bench")
            producer.produce(topics.tasks(task).name, record.value, record.key, headers=list(record.headers))
            producer.poll(0)
        producer.flush()

    async def _under_load(self, api: Api, hooks: parts.Hooks) -> Figures:
        per_s = await self._capacity_per_s(api)
        print(f"{per_s:.2f} cutouts/s beside a saturated bulk lane", flush=True)
        patient = partial(self._ask, api, 60, 60)
        half = await self._at_random(patient, 0.5 * per_s)
        with in_process() as cut_out:
            beside = await self._at_random(partial(self._locally, cut_out), 0.5 * per_s)
        more = await self._at_random(patient, 0.7 * per_s)
        hooked = await self._hooked(api, hooks, per_s)
        flood = await self._at_random(partial(self._ask, api, DEADLINE_S, DEADLINE_S), 1.5 * per_s)
        refused = [each for each in flood if each.status == 503]
        in_time = sum(each.status == 200 and each.took_s <= DEADLINE_S for each in flood)
        figures = {
            "capacity_per_s": round(per_s, 2),
            **_percentiles("asked", half),
            **_percentiles("in_process", beside),
            **_percentiles("hook", hooked),
            "within_2_s_at_70_percent": round(sum(each.took_s <= DEADLINE_S for each in more) / len(more), 4),
            "goodput_at_150_percent": round(in_time / self.for_s / per_s, 3),
            "refused_at_150_percent": round(len(refused) / len(flood), 3),
            "late_at_150_percent": round((len(flood) - len(refused) - in_time) / len(flood), 3),
            "refusal_p50_ms": round(float(np.median([each.took_s for each in refused] or [0.0])) * 1000, 1),
        }
        added = {
            f"added_p{p}_ms": round(figures[f"asked_p{p}_ms"] - figures[f"in_process_p{p}_ms"], 1) for p in (50, 99)
        }
        return _said(added | figures)

    async def _hooked(self, api: Api, hooks: parts.Hooks, per_s: float) -> list[Called]:
        """Hooks of a shop, each of which is taken, beside cutouts at half of `per_s`."""
        patient = partial(self._ask, api, 60, 60)
        hooked, _ = await asyncio.gather(
            at_random(partial(hooks.send, api.session), HOOKS_PER_S, self.for_s), self._at_random(patient, 0.5 * per_s)
        )
        assert {each.status for each in hooked} == {200}
        return hooked

    async def _at_random(self, call: Callable[[float], Awaitable[Called]], per_s: float) -> list[Called]:
        await asyncio.to_thread(self.photographs.prepare, round(PREPARED * per_s * self.for_s))
        return await at_random(call, per_s, self.for_s)

    async def _ask(self, api: Api, wait_s: int, within_s: int, due_s: float) -> Called:
        return await api.cutout(self.photographs.new(), wait_s, within_s, due_s)

    async def _capacity_per_s(self, api: Api) -> float:
        """What callers get through who ask again as soon as they are answered."""
        end_s, done = time.monotonic() + self.for_s, 0

        async def caller() -> None:
            nonlocal done
            while time.monotonic() < end_s:
                answer = await api.cutout(self.photographs.new(), 60, 60)
                done += answer.status == 200 and time.monotonic() <= end_s

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        assert done, f"not one cutout in {self.for_s:.0f} s: no share of that is a load"
        return done / self.for_s


def _percentiles(name: str, calls: list[Called]) -> Figures:
    return {f"{name}_p{percent}_ms": percentile_ms(calls, percent) for percent in (50, 99)}


@contextmanager
def in_process() -> Iterator[Callable[[bytes], bytes]]:
    """A cutout by the same code and engine, called by a thread of this process."""
    cutout.warm_up()
    engine, alone = open_engine(MODEL, WEIGHTS, "openvino"), threading.Lock()

    def infer(tensors: Tensor) -> Tensor:
        with alone:
            return engine.infer(tensors)

    try:
        yield partial(_cut_out, quality.predict(MODEL, infer))
    finally:
        engine.close()


def _cut_out(see: cutout.MaskPredictor, photograph: bytes) -> bytes:
    return quality.cut_out(photograph, see)


def _by_litserve(api: Api, port: int) -> Callable[[bytes], bytes]:
    """A cutout in-process but for the network, which LitServe runs."""
    loop, kind = asyncio.get_running_loop(), {"Content-Type": "application/octet-stream"}

    async def ask(tensors: bytes) -> bytes:
        url = f"http://127.0.0.1:{port}{ROUTES['litserve']}"
        async with api.session.post(url, data=tensors, headers=kind) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()

    def infer(tensors: Tensor) -> Tensor:
        body = asyncio.run_coroutine_threadsafe(ask(tensors.tobytes()), loop).result()
        return np.frombuffer(body, np.float32).reshape(1, *MODEL.output.shape)

    return partial(_cut_out, quality.predict(MODEL, infer))


async def _of_rembg(api: Api, url: str, photographs: Photographs) -> Called:
    form = aiohttp.FormData({"model": "u2netp"})
    form.add_field("file", photographs.new(), filename="a.jpg", content_type="image/jpeg")
    began_s = time.monotonic()
    async with api.session.post(url, data=form) as answer:
        await answer.read()
        return Called(answer.status, time.monotonic() - began_s)


async def _listen(api: Api, heard: asyncio.Event) -> None:
    async with api.session.get(f"{api.url}/v1/events", headers=api.headers, timeout=aiohttp.ClientTimeout()) as answer:
        await answer.content.readline()
        heard.set()
        await answer.content.read()


def _cpu_s(process: Process) -> float:
    return float(sum(psutil.Process(process.pid).cpu_times()[:2]))


def _said(figures: Figures) -> Figures:
    print(json.dumps(figures), flush=True)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each scene under load")
    parser.add_argument(
        "--beside", action=argparse.BooleanOptionalAction, default=True, help="rembg's server, LitServe"
    )
    parser.add_argument("--hooks-alone", action="store_true", help="that scene and no other, without bulk work")
    arguments = parser.parse_args()
    main(arguments.seconds, arguments.beside, arguments.hooks_alone)
