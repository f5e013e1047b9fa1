"""What every stage of a reproduction is given, and how each of them runs only once."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.image_cache import Examples, load_examples
from build_host.datasets.split import Split, split_by_lesion
from build_host.errors import DataError
from build_host.reproduction.config import ReproductionConfig
from build_host.results import read_result, write_result
from build_host.run_folder import RunFolder
from build_host.training.config import FitConfig, RunConfig

_REQUIRED_SPACE: Final = 3 << 30

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """What every stage is given, and the names of the files that they leave.

    Attributes
    ----------
    config
        The reproduction's settings.
    dataset
        The images, or as many of them as the settings ask for.
    split
        By lesion.
    out
        The folder of these settings.
    timings
        Work and seconds of each stage that was run, for the estimate of the time left.
    """

    config: ReproductionConfig
    dataset: Dataset
    split: Split
    out: Path
    console: Console
    timings: list[tuple[float, float]] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        """Folder of decoded images, shared by all settings."""
        return self.out.parent / "cache"

    @property
    def report_file(self) -> Path:
        """The HTML page."""
        return self.out / "report.html"

    @property
    def results_file(self) -> Path:
        """Everything that was measured."""
        return self.out / "metrics.json"

    @property
    def run_folder(self) -> RunFolder:
        """The run that ``dermascope-build bundle`` makes a bundle of."""
        return RunFolder(self.out / "bundle")

    @property
    def features_file(self) -> Path:
        """Hand-made features of every image, of the classical baseline."""
        return self.out / "baselines" / "features.npy"

    @property
    def classical_model_file(self) -> Path:
        """The classical baseline."""
        return self.out / "baselines" / "classical.joblib"

    def training_folder(self, stage: str) -> RunFolder:
        """Return where a network is trained."""
        return RunFolder(self.out / stage)

    def tflite_file(self, name: str, kind: str) -> Path:
        """Return the ``.tflite`` file of a row of the results' table."""
        stem = f"{name} {kind}".replace(", ", "-").replace(" ", "-")
        return self.out / "files" / f"{stem}.tflite"

    def keras_file(self, name: str) -> Path:
        """Return a Keras HDF5 file, of those that are measured by their size alone."""
        return self.out / "files" / f"{name}.h5"

    def examples(self, fit: FitConfig, split: Split | None = None) -> Examples:
        """Return the images as training reads them."""
        chosen = self.split if split is None else split
        spec = self.config.input
        return load_examples(self.dataset, chosen, spec, fit.frame_size, self.cache)

    def run_config(self, fit: FitConfig) -> RunConfig:
        """Return the settings of a run that trains the paper's network."""
        config = self.config
        return RunConfig(
            name=config.name,
            version=config.version,
            seed=config.seed,
            input=config.input,
            architecture="paper",
            fit=fit,
            saliency=config.saliency,
            representative=config.representative,
        )


def open_context(config: ReproductionConfig, data: Path, out: Path, console: Console) -> Context:
    """Read the data and make the output folder.

    Raises
    ------
    build_host.errors.DataError
        If the data is incomplete or the disk too full: before anything is computed.
    """
    dataset = read_ham10000(data)
    if config.images:
        dataset = _subset_of_lesions(dataset, config.images)
    split = split_by_lesion(dataset)
    folder = out / f"{config.name}-{config.digest[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    if not config.images and shutil.disk_usage(folder).free < _REQUIRED_SPACE:
        raise DataError(f"{folder}: less than 3 GiB are free; name another --out")
    settings = folder / "config.json"
    if not settings.exists():
        write_result(settings, config)
    return Context(config, dataset, split, folder, console)


def _subset_of_lesions(dataset: Dataset, count: int) -> Dataset:
    """Return whole lesions of every diagnosis, about `count` images, always the same."""
    labels = dataset.labels
    chosen: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        chosen.append(own[: max(count // 14, round(count * len(own) / len(dataset)))])
    lesions = set(dataset.lesions[np.concatenate(chosen)])
    return dataset.subset(np.flatnonzero([r.lesion_id in lesions for r in dataset.records]))


@contextmanager
def stage(context: Context, title: str, work: float, left: float) -> Iterator[None]:
    """Print the heading of a stage with an estimate of the time left, and time the stage.

    Parameters
    ----------
    work, left
        Work of this stage and of all that follow, in images that the paper's network is trained
        on.
    """
    start = time.monotonic()
    context.console.rule(f"{title}{_time_left(context, work + left)}", align="left")
    yield
    context.timings.append((work, time.monotonic() - start))


def _time_left(context: Context, work: float) -> str:
    known = [(w, s) for w, s in context.timings if w > 0]
    if not known or work <= 0:
        return ""
    minutes = work * sum(s for _, s in known) / sum(w for w, _ in known) / 60
    return f", about {minutes:.0f} min left" if minutes >= 1 else ""


def run_once(context: Context, name: str, kind: type[T], run: Callable[[], T]) -> T:
    """Return a stage's result: from disk where the stage is done, else by running it."""
    path = context.out / name / "result.json"
    if path.is_file():
        return read_result(path, kind)
    result = run()
    write_result(path, result)
    return result
