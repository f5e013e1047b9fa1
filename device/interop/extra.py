"""The libraries that only exporting needs, which an instrument may lack."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Final

from device.errors import ExportError
from device.language import translatable

_TALKATIVE: Final = ("pydicom", "highdicom", "pynetdicom")


@contextlib.contextmanager
def extra_installed() -> Iterator[None]:
    """Import the libraries of the extra ``interop`` inside this, and keep them quiet.

    What they say is of patients: no log may hold it.

    Raises
    ------
    device.errors.ExportError
        If one is not installed; tells what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExportError(
            translatable("what exporting needs is not installed"),
            action=translatable("install the program's extra interop"),
            detail=f"pip install 'dermascope[interop]': {error.name}",
        ) from None
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        logging.getLogger(name).propagate = False
