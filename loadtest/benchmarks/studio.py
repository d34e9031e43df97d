"""What a showcase of five seconds at 1080 by 1080 takes: CPU seconds of all threads, bytes, memory, of each motion;
and what a drawn top on each mannequin takes, at 1 MP.

One product of the sample catalogue with its true alpha, in a scene that suits it. Each motion runs in a process of its
own, from the cutout to the measured clip, its poster and the picture for letters among it; a small clip goes before, so
that libraries, kernels and the scene are loaded. Memory is the most that the process held, all of it. Linux only: the
kernel keeps the peak.
"""

import hashlib
import json
import resource
import subprocess
import sys
import time
from typing import get_args

from gpu_workers.imaging.metadata import Metadata
from gpu_workers.library import bodies, scenes
from gpu_workers.operations.base import ComposeRequest, Library, compose
from gpu_workers.sources.decoding import Picture
from loadtest.benchmarks.mockup import sample
from schemas import channels
from schemas.operations.showcase import Motion
from tests.gpu_workers.tees import tee

SCENE = "oak-table-window"
LARGE = {"duration_s": "5", "fps": "24", "size_px": "1080"}
SMALL = {"duration_s": "1", "fps": "10", "size_px": "240"}
TARGETS = {
    "cpu_s": ("le", 30.0),
    "clip_mb": ("le", 1.5),
    "peak_mb": ("le", 600.0),
    "delta_e_mean": ("le", 2.5),
    "same_bytes": ("ge", 1.0),
    "model_cpu_s": ("le", 6.0),
    "model_peak_mb": ("le", 600.0),
    "model_delta_e": ("le", 2.0),
    "model_same_bytes": ("ge", 1.0),
}


def made(motion: str, parameters: dict[str, str]) -> tuple[dict[str, float], str]:
    """The measures of a showcase, and the digest of its clip."""
    product = sample()
    cutout = Picture(product.rgba, "image/png", 8, True, "", 1, 1, Metadata())
    library = Library(scenes=scenes.find(scenes.shipped_folder()))
    wanted = {"motion": motion, "scene": SCENE, "height_cm": str(product.height_cm), **parameters}
    composed = compose("showcase", [cutout], ComposeRequest(channels.load("instagram"), wanted, library=library))
    clip = next(file.data for file in composed.files if file.role == "clip")
    return composed.measures, hashlib.sha256(clip).hexdigest()


def alone(motion: str) -> None:
    """Prints what one motion takes, as JSON."""
    made(motion, SMALL)
    before_s = time.process_time()
    measures, digest = made(motion, LARGE)
    taken = {
        "cpu_s": round(time.process_time() - before_s, 2),
        "clip_mb": round(measures["clip_bytes"] / 1e6, 3),
        "mail_mb": round(measures["mail_bytes"] / 1e6, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "delta_e_mean": round(measures["clip_delta_e_mean"], 3),
        "layer_delta_e": round(measures["clip_layer_delta_e"], 3),
    }
    print(json.dumps({"taken": taken, "digest": digest}))


def worn(body: str, size: str) -> tuple[dict[str, float], str]:
    """The measures of a top on a mannequin, and the digest of the picture."""
    cutout = Picture(tee(), "image/png", 8, True, "", 1, 1, Metadata())
    library = Library(bodies=bodies.find(bodies.shipped_folder()))
    wanted = {"model": body, "outputSize": size}
    composed = compose("model", [cutout], ComposeRequest(channels.load("shopify"), wanted, library=library))
    return composed.measures, hashlib.sha256(composed.files[0].data).hexdigest()


def worn_alone(body: str) -> None:
    """Prints what a top on one mannequin takes, as JSON."""
    worn(body, "200x250")
    before_s = time.process_time()
    measures, digest = worn(body, "900x1120")
    taken = {
        "cpu_s": round(time.process_time() - before_s, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "delta_e": round(measures["light_divided_delta_e"], 3),
    }
    print(json.dumps({"taken": taken, "digest": digest}))


def _models() -> dict[str, float]:
    """Of each mannequin; the dearest counts."""
    figures: dict[str, float] = {}
    names = sorted(bodies.find(bodies.shipped_folder()))
    found = {name: _in_its_own_process(name) for name in names}
    for name, each in found.items():
        taken = each["taken"]
        assert isinstance(taken, dict)
        print(name, json.dumps(taken))
        for key, value in taken.items():
            figures[f"model_{key}"] = max(figures.get(f"model_{key}", 0.0), value)
    again = _in_its_own_process(names[0])["digest"]
    return figures | {"model_same_bytes": float(again == found[names[0]]["digest"])}


def _in_its_own_process(motion: str) -> dict[str, object]:
    command = [sys.executable, "-m", "loadtest.benchmarks.studio", motion]
    found: dict[str, object] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


def main() -> None:
    """Prints each motion's figures, and all of them as JSON at the end; the dearest motion counts."""
    figures: dict[str, float] = {}
    for motion in get_args(Motion):
        found = _in_its_own_process(motion)
        taken = found["taken"]
        assert isinstance(taken, dict)
        print(motion, json.dumps(taken))
        figures |= {f"{motion}_{name}": value for name, value in taken.items()}
        for name, value in taken.items():
            figures[name] = max(figures.get(name, 0.0), value)
    again = [_in_its_own_process("slide")["digest"] for _ in range(2)]
    figures["same_bytes"] = float(len(set(again)) == 1)
    figures |= _models()
    print(json.dumps({"figures": figures, "targets": TARGETS}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        (alone if sys.argv[1] in get_args(Motion) else worn_alone)(sys.argv[1])
    else:
        main()
