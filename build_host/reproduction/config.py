"""What a reproduction is told: one TOML file, whose digest names its folder."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from build_host.compression.config import PruningConfig, RewindingConfig
from build_host.training.config import FitConfig, Positive, _Section, digest_of
from device.imaging.preprocessing import InputSpec
from device.inference.manifest import Name, Saliency, Version
from device.toml import read_toml

ImageStep = Literal["Gaussian blur", "median", "bilateral", "non-local means", "hair removal"]


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
