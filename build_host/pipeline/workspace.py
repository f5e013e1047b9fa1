"""A run: its folder, what it was told, and the data and teachers that it names."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from build_host.datasets.dataset import Dataset, concatenate
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.isic2017 import read_isic2017
from build_host.datasets.split import Split, split_by_lesion
from build_host.results import read_result
from build_host.training.config import RunConfig, read_config
from build_host.training.history import read_history
from device.errors import DataError
from device.inference.bundle import MODEL_FILE, Bundle
from device.inference.manifest import Manifest

CONFIG_FILE: Final = "run.toml"
LESSONS_FILE: Final = "lessons.txt"
DRAFT_FILE: Final = "draft.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder and what it was told."""

    folder: Path
    config: RunConfig


def open_run(folder: Path) -> Run:
    """Return the run in a folder.

    Raises
    ------
    device.errors.DataError
        If there is none.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise DataError(f"{folder}: holds no run ({CONFIG_FILE} is missing); train one first")
    return Run(folder, read_config(path))


def start_run(config_path: Path, out: Path) -> Run:
    """Return the run of a configuration, in the folder below `out` that its digest names."""
    config = read_config(config_path)
    folder = run_folder(config, out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_bytes(config_path.read_bytes())
    return Run(folder, config)


def run_folder(config: RunConfig, out: Path) -> Path:
    """Return the folder of a run below `out`."""
    return out / f"{config.name}-{config.digest[:8]}"


def find_teachers(config: RunConfig, beside: Path, out: Path) -> list[Run]:
    """Return the trained runs that a run names as its teachers.

    Parameters
    ----------
    beside
        The folder of the run's own file, where those of its teachers lie.
    out
        The folder of all runs.

    Raises
    ------
    device.errors.DataError
        If one is not trained yet.
    """
    distillation = config.fit.distillation
    found = []
    for name in distillation.teachers if distillation else ():
        path = beside / name
        teacher = read_config(path)
        folder = run_folder(teacher, out)
        done = len(read_history(folder))
        if done < teacher.fit.epochs:
            raise DataError(
                f"{folder}: this teacher has {done} of {teacher.fit.epochs} epochs; first run: "
                f"dermascope-build train --config {path} --out {out}"
            )
        found.append(Run(folder, teacher))
    return found


def lessons_folders(run: Run, teachers: Sequence[Run], dataset: Dataset) -> list[Path]:
    """Return where each teacher's lessons lie, beside the run: runs that ask the same share them.

    Raises
    ------
    device.errors.DataError
        If the run was begun with other lessons: it cannot go on with these.
    """
    config, fit = run.config, run.config.fit
    shown = (
        dataset.digest, config.seed, fit.balance, fit.balance_power, fit.augmentation,
        config.input if fit.frame_size == (0, 0) else None,
    )  # fmt: skip
    asked = [msgspec.json.encode((*shown, t.config.digest, _lessons_of(t))) for t in teachers]
    names = [f"lessons-{hashlib.sha256(told).hexdigest()[:8]}" for told in asked]
    if _lessons_of(run) not in ([], names):
        raise DataError(f"{run.folder}: was begun with other teachers or data; name another --out")
    (run.folder / LESSONS_FILE).write_text("\n".join(names), encoding="utf-8")
    return [run.folder.parent / name for name in names]


def _lessons_of(run: Run) -> list[str]:
    """Return the names of the lessons that a run was taught by, none where it had no teachers."""
    path = run.folder / LESSONS_FILE
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


@dataclass(frozen=True, slots=True)
class Sources:
    """Where things lie that a run may need.

    Attributes
    ----------
    ham10000
        The dataset.
    isic2017
        More images, where the run asks for them.
    pretrained
        Folder of ImageNet weights; None to have them downloaded, or taken from packages.
    """

    ham10000: Path
    isic2017: Path | None = None
    pretrained: Path | None = None


def training_data(config: RunConfig, sources: Sources) -> tuple[Dataset, Split]:
    """Return HAM10000 split by lesion, its training part with the run's extra images.

    Raises
    ------
    device.errors.DataError
        If the data is not whole, or the extra images are not named.
    """
    dataset = read_ham10000(sources.ham10000)
    split = split_by_lesion(dataset)
    if config.extra_data == "none":
        return dataset, split
    if sources.isic2017 is None:
        raise DataError(f"{config.name}: trains on ISIC 2017 too; name its folder with --isic2017")
    extra = read_isic2017(sources.isic2017, ("train", "validation"))
    both = concatenate(dataset, extra)
    more = np.arange(len(dataset), len(both))
    return both, replace(split, train=np.concatenate([split.train, more]))


def leave_draft(folder: Path, bundle: Bundle) -> None:
    """Write a model and its unsigned manifest into a run's folder."""
    (folder / MODEL_FILE).write_bytes(bundle.model)
    (folder / DRAFT_FILE).write_bytes(msgspec.json.encode(bundle.manifest))


def open_draft(folder: Path) -> Bundle:
    """Return the unsigned bundle of a run.

    Raises
    ------
    device.errors.DataError
        If the run is not compressed yet, or its draft is of another file.
    """
    path = folder / DRAFT_FILE
    if not path.is_file():
        missing = "" if (folder / CONFIG_FILE).is_file() else "holds no run, or "
        raise DataError(f"{folder}: {missing}is not compressed yet ({DRAFT_FILE} is missing)")
    manifest = read_result(path, Manifest)
    model = (folder / MODEL_FILE).read_bytes()
    if hashlib.sha256(model).hexdigest() != manifest.model_sha256:
        raise DataError(
            f"{folder}: {MODEL_FILE} is not what {DRAFT_FILE} describes; compress again"
        )
    return Bundle(folder, manifest, model, "")
