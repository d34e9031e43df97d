"""Serving: the networks of one operation, open and warm, and which of them a product's picture goes to.

Releases change while tasks run. A thread of its own looks how the models stand, opens what is needed, and closes what
is not once nobody works with it. Until a model is open the one before it goes on, so that no task is dropped or waits;
only a recalled model never does.
"""

import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from prometheus_client import Counter, Gauge

from gpu_workers.engines import Engine, EngineError
from gpu_workers.models.contract import mask_of, tensor_of
from gpu_workers.models.manifest import Model, ModelError
from gpu_workers.operations.cutout.cutout import MaskPredictor
from gpu_workers.serving.batching import Batcher
from schemas.releases import ModelSplit
from streams.blobs import StoreError
from streams.runtime.errors import Unavailable

LOOK_EVERY_S = 1.0
WAIT_MAX_S = 60.0
TRY_AGAIN_S = 30.0
REQUESTED_FOR_S = 600.0  # so long one that somebody asked for stays open: who mends one picture mends the next

log = structlog.get_logger()
models_open = Gauge("packshot_models_open", "Models that are open in this worker", ["model"])
model_failures = Counter("packshot_model_failures_total", "Models that could not be opened, or broke", ["model"])


class NoModel(Exception):
    """No model may work for this product now."""


@dataclass(frozen=True)
class Network:
    """A model, open and warm behind its batcher."""

    model: Model
    engine: Engine
    batcher: Batcher

    def predict(self, deadline: float, tenant: str, charge: Callable[[float], None]) -> MaskPredictor:
        """What a cutout sees by; the arguments are those of `Batcher.infer`."""
        return lambda picture: mask_of(
            self.batcher.infer(tensor_of(picture, self.model.input)[None], deadline, tenant, charge)[0],
            self.model.output,
        )

    def close(self) -> None:
        """Answers what waits, then gives the device's memory back."""
        self.batcher.close()
        self.engine.close()


@dataclass(frozen=True)
class Leased:
    """The network that works for a product and, where a shadow is wanted and ready, the one that works beside it."""

    network: Network
    beside: Network | None


