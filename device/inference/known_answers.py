"""What the shipped networks answer to fixed pictures: a check of the machine, not of the model.

A processor, or an emulator of one, that computes wrongly raises no error: its findings look like
any others. The answers are compared at every start, and written anew with a new model by
``python -m tests.device.inference.make_golden``.
"""

from functools import cache
from importlib.resources import files
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

TOLERANCE: Final = 8
"""Steps of an int8 tensor that right answers may differ by, as runtimes round differently."""

_FILE: Final = "known_answers.json"
_PATTERNS: Final = ((5, 7, 60), (1, 0, 85), (37, 91, 11), (0, 0, 0))


def known_pictures(height: int, width: int) -> list[NDArray[np.uint8]]:
    """Return the pictures, uint8 (height, width, 3): waves, stripes, near noise, black."""
    rows, columns, channels = np.indices((height, width, 3))
    return [
        ((rows * down + columns * across + channels * colour) % 256).astype(np.uint8)
        for down, across, colour in _PATTERNS
    ]


@cache
def known_answers() -> dict[str, list[list[int]]]:
    """Return the logits of each picture, as the tensor holds them, by the network's SHA-256."""
    content = files("device.inference").joinpath(_FILE).read_bytes()
    return msgspec.json.decode(content, type=dict[str, list[list[int]]])
