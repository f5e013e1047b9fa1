"""What a reproduction is told: one TOML file, whose digest names its folder."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from build_host.training.config import FitConfig, Positive, Share, _Section, digest_of
from device.imaging.preprocessing import InputSpec
from device.models.manifest import Name, Saliency, Version
from device.platform.toml_file import read_toml

ImageStep = Literal["Gaussian blur", "median", "bilateral", "non-local means", "hair removal"]


class PruningConfig(_Section, frozen=True):
    """Magnitude pruning with a polynomial schedule (arXiv:1710.01878).

    Attributes
    ----------
    initial, final
        Share of weights that are zero at the first and the last pruning step.
    begin, end, every
        The steps at which weights are set to zero.
    recovery
        Steps of fitting after the last of them.
    """

    initial: Share = 0.85
    final: Share = 0.95
    begin: int = 2000
    end: Positive = 5000
    every: Positive = 100
    recovery: Positive = 500


class RewindingConfig(_Section, frozen=True):
    """Iterative magnitude pruning with rewinding (arXiv:1912.05671).

    Attributes
    ----------
    rounds
        How often the smallest of the remaining weights are removed.
    final
        Share of weights that are zero after the last round.
    rewind_epochs
        The weights return to what they were after so many epochs.
    epochs
        Of each round.
    """

    rounds: Positive = 3
    final: Share = 0.95
    rewind_epochs: Positive = 1
    epochs: Positive = 10


class ReproductionConfig(_Section, frozen=True):
    """Everything that decides what a reproduction makes.

    Attributes
    ----------
    images
        How many images to use; 0 for all. A small number is for trying the pipeline out.
    protocol_fit
        How the three protocols' networks are fitted: the paper's settings.
    fit
        How the base of the compression study is fitted.
    fine_tune
        How pruning and the dense control go on from it, for as many steps as pruning takes.
    adapt
        How quantization-aware training and clustering go on.
    image_steps
        The image-quality steps that a network is trained with, beside none.
    references
        How many of the training images, the cleanest, are spoiled and restored by every step.
    image_steps_fit
        How the networks that compare image-quality steps are fitted.
    peer_fit
        How the peers' networks are fitted.
    ensemble
        Width of each member of the lightweight ensemble.
    clusters
        Distinct values that a clustered layer's weights may have.
    representative
        Training images that set the ranges of int8 files.
    resamples
        Bootstrap resamples of every interval.
    """

    name: Name
    version: Version
    seed: int
    input: InputSpec
    protocol_fit: FitConfig
    fit: FitConfig
    fine_tune: FitConfig
    adapt: FitConfig
    image_steps_fit: FitConfig
    peer_fit: FitConfig
    saliency: Saliency
    pruning: PruningConfig = PruningConfig()
    rewinding: RewindingConfig = RewindingConfig()
    clusters: Annotated[int, msgspec.Meta(ge=2, le=256)] = 32
    images: Annotated[int, msgspec.Meta(ge=0)] = 0
    image_steps: tuple[ImageStep, ...] = ("median", "non-local means", "hair removal")
    references: Positive = 100
    ensemble: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=2)] = (16, 20, 24)
    representative: Positive = 500
    resamples: Positive = 1000

    @property
    def digest(self) -> str:
        """SHA-256 over all that differs from the defaults."""
        return digest_of(self)


def read_reproduction(path: Path) -> ReproductionConfig:
    """Return the reproduction that a TOML file describes.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing or holds an unknown or impossible setting.
    """
    return read_toml(path, ReproductionConfig)
