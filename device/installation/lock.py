"""One program at a time changes what is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from device.errors import BundleError
from device.language import translatable
from device.platform.durable_files import make_folder
from device.platform.locked_folder import LockedFolder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder of the models, which is made where it is missing.

    Raises
    ------
    device.errors.BundleError
        If another program holds it.
    OSError
        If it cannot be made or opened.
    """
    make_folder(folder)
    try:
        lock = LockedFolder(folder)
    except BlockingIOError:
        raise BundleError(
            "another model is being installed", action=translatable("wait until that is done")
        ) from None
    try:
        yield
    finally:
        lock.close()
