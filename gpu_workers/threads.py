"""The threads that libraries start by themselves: where we bring our own, theirs are too many."""

import cv2
import numpy as np  # noqa: F401  # its BLAS must be there to be told
from threadpoolctl import threadpool_limits


def one_thread_each() -> None:
    """From now on BLAS and OpenCV work in the thread that calls them, in all of this process.

    Our matrices are tiny: more threads would spin for longer than they work, on cores that other pictures need.
    """
    threadpool_limits(1, user_api="blas")
    cv2.setNumThreads(1)
