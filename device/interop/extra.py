"""The libraries that only exporting needs, which an instrument may lack."""

import contextlib
from collections.abc import Iterator

from device.errors import ExportError
from device.language import translatable


@contextlib.contextmanager
def extra_installed() -> Iterator[None]:
    """Import the libraries of the extra ``interop`` inside this.

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
