"""How large a pixel is: calibrated once for each dermatoscope, with a ruler."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from device.errors import ConfigError
from device.language import translatable
from device.platform.durable_files import write_atomically
from device.platform.regular_files import read_regular_file
from device.text import printable_path

OPTICS_FILE: Final = "optics.json"

_SAME_SHAPE: Final = 0.01
_LARGEST: Final = 4096
_MODE: Final = 0o644
"""It says nothing of a patient, and is copied from whoever calibrates to the service."""


class Optics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The scale of the dermatoscope's pictures.

    Attributes
    ----------
    mm_per_pixel
        In frames of the size that it was calibrated with.
    width, height
        That size, in pixels.
    calibrated
        When, UTC.
    """

    mm_per_pixel: Annotated[float, msgspec.Meta(ge=1e-6, le=100.0)]
    width: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    height: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    calibrated: datetime

    def mm_per_pixel_at(self, width: int, height: int) -> float | None:
        """Return millimetres a pixel in frames of another size of the same optics.

        None for frames of another shape: whether those are cut or squeezed is not known.
        """
        wider, higher = width / self.width, height / self.height
        if abs(wider / higher - 1.0) > _SAME_SHAPE:
            return None
        return self.mm_per_pixel * 2.0 / (wider + higher)


def save_optics(folder: Path, optics: Optics) -> Path:
    """Keep the calibration in a folder, and return its file.

    Raises
    ------
    device.errors.ConfigError
        If it cannot be written.
    """
    path = folder / OPTICS_FILE
    try:
        write_atomically(path, msgspec.json.encode(optics) + b"\n", _MODE)
    except OSError as error:
        raise ConfigError(
            f"{path}: the calibration cannot be kept ({error.strerror}); free space or check that "
            "the folder can be written"
        ) from None
    return path


def load_optics(folder: Path) -> Optics | None:
    """Return the calibration kept in a folder, or None where there is none.

    Raises
    ------
    device.errors.ConfigError
        If it is damaged or cannot be read.
    """
    path = folder / OPTICS_FILE
    try:
        return msgspec.json.decode(read_regular_file(path, _LARGEST), type=Optics)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            translatable("the calibration cannot be read, and no length is shown in millimetres"),
            action=translatable("calibrate again, or check who may read the file"),
            where=printable_path(path),
            detail=str(error.strerror or error),
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigError(
            translatable("the calibration is damaged, and no length is shown in millimetres"),
            action=translatable("calibrate again"),
            where=printable_path(path),
        ) from None
