"""The stages, in their order: each leaves its result in a folder of its own, and is done once."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.image_cache import Examples, load_examples
from build_host.datasets.split import Split, split_by_lesion
from build_host.reproduction.config import ReproductionConfig
from build_host.results import write_result
from build_host.training.config import FitConfig, RunConfig
from device.errors import DataError

RESULT: Final = "result.json"
_ROOM: Final = 3 << 30

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """What every stage is given.

    Attributes
    ----------
    config
        What the reproduction was told.
    dataset
        The images, or as many of them as the configuration asks for.
    split
        By lesion.
    out
        The folder of this configuration.
    """

    config: ReproductionConfig
    dataset: Dataset
    split: Split
    out: Path
    console: Console
    timed: list[tuple[float, float]] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        """Folder of decoded images, shared by all configurations."""
        return self.out.parent / "cache"

    def folder(self, stage: str) -> Path:
        """Return a stage's folder, made where it does not exist."""
        folder = self.out / stage
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def examples(self, fit: FitConfig, split: Split | None = None) -> Examples:
        """Return the images as training reads them."""
        chosen = self.split if split is None else split
        spec = self.config.input
        return load_examples(self.dataset, chosen, spec, fit.frame_size, self.cache)

    def run(self, fit: FitConfig) -> RunConfig:
        """Return a training run with these settings."""
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
    device.errors.DataError
        If the data is not whole, or the disk has no room: before anything is computed.
    """
    dataset = read_ham10000(data)
    if config.images:
        dataset = _some(dataset, config.images)
    split = split_by_lesion(dataset)
    folder = out / f"{config.name}-{config.digest[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    if not config.images and shutil.disk_usage(folder).free < _ROOM:
        raise DataError(f"{folder}: less than 3 GiB are free; name another --out")
    told = folder / "config.json"
    if not told.exists():
        write_result(told, config)
    return Context(config, dataset, split, folder, console)


def _some(dataset: Dataset, count: int) -> Dataset:
    """Return whole lesions of every diagnosis, about `count` images, the same every time."""
    by_class = dataset.labels
    chosen: list[NDArray[np.int64]] = []
    for label in np.unique(by_class):
        own = np.flatnonzero(by_class == label)
        chosen.append(own[: max(count // 14, round(count * len(own) / len(dataset)))])
    lesions = set(dataset.lesions[np.concatenate(chosen)])
    return dataset.subset(np.flatnonzero([r.lesion_id in lesions for r in dataset.records]))


@contextmanager
def timed(context: Context, title: str, work: float, left: float) -> Iterator[None]:
    """Say what begins and, once that can be known, how long the rest may take.

    Parameters
    ----------
    work, left
        Of this stage and of all that follow, in images shown to the paper's network.
    """
    start = time.monotonic()
    context.console.rule(f"{title}{_time_left(context, work + left)}", align="left")
    yield
    context.timed.append((work, time.monotonic() - start))


def _time_left(context: Context, work: float) -> str:
    known = [(w, s) for w, s in context.timed if w > 0]
    if not known or work <= 0:
        return ""
    minutes = work * sum(s for _, s in known) / sum(w for w, _ in known) / 60
    return f", about {minutes:.0f} min left" if minutes >= 1 else ""


def once(context: Context, stage: str, kind: type[T], make: Callable[[Path], T]) -> T:
    """Return a stage's result: from its folder where it is done, else by making it."""
    folder = context.folder(stage)
    path = folder / RESULT
    if path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=kind)
    result = make(folder)
    part = folder / f"part-{RESULT}"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    return result
