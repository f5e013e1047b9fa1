"""Runs on disk: opening and starting them, and finding the data and teachers that they name.

The names of the files in a run's folder are in `build_host.run_folder`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from build_host.datasets.dataset import Dataset
from build_host.datasets.separation import without_look_alikes
from build_host.datasets.sources import (
    DataFolders,
    read_sources,
    split_sources,
    tested_elsewhere,
)
from build_host.datasets.split import Split
from build_host.errors import DataError
from build_host.files import write_file
from build_host.results import read_result, write_result
from build_host.run_folder import RunFolder
from build_host.training.config import RunConfig, read_run_config
from build_host.training.history import read_history
from device.models.bundle import Bundle
from device.models.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder and its settings."""

    folder: RunFolder
    config: RunConfig


def open_run(folder: RunFolder) -> Run:
    """Return the run in a folder.

    Raises
    ------
    build_host.errors.DataError
        If there is none.
    """
    if not folder.config.is_file():
        raise DataError(
            f"{folder.path}: holds no run ({folder.config.name} is missing); train one first"
        )
    return Run(folder, read_run_config(folder.config))


def start_run(config_path: Path, out: Path) -> Run:
    """Return the run that a TOML file describes, its folder made below `out`.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing or holds an unknown or impossible setting.
    """
    config = read_run_config(config_path)
    folder = folder_of(config, out)
    write_file(folder.config, config_path.read_bytes())
    return Run(folder, config)


def folder_of(config: RunConfig, out: Path) -> RunFolder:
    """Return the folder of a run below `out`, which the digest of its settings names."""
    return RunFolder(out / f"{config.name}-{config.digest[:8]}")


def find_teachers(config: RunConfig, config_folder: Path, out: Path) -> list[Run]:
    """Return the trained runs that a run names as its teachers.

    Parameters
    ----------
    config_folder
        The folder of the run's TOML file, where those of its teachers are.
    out
        The folder of all runs.

    Raises
    ------
    build_host.errors.DataError
        If one is not trained yet.
    """
    distillation = config.fit.distillation
    found = []
    for name in distillation.teachers if distillation else ():
        path = config_folder / name
        teacher = read_run_config(path)
        folder = folder_of(teacher, out)
        done = len(read_history(folder))
        if done < teacher.fit.epochs:
            raise DataError(
                f"{folder.path}: this teacher has {done} of {teacher.fit.epochs} epochs; first "
                f"run: dermascope-build train --config {path} --out {out}"
            )
        found.append(Run(folder, teacher))
    return found


def prediction_folders(
    run: Run, teachers: Sequence[Run], dataset: Dataset, split: Split
) -> list[Path]:
    """Return the folder of each teacher's predictions, beside the run's.

    Runs with the same training views share them. The names are noted in the run's folder.

    Parameters
    ----------
    split
        Its training part is what the views are of.

    Raises
    ------
    build_host.errors.DataError
        If the run was started with other teachers or data: it cannot be resumed with these.
    """
    config, fit = run.config, run.config.fit
    trained = hashlib.sha256(split.train.tobytes()).hexdigest()
    views = (
        dataset.digest, trained, config.seed, fit.balance, fit.balance_power, fit.augmentation,
        config.input if fit.frame_size == (0, 0) else None,
    )  # fmt: skip
    identities = [
        msgspec.json.encode((*views, t.config.digest, _prediction_folders_of(t))) for t in teachers
    ]
    names = [f"predictions-{hashlib.sha256(identity).hexdigest()[:8]}" for identity in identities]
    if _prediction_folders_of(run) not in ([], names):
        raise DataError(
            f"{run.folder.path}: was started with other teachers or data; name another --out"
        )
    write_file(run.folder.distillation_targets, "\n".join(names).encode())
    return [run.folder.path.parent / name for name in names]


def _prediction_folders_of(run: Run) -> list[str]:
    """Return the names of the folders that a run was distilled from; none without teachers."""
    path = run.folder.distillation_targets
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def training_data(config: RunConfig, folders: DataFolders) -> tuple[Dataset, Split]:
    """Return the images of all of a run's sources, split by lesion.

    Raises
    ------
    build_host.errors.DataError
        If the data is incomplete, or the folder of a source is not named.
    """
    dataset = read_sources(config.sources, folders)
    return dataset, split_sources(dataset)


def separated_data(config: RunConfig, folders: DataFolders, cache: Path) -> tuple[Dataset, Split]:
    """Return `training_data` that trains on no image that looks like one that validates or tests.

    Parameters
    ----------
    cache
        Folder that keeps what was found for the next run.

    Raises
    ------
    build_host.errors.DataError
        As `training_data`.
    """
    dataset, split = training_data(config, folders)
    elsewhere = tested_elsewhere(config.sources, folders)
    return dataset, without_look_alikes(dataset, split, cache, elsewhere)


def write_draft(folder: RunFolder, bundle: Bundle) -> None:
    """Write a bundle's models and its unsigned manifest into a run's folder."""
    for name, model in bundle.models.items():
        write_file(folder.path / name, model)
    if bundle.similar_cases:
        write_file(folder.similar_cases, bundle.similar_cases)
    write_result(folder.draft, bundle.manifest)


def forget_figures(folder: RunFolder) -> None:
    """Remove what was measured with other thresholds: no bundle is signed with it."""
    for path in (folder.metrics, folder.peers):
        path.unlink(missing_ok=True)


def open_draft(folder: RunFolder) -> Bundle:
    """Return the unsigned bundle of a run.

    Raises
    ------
    build_host.errors.DataError
        If the run is not compressed yet, or its draft describes another file.
    """
    if not folder.draft.is_file():
        reason = "" if folder.config.is_file() else "holds no run, or "
        raise DataError(
            f"{folder.path}: {reason}is not compressed yet ({folder.draft.name} is missing)"
        )
    manifest = read_result(folder.draft, Manifest)
    models = {}
    for network in manifest.networks:
        model = (folder.path / network.file).read_bytes()
        if hashlib.sha256(model).hexdigest() != network.sha256:
            raise DataError(
                f"{folder.path}: {network.file} is not what {folder.draft.name} describes; "
                "compress again"
            )
        models[network.file] = model
    cases = folder.similar_cases.read_bytes() if manifest.similar_cases else b""
    return Bundle(folder.path, manifest, models, "", cases)
