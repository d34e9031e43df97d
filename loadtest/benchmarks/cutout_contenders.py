"""rembg, as `make bench-cutout` asks it: `python -m loadtest.benchmarks.cutout_contenders plain|matting`.

Each line of standard input is a JSON pair, an array's file with uint8 RGB and where its RGBA goes; the answer is a line
with the seconds of processor time it took. U2NET_HOME is where the weights lie.
"""

import json
import sys
import time

import numpy as np


def main(kind: str) -> None:
    """Answers until the input ends."""
    from rembg import new_session, remove

    session = new_session("u2netp")
    for line in sys.stdin:
        source, target = json.loads(line)
        picture = np.load(source)
        began_s = time.process_time()
        rgba = remove(picture, session=session, alpha_matting=kind == "matting")
        took_s = time.process_time() - began_s
        np.save(target, rgba)
        print(f"took {took_s}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
