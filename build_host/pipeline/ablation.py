"""Ablation: the same run without each part of its recipe, compared on the validation fold."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from rich.console import Console

from build_host.calibration.cross_validation import cross_validate
from build_host.datasets.image_cache import load_examples
from build_host.datasets.sources import DataFolders
from build_host.evaluation.comparison import Ablation, AblationRow
from build_host.pipeline.stages import train
from build_host.pipeline.workspace import (
    Run,
    find_teachers,
    folder_of,
    training_data,
)
from build_host.results import write_result
from build_host.run_folder import RunFolder
from build_host.training.config import RunConfig
from device.errors import ConfigError
from device.platform.toml_file import read_toml


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base run with some settings changed.

    Attributes
    ----------
    name
        Of the table's row.
    set
        New values by dotted key.
    unset
        Dotted keys to remove.
    """

    name: str
    set: dict[str, Any] = {}
    unset: tuple[str, ...] = ()


class AblationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of variants.

    Attributes
    ----------
    base
        TOML file of the base run, beside this one.
    common
        Settings of every variant by dotted key: shorter training, for instance.
    """

    base: str
    variants: Annotated[tuple[Variant, ...], msgspec.Meta(min_length=1)]
    common: dict[str, Any] = {}


def ablate(
    path: Path,
    folders: DataFolders,
    out: Path,
    console: Console,
    attach_to: RunFolder | None = None,
) -> Ablation:
    """Train every variant that is not trained yet, and return their table.

    Parameters
    ----------
    path
        TOML file of an `AblationConfig`.
    out
        The folder of all runs.
    attach_to
        The run whose bundle is to keep the table.

    Raises
    ------
    device.errors.ConfigError
        If a variant is not a valid run: before anything is trained.
    """
    config = read_toml(path, AblationConfig)
    base = path.parent / config.base
    runs = [(v.name, variant_config(base, config, v)) for v in config.variants]
    rows, images = [], 0
    for name, run in runs:
        console.rule(name, align="left")
        row, images = _row(name, run, base, folders, out, console)
        rows.append(row)
    table = Ablation(base.stem, images, rows)
    if attach_to is not None:
        write_result(attach_to.ablation, table)
    return table


def variant_config(base: Path, config: AblationConfig, variant: Variant) -> RunConfig:
    """Return the settings of a variant.

    Raises
    ------
    device.errors.ConfigError
        If it is not a valid run.
    """
    read_toml(base, RunConfig)
    settings = tomllib.loads(base.read_text(encoding="utf-8"))
    try:
        for name in variant.unset:
            table, key = _table_of(settings, name)
            del table[key]
        for name, value in (config.common | variant.set).items():
            table, key = _table_of(settings, name)
            table[key] = value
        return msgspec.convert(settings, RunConfig)
    except KeyError as error:
        raise ConfigError(f"variant {variant.name!r}: the base has no {error}") from None
    except (TypeError, AttributeError):
        raise ConfigError(f"variant {variant.name!r}: a key is inside another setting") from None
    except ValueError as error:
        raise ConfigError(f"variant {variant.name!r}: {error}") from None


def _table_of(settings: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    *path, key = name.split(".")
    for part in path:
        settings = settings.setdefault(part, {})
    return settings, key


def _row(
    name: str,
    config: RunConfig,
    base: Path,
    folders: DataFolders,
    out: Path,
    console: Console,
) -> tuple[AblationRow, int]:
    folder = folder_of(config, out)
    write_result(folder.variant, config)
    teachers = find_teachers(config, base.parent, out)
    train(Run(folder, config), folders, teachers, console)

    from build_host.training.architectures import build_network
    from build_host.training.input_pipeline import batches

    dataset, split = training_data(config, folders)
    examples = load_examples(dataset, split, config.input, config.fit.frame_size, folder.cache)
    network = build_network(config)
    network.load_weights(folder.weights)
    rows = split.validation
    data = batches(examples.images, examples.labels, rows, config.input, config.fit.batch)
    logits = network.predict(data, verbose=0).astype(np.float32)
    figures = cross_validate(logits, examples.labels[rows], dataset.lesions[rows])
    parameters = int(network.count_params())
    return AblationRow(name, config.digest[:8], config.fit.epochs, parameters, figures), len(rows)
