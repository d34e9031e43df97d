"""The whole system as its users run it, for the tests: `packshot up` as a process, driven by the other commands."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from infra.servers.process import free_port

ROOT = Path(__file__).parents[2]
READY_S = 600


class System:
    """A running `packshot up` in a folder of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PACKSHOT_DATA_FOLDER": str(folder / "data"),
            "PACKSHOT_CACHE_FOLDER": str(ROOT / ".cache"),
            "PACKSHOT_RETRY_DELAYS_MS": "200,500",
            "PACKSHOT_CDN_PORT": str(free_port()),
            "PACKSHOT_GATEWAY_PORT": str(free_port()),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns when it says what it started."""
        with (self.folder / "up.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.commands.cli", "up"], env=self.environment, stdout=output, stderr=output
            )
        running = self.folder / "data" / "running.json"
        deadline = time.monotonic() + READY_S
        while not (running.exists() and json.loads(running.read_text())["pid"] == self.process.pid):
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.2)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ends it as Ctrl-C would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(200)

    def run(self, *arguments: str, status: int = 0, timeout_s: float = 1000) -> str:
        """What a command prints; it must end with `status`."""
        command = [sys.executable, "-m", "streams.commands.cli", *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == status, (
            f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}{self.log()}"
        )
        return done.stdout

    def json(self, *arguments: str, status: int = 0) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*arguments, "--json", status=status))

    def published(self) -> list[dict[str, Any]]:
        """Every event that listing services see; those of one product in their order, the products by name."""
        events = [json.loads(line) for line in self.run("published", "--json").splitlines()]
        return sorted(events, key=lambda event: str(event["sku"]))  # partitions are read in any order

    def submit(self, *events: Mapping[str, Any], status: int = 0) -> dict[str, Any]:
        """Submits events and waits for what becomes of them."""
        file = self.folder / "events.jsonl"
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
        result: dict[str, Any] = self.json("submit", str(file), "--wait", "--timeout", "900", status=status)
        return result

    def wait_for(self, sku: str, states: Mapping[str, str], within_s: float = 300) -> None:
        """Waits until a product's assets stand as they should."""
        deadline = time.monotonic() + within_s
        while (now := {each["asset"]: each["state"] for each in self.json("status", sku)["assets"]}) != states:
            assert time.monotonic() < deadline, f"{now}{self.log()}"

    def log(self) -> str:
        """The ends of all logs, for the message of a failure."""
        files = [self.folder / "up.log", *sorted((self.folder / "data" / "logs").glob("*.log"))]
        return "".join(
            f"\n--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files if file.exists()
        )


@contextmanager
def running(folder: Path, environment: Mapping[str, str]) -> Iterator[System]:
    """A system that is stopped when the block ends."""
    system = System(folder, environment)
    system.start()
    try:
        yield system
    finally:
        system.stop()


def upsert(sku: str, version: int = 1, **more: Any) -> dict[str, Any]:
    """A catalogue event as a PIM would write it."""
    event = {"type": "CatalogChanged", "tenant": "demo", "sku": sku, "version": version, "title": f"Product {sku}"}
    return {**event, "sources": [{"uri": f"{sku}.png"}], "channels": ["amazon"], **more}


def draw_product(file: Path, colour: tuple[int, int, int]) -> None:
    """A jar that is cut out already: 600 × 800 px, with alpha and some texture."""
    image = Image.new("RGBA", (600, 800), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((100, 150, 500, 750), 60, fill=(*colour, 255))
    draw.rectangle((180, 60, 420, 160), fill=(60, 60, 66, 255))
    pixels = np.asarray(image).copy()
    grain = np.random.default_rng(7).integers(-9, 10, pixels.shape[:2])
    solid = pixels[..., 3] == 255
    pixels[solid, :3] = np.clip(pixels[solid, :3].astype(int) + grain[solid][:, None], 0, 255)
    Image.fromarray(pixels).save(file)
