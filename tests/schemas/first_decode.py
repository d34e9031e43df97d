"""Decodes records in several threads at once, each for the first time in this interpreter; run as a program."""

import contextlib
import sys
import threading

import msgspec

from schemas.records import Task

THREADS = 6
FIELDS = {
    "type": "Task",
    "task_id": "0" * 64,
    "tenant": "demo",
    "sku": "A",
    "version": 1,
    "lane": "standard",
    "inputs": [{"digest": "0" * 64, "media_type": "image/png", "size_bytes": 1}],
    "step": {"operation": "cutout", "recipe": "r"},
}


def main() -> None:
    """What is wrong with the fields, if anything, does not matter."""
    sys.setswitchinterval(1e-6)
    barrier = threading.Barrier(THREADS)

    def decode() -> None:
        barrier.wait()
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.convert(FIELDS, Task)

    threads = [threading.Thread(target=decode) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
