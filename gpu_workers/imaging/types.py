"""The arrays that pixels are, and what many modules say of them in the same numbers."""

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""(h, w) or (h, w, n); mostly 0..1, else the docstring says so."""

Flags = NDArray[np.bool_]
"""(h, w): which pixels are meant."""

Mask = NDArray[np.uint8]
"""(h, w): alpha, 0..255."""

Code = NDArray[np.uint8]
"""(h, w, n): sRGB as code values of 8 bits."""

Codes = NDArray[np.uint8] | NDArray[np.uint16]
"""(h, w, n): code values of 8 or 16 bits."""

LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue, by Rec. ITU-R BT.709
LUMINANCE = np.array(LUMINANCE_WEIGHTS, np.float32)
HALF = 128  # of an alpha of 255, from which a pixel is more product than ground
