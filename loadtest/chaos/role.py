"""One role as `packshot run` runs it, with a stand-in for the network: what is not white is the product.

SIGUSR1 makes it stop, as by SIGSTOP, just before one of the next things that it writes to a store or removes there.
SIGCONT lets it go on, and forgets a stop that is still to come.
"""

import random
import signal
import sys
import time
from typing import cast

import numpy as np

from gpu_workers.engines import Engine, Tensor
from gpu_workers.models.manifest import Model
from gpu_workers.pools import cutout as cutout_pool
from loadtest.chaos.stopping import Stopping
from streams import blobs
from streams.blobs import ObjectStore
from streams.runtime.settings import Settings
from streams.services.operating import roles

_STORES: list[Stopping] = []
WHITE_MIN = 0.93
SPARED_MAX = 4  # the changes of one request, so that each of them may be the one


class StandIn:
    """An Engine that answers at once."""

    name = "stand-in"
    fingerprint = "0" * 64
    max_batch = 16
    lanes = 1

    def __init__(self, model: Model) -> None:
        self.input_shape = model.input.shape
        self._mean = np.array(model.input.mean, np.float32)[:, None, None]
        self._std = np.array(model.input.std, np.float32)[:, None, None]

    def infer(self, batch: Tensor) -> Tensor:
        """See gpu_workers.engines.Engine."""
        time.sleep(0.002)
        colours = batch * self._std + self._mean
        product = (colours.min(axis=1, keepdims=True) < WHITE_MIN).astype(np.float32)
        return 0.005 + 0.99 * product  # type: ignore[no-any-return]

    def close(self) -> None:
        """See gpu_workers.engines.Engine."""


def open_stand_in(model: Model, *_: object) -> Engine:
    """In the place of gpu_workers.engines.open_engine."""
    return StandIn(model)


def open_stopping(url: str, *, s3_endpoint: str | None = None) -> ObjectStore:
    """In the place of streams.blobs.open_store."""
    store = Stopping(blobs.open_store(url, s3_endpoint=s3_endpoint))
    _STORES.append(store)
    return cast(ObjectStore, store)


def arm(*_: object) -> None:
    """Every store stops its process at one of its next changes."""
    spared = random.randint(0, SPARED_MAX)
    for store in _STORES:
        store.arm(spared)


def disarm(*_: object) -> None:
    """No store does."""
    for store in _STORES:
        store.disarm()


if __name__ == "__main__":
    setattr(roles, "open_store", open_stopping)  # noqa: B010
    signal.signal(signal.SIGUSR1, arm)
    signal.signal(signal.SIGCONT, disarm)
    setattr(cutout_pool, "open_engine", open_stand_in)  # noqa: B010
    role, *pool = sys.argv[1:]
    roles.run(role, pool[0] if pool else None, Settings())  # type: ignore[arg-type]
