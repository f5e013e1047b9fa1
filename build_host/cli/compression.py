"""Commands that make an int8 file of a trained network, and fit how it is read."""

import argparse
from pathlib import Path

from rich.console import Console

from build_host.cli.options import (
    Add,
    data_options,
    folders,
    positive,
    run_argument,
    run_or_bundle_argument,
)
from build_host.datasets.sources import SOURCES
from build_host.pipeline import measurement, release, stages, workspace
from build_host.reporting.console import (
    quality_table,
)
from build_host.run_folder import RunFolder
from device.config import load_config
from device.models.bundle import load_bundle


def add_compression_commands(add: Add) -> None:
    """Add them to the command line."""
    captured = argparse.ArgumentParser(add_help=False)
    captured.add_argument(
        "--captured", action="store_true", help="the network is for captured pictures: calibrate "
        "the mean over the eight flips and rotations",
    )  # fmt: skip
    add(
        "compress", _compress, "Quantize a trained run to int8, then fit its probability "
        "calibration and decision thresholds on the validation fold.", run_argument(), captured,
        data_options(),
    )  # fmt: skip
    calibrate = add(
        "calibrate", _calibrate, "Refit the probability calibration and decision thresholds of a "
        "compressed run; the weights stay unchanged.", run_argument(), captured, data_options(),
    )  # fmt: skip
    calibrate.add_argument(
        "--on", nargs="+", choices=list(SOURCES), metavar="SOURCE", default=[],
        help="collections whose validation folds it is fitted on, such as a clinic's own pictures "
        "(default: those that the run was trained on)",
    )  # fmt: skip

    quality = add(
        "quality-limits", _quality_limits, "Find how far validation images can be degraded before "
        "accuracy falls, and set a run's image quality limits there.",
        run_or_bundle_argument(), data_options(),
        more="The results are written as quality.json and quality.png, into the run's folder.",
    )  # fmt: skip
    quality.add_argument(
        "--images",
        type=positive,
        metavar="N",
        default=300,
        help="number of validation images to degrade (default: %(default)s)",
    )
    quality.add_argument(
        "--levels",
        type=positive,
        metavar="N",
        default=9,
        help="number of steps of each degradation, from mildest to worst (default: %(default)s)",
    )
    quality.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("runs/quality"),
        help="where to write the results if RUN_OR_BUNDLE is a bundle; a signed bundle is never "
        "modified (default: %(default)s)",
    )


def _compress(options: argparse.Namespace, console: Console) -> int:
    run = workspace.open_run(RunFolder(options.run))
    stages.compress(run, folders(options), console, options.captured)
    console.print(f"Next: dermascope-build quality-limits {options.run}", soft_wrap=True)
    return 0


def _calibrate(options: argparse.Namespace, console: Console) -> int:
    stages.calibrate(RunFolder(options.run), folders(options), options.captured, tuple(options.on))
    console.print(f"Next: dermascope-build quality-limits {options.run}", soft_wrap=True)
    return 0


def _quality_limits(options: argparse.Namespace, console: Console) -> int:
    named = folders(options)
    if release.is_bundle(options.run):
        out = RunFolder(options.out)
        bundle = load_bundle(options.run, load_config().trusted_keys)
        study = measurement.study_quality(bundle, named, out, options.images, options.levels)
    else:
        out = RunFolder(options.run)
        study = stages.set_quality_limits(out, named, options.images, options.levels)
    console.print(quality_table(study))
    console.print(f"Wrote {out.quality_study} and {out.quality_plot.name}", soft_wrap=True)
    if not release.is_bundle(options.run):
        console.print(f"Next: dermascope-build evaluate {options.run}", soft_wrap=True)
    return 0
