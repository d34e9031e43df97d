"""Types made ready to decode, before any thread may do so.

msgspec gathers what it must know of a Struct when it decodes the first one. Several threads that are the first together
see it half gathered, and the process ends by a segmentation fault. So every module that has Structs which are decoded
makes them ready where it ends: whoever has imported it may use any number of threads.
"""

from typing import Any

import msgspec


def prepare(*types: Any) -> None:
    """Has msgspec gather what it needs of types, and of those that they are made of."""
    for each in types:
        try:
            msgspec.convert(object(), each)
        except msgspec.ValidationError:
            continue  # as meant: what it needs is gathered before it looks at what it is given
        raise TypeError(f"{each} takes anything")
