"""The settings of a reproduction: one TOML file, whose digest names its folder."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from build_host.compression.config import PruningConfig, RewindingConfig
from build_host.training.config import FitConfig, Positive, SaliencyConfig, Section, digest_of
from device.imaging.preprocessing import InputSpec
from device.models.manifest import Version
from device.models.network_spec import Name
from device.platform.toml_file import read_toml

ImageEnhancement = Literal[
    "Gaussian blur", "median", "bilateral", "non-local means", "hair removal"
]


class ReproductionConfig(Section, frozen=True):
    """Everything that decides what a reproduction produces.

    Attributes
    ----------
    name, version
        Of the bundle.
    seed
        Random seed of every stage.
    images
        How many images to use; 0 for all. A small number is for trying the pipeline out.
    protocol_fit
        How the networks of the three split protocols are trained: the paper's settings.
    fit
        How the base network of the compression study is trained.
    fine_tune
        How pruning and the dense control continue from it, for as many steps as pruning takes.
    short_fine_tune
        How quantization-aware training and clustering continue.
    enhancements
        The image enhancements that a network is trained with, besides none.
    enhancement_references
        How many of the cleanest training images are corrupted, and restored by every enhancement.
    enhancement_fit
        How the networks that compare image enhancements are trained.
    baseline_fit
        How the baseline networks are trained.
    ensemble_widths
        Width of each member of the lightweight ensemble.
    clusters
        Distinct values that a clustered layer's weights may have.
    representative
        Training images in the representative dataset of post-training quantization.
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
    short_fine_tune: FitConfig
    enhancement_fit: FitConfig
    baseline_fit: FitConfig
    saliency: SaliencyConfig
    pruning: PruningConfig = PruningConfig()
    rewinding: RewindingConfig = RewindingConfig()
    clusters: Annotated[int, msgspec.Meta(ge=2, le=256)] = 32
    images: Annotated[int, msgspec.Meta(ge=0)] = 0
    enhancements: tuple[ImageEnhancement, ...] = ("median", "non-local means", "hair removal")
    enhancement_references: Positive = 100
    ensemble_widths: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=2)] = (16, 20, 24)
    representative: Positive = 500
    resamples: Positive = 1000

    @property
    def digest(self) -> str:
        """SHA-256 of the settings that differ from their defaults: 64 hexadecimal digits."""
        return digest_of(self)


def read_reproduction_config(path: Path) -> ReproductionConfig:
    """Return the reproduction that a TOML file describes.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing or holds an unknown or impossible setting.
    """
    return read_toml(path, ReproductionConfig)