class Serving:
    """The networks of one operation. Safe to use from several threads.

    `current_split` tells how the work is split and may raise Unavailable; `open_network` opens NAME@VERSION, warms it
    up, and may raise ModelError, EngineError, StoreError or Unavailable. Raises what it raised when none of the
    models that may work can be opened at the start.
    """

    def __init__(
        self,
        current_split: Callable[[], ModelSplit],
        open_network: Callable[[str], Network],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._current_split = current_split
        self._open_network = open_network
        self._look_every_s = look_every_s
        self._split = current_split()
        self._changed = threading.Condition()
        self._open: dict[str, Network] = {}
        self._leases: Tally[int] = Tally()  # by the identity of the network
        self._failed: dict[str, tuple[Exception, float]] = {}
        self._requested: dict[str, float] = {}  # by name, when somebody asked for just this one
        self._broken: set[str] = set()
        self._closing = False
        self._open_needed()
        if not self._open and self._failed:
            raise next(iter(self._failed.values()))[0]
        self._thread = threading.Thread(target=self._tend, name="serving", daemon=True)
        self._thread.start()

    @contextmanager
    def lease(self, tenant: str, sku: str, requested: str | None = None) -> Iterator[Leased]:
        """The networks for a product, which stay open for as long as the block lasts; alone the one that is `requested`
        by name, unless it is recalled. Raises NoModel, and ModelError for one that cannot be used.
        """
        with self._changed:
            alone = self._wait_for_requested(requested) if requested is not None else None
            ref = alone or self._wait_for(tenant, sku)
            beside = None if alone else self._split.beside(tenant, sku)
            taken = [ref] + ([beside] if beside in self._open and beside != ref else [])
            networks = [self._open[each] for each in taken]
            for network in networks:
                self._count(network, 1)
        try:
            yield Leased(networks[0], networks[1] if len(networks) > 1 else None)
        finally:
            with self._changed:
                for network in networks:
                    self._count(network, -1)
                self._changed.notify_all()

    def report_broken(self, network: Network) -> None:
        """Says that a network's engine fails whatever it is given: it is opened anew."""
        with self._changed:
            if self._open.get(network.model.ref) is network:
                self._broken.add(network.model.ref)
                self._changed.notify_all()

    def close(self) -> None:
        """Closes every network when the last lease has ended."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._changed.wait_for(lambda: not any(self._is_leased(network) for network in self._open.values()))
        self._close(list(self._open))

    def _wait_for(self, tenant: str, sku: str) -> str:
        give_up_at = time.monotonic() + WAIT_MAX_S
        while (ref := self._chosen(tenant, sku)) is None:
            left_s = give_up_at - time.monotonic()
            if left_s <= 0 or self._closing:
                raise NoModel(self._why())
            self._changed.wait(left_s)
        return ref

    def _wait_for_requested(self, ref: str) -> str | None:
        """The model once it is open; None for one that is recalled, whose place the others take."""
        give_up_at = time.monotonic() + WAIT_MAX_S
        while ref not in self._split.recalled:
            self._requested[ref] = time.monotonic()
            if ref in self._open:
                return ref
            if isinstance(failure := self._failed.get(ref, (None,))[0], ModelError):
                raise failure
            left_s = give_up_at - time.monotonic()
            if left_s <= 0 or self._closing:
                raise NoModel(self._why())
            self._changed.notify_all()  # the thread that opens it
            self._changed.wait(min(left_s, self._look_every_s))
        log.warning("asked for by name, and recalled: another takes its place", model=ref)
        return None

    def _chosen(self, tenant: str, sku: str) -> str | None:
        """The first that is open of: the one chosen, the stable ones, and whatever else worked until now."""
        chosen = self._split.choose(tenant, sku)
        if chosen is None:
            raise NoModel("every model that could work is withdrawn or recalled")
        usable = [chosen, *self._split.stable, *(ref for ref in self._open if ref not in self._requested)]
        return next((ref for ref in usable if ref in self._open and ref not in self._split.recalled), None)

    def _why(self) -> str:
        failures = "; ".join(f"{ref}: {error}" for ref, (error, _) in self._failed.items())
        return f"no model is open: {failures or 'none has come up yet'}"

    def _count(self, network: Network, change: int) -> None:
        self._leases[id(network)] += change

    def _is_leased(self, network: Network) -> bool:
        return self._leases[id(network)] > 0

    # the thread that tends the networks

    def _tend(self) -> None:
        while True:
            with self._changed:
                if not self._broken:
                    self._changed.wait(self._look_every_s)
                if self._closing:
                    return
            self._look_again()
            self._reopen_broken()
            self._open_needed()
            self._close_unneeded()

    def _look_again(self) -> None:
        try:
            split = self._current_split()
        except (Unavailable, ModelError) as error:
            log.warning("releases not known; going on as before", reason=str(error))
            return
        except Exception:  # this thread must go on, or no release would ever be seen again
            log.exception("releases not known; going on as before")
            return
        with self._changed:
            if split != self._split:
                log.info("models stand anew", stable=split.stable[:1], trials=split.trials)
            self._split = split
            self._changed.notify_all()

    def _reopen_broken(self) -> None:
        with self._changed:
            broken, self._broken = self._broken, set()
        for ref in broken:
            log.error("model broke; opening it anew", model=ref)
            model_failures.labels(ref).inc()
            with self._changed:
                network = self._open.pop(ref)
                self._changed.wait_for(partial(self._is_free, network), WAIT_MAX_S)
            network.close()

    def _is_free(self, network: Network) -> bool:
        return not self._is_leased(network)

    def _open_needed(self) -> None:
        while True:
            missing = (ref for ref in self._needed() if ref not in self._open and not self._has_just_failed(ref))
            if (ref := next(missing, None)) is None:
                return
            self._try_to_open(ref)

    def _needed(self) -> list[str]:
        """The trials and, of the stable ones, as many that can be opened as are kept."""
        split = self._split
        stable: list[str] = []
        for ref in split.stable:
            if len([each for each in stable if each not in self._failed]) < split.kept:
                stable.append(ref)
        also = (*split.trials, *list(self._requested))
        return list(dict.fromkeys([*stable, *(ref for ref in also if ref not in split.recalled)]))

    def _has_just_failed(self, ref: str) -> bool:
        return ref in self._failed and time.monotonic() - self._failed[ref][1] < TRY_AGAIN_S

    def _try_to_open(self, ref: str) -> None:
        try:
            network = self._open_network(ref)
        except Exception as error:  # others' graphs: whatever they do to an engine, the other models go on
            foreseen = isinstance(error, ModelError | EngineError | StoreError | Unavailable)
            log.error("model cannot be opened", model=ref, reason=str(error), exc_info=None if foreseen else error)
            model_failures.labels(ref).inc()
            with self._changed:
                self._failed[ref] = error, time.monotonic()
            return
        with self._changed:
            self._failed.pop(ref, None)
            self._open[ref] = network
            models_open.labels(ref).set(1)
            self._changed.notify_all()

    def _close_unneeded(self) -> None:
        with self._changed:
            since_s = time.monotonic() - REQUESTED_FOR_S
            self._requested = {ref: at_s for ref, at_s in self._requested.items() if at_s > since_s}
            needed = self._needed()
            if not any(ref in self._open for ref in needed):
                return  # what worked until now goes on
            idle = [ref for ref, network in self._open.items() if ref not in needed and not self._is_leased(network)]
        self._close(idle)

    def _close(self, idle: Sequence[str]) -> None:
        with self._changed:
            closed = {ref: self._open.pop(ref) for ref in idle if not self._is_leased(self._open[ref])}
        for ref, network in closed.items():
            models_open.labels(ref).set(0)
            network.close()
            log.info("model closed", model=ref)
