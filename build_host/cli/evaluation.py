"""Commands that measure models."""

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
from build_host.pipeline import measurement, release
from build_host.reporting.console import (
    assessment_tables,
    judgement_tables,
    peers_table,
)
from build_host.run_folder import RunFolder
from device.config import load_config
from device.models.bundle import load_bundle


def add_evaluation_commands(add: Add) -> None:
    """Add them to the command line."""
    add(
        "evaluate", _evaluate, "Measure a compressed run or a bundle on the test fold.",
        run_or_bundle_argument(), data_options(),
        more="Measured are accuracy, probability calibration, prediction sets, out-of-distribution "
        "detection, saliency maps, file size and speed. All is printed; for a run it is also "
        "written to metrics.json in its folder.",
    )  # fmt: skip

    judgement = add(
        "judgement", _judgement, "Tell whether a run or a bundle sees through round stops, refuses "
        "pictures with reason, and lets melanomas pass; on the test folds.",
        run_or_bundle_argument(), data_options(),
        more="Three tables are printed: stops drawn onto the first collection, with and without "
        "looking for them; refused pictures by source, diagnosis and skin tone; and what melanomas "
        "are headlined as.",
    )  # fmt: skip
    judgement.add_argument(
        "--fold",
        choices=("test", "validation"),
        default="test",
        help="whose images of each collection are judged (default: %(default)s)",
    )
    judgement.add_argument(
        "--images",
        type=positive,
        metavar="N",
        help="number of images of each collection, at random (default: all)",
    )

    compare = add(
        "compare", _compare, "Compare a run with other models on the test fold.",
        run_argument(), data_options(),
        more="The table is printed and saved in RUN, so that `bundle RUN` includes it in the model "
        "card.",
    )  # fmt: skip
    compare.add_argument(
        "others",
        type=Path,
        metavar="OTHER",
        nargs="+",
        help="folder of another compressed run or of a bundle; several may be given",
    )

    examples = add(
        "examples", _examples, "Draw a sheet of correct and wrong predictions on the validation "
        "fold, with their saliency maps.", run_or_bundle_argument(), data_options(),
    )  # fmt: skip
    examples.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        default=Path("examples.png"),
        help="image file to write (default: %(default)s)",
    )


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    named = folders(options)
    if release.is_bundle(options.run):
        bundle = load_bundle(options.run, load_config().trusted_keys)
        result = measurement.evaluate_bundle(bundle, named, console)
    else:
        result = measurement.evaluate_run(RunFolder(options.run), named, console)
    for table in assessment_tables(result):
        console.print(table)
    if not release.is_bundle(options.run):
        console.print(f"Next: dermascope-build bundle {options.run}", soft_wrap=True)
    return 0


def _judgement(options: argparse.Namespace, console: Console) -> int:
    bundle = release.open_run_or_bundle(options.run, load_config().trusted_keys)
    found = measurement.judge_bundle(bundle, folders(options), options.fold, options.images)
    for table in judgement_tables(found):
        console.print(table)
    return 0


def _compare(options: argparse.Namespace, console: Console) -> int:
    trusted = load_config().trusted_keys
    peers = measurement.compare(RunFolder(options.run), options.others, folders(options), trusted)
    console.print(peers_table(peers))
    return 0


def _examples(options: argparse.Namespace, console: Console) -> int:
    bundle = release.open_run_or_bundle(options.run, load_config().trusted_keys)
    measurement.write_example_sheet(bundle, folders(options), options.out)
    console.print(
        f"Wrote {options.out}; it shows images of the dataset, whose terms apply to it",
        soft_wrap=True,
    )
    return 0
