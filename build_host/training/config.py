"""One TOML file describes a run; its digest names the run's folder."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from device.errors import ConfigError
from device.imaging.preprocessing import InputSpec
from device.inference.manifest import Name, Saliency, Version

Positive = Annotated[int, msgspec.Meta(ge=1)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the run's file: immutable, and unknown keys are refused."""


class PlateauConfig(_Section, frozen=True):
    """Lower the learning rate when the validation loss stands still.

    Attributes
    ----------
    patience
        Epochs without a lower loss before the rate falls.
    factor
        What the rate is multiplied by.
    floor
        Lowest rate.
    """

    patience: Positive = 2
    factor: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.5
    floor: float = 1e-5


class FitConfig(_Section, frozen=True):
    """How the network is fitted (Adam, categorical cross-entropy).

    Attributes
    ----------
    balance
        ``random-oversample``: repeat training images until every diagnosis has as many as the
        commonest; ``none``: as they are.
    keep
        Which epoch's weights become the model, judged on the validation part.
    """

    epochs: Positive = 25
    batch: Positive = 128
    learning_rate: float = 1e-3
    plateau: PlateauConfig = PlateauConfig()
    balance: Literal["random-oversample", "none"] = "random-oversample"
    keep: Literal["best-balanced-accuracy", "last"] = "best-balanced-accuracy"


class RunConfig(_Section, frozen=True):
    """Everything that decides what a run makes.

    Attributes
    ----------
    name, version
        Of the bundle.
    seed
        Of every random choice.
    representative
        Training images that set the ranges of the int8 file.
    """

    name: Name
    version: Version
    seed: int
    input: InputSpec
    architecture: Literal["paper"]
    fit: FitConfig
    saliency: Saliency
    representative: Positive = 500

    @property
    def digest(self) -> str:
        """SHA-256 over the whole configuration."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def read_config(path: Path) -> RunConfig:
    """Return the run that a TOML file describes.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing or holds an unknown or impossible setting.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=RunConfig)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
