"""Loops over pixels, compiled when their module is first imported, and kept beside it."""

from typing import Any

import numba


def compiled(*signatures: str) -> Any:
    """Compiles a function for each of numba's signatures. It runs without the interpreter's lock."""
    return numba.njit(list(signatures), cache=True, nogil=True)
