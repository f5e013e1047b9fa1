"""``dermascope-build``: from images to a signed bundle."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from build_host.bundle.sign import create_key, default_key_path
from build_host.datasets.validation import validate_ham10000
from build_host.pipeline import release, stages, workspace
from build_host.reporting.console import (
    ablation_table,
    assessment_tables,
    peers_table,
    quality_table,
)
from build_host.reproduction.tables import REPRODUCTION
from build_host.run_folder import RunFolder
from device.config import load_config
from device.errors import DermascopeError
from device.models.bundle import load_bundle

DATA_VARIABLE: Final = "DERMASCOPE_HAM10000"
ISIC2017_VARIABLE: Final = "DERMASCOPE_ISIC2017"
PRETRAINED_VARIABLE: Final = "DERMASCOPE_PRETRAINED"
_NOTES_SHOWN: Final = 20
_CONFIGS: Final = Path(__file__).parent / "configs"
_ATTACHMENTS: Final = (REPRODUCTION, release.ABLATION, release.PEERS)

Command = Callable[[argparse.Namespace, Console], int]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        return int(options.command(options, console))
    except DermascopeError as error:
        print(f"dermascope-build: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"dermascope-build: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dermascope-build: stopped; the same command resumes from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermascope-build", description="Train, compress, evaluate and sign a model."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = _folder_option("--data", "HAM10000", DATA_VARIABLE, required=True)
    isic2017 = _folder_option("--isic2017", "ISIC 2017, for runs that use it", ISIC2017_VARIABLE)
    pretrained = _folder_option(
        "--pretrained", "ImageNet weights; without it they are downloaded", PRETRAINED_VARIABLE
    )
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("runs"), help="folder of all runs "
        "(default: %(default)s)",
    )  # fmt: skip
    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    run_or_bundle = argparse.ArgumentParser(add_help=False)
    run_or_bundle.add_argument("run", type=Path, metavar="RUN", help="a run's or a bundle's folder")

    def add(
        name: str, command: Command, text: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=parents)
        sub.set_defaults(command=command)
        return sub

    text = "Validate a dataset."
    data_commands = commands.add_parser("data", help=text, description=text)
    data_commands.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check",
        help="Report everything that is wrong with HAM10000.",
        description="Decode every image of HAM10000 and report everything that is wrong with it.",
        parents=[data],
    ).set_defaults(command=_check)

    text = "Reproduce the source paper from raw data to an HTML report; resumes where it stopped."
    reproduce = add("reproduce", _reproduce, text, data, out)
    reproduce.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the reproduction's TOML file (default: reproduce.toml)",
    )
    reproduce.add_argument(
        "--quick", action="store_true", help="every stage, with a few hundred images and one epoch"
    )

    text = "Train a network; resumes where it stopped."
    train = add("train", _train, text, data, isic2017, pretrained, out)
    train.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=_CONFIGS / "slim-96.toml",
        help="the run's TOML file (default: slim-96.toml)",
    )

    text = "Train the variants of a run, and compare them on the validation fold."
    ablate = add("ablate", _ablate, text, data, isic2017, pretrained, out)
    ablate.add_argument("config", type=Path, metavar="FILE", help="the variants' TOML file")
    ablate.add_argument(
        "--attach-to", type=Path, metavar="RUN", help="the run whose bundle is to keep the table"
    )

    add("compress", _compress, "Quantize a trained run to int8, and calibrate it.", run, data)
    text = "Refit the calibration and thresholds of a compressed run."
    add("calibrate", _calibrate, text, run, data)
    text = "Measure a run or a bundle on the test fold and on other images."
    add("evaluate", _evaluate, text, run_or_bundle, data, isic2017)

    text = "Compare a run with other models on the test fold."
    compare = add("compare", _compare, text, run, data)
    compare.add_argument(
        "others", type=Path, metavar="OTHER", nargs="+", help="folders of other runs or bundles"
    )

    text = (
        "Find where accuracy falls on degraded validation images, and set a run's quality limits."
    )
    quality = add("quality-limits", _quality_limits, text, run_or_bundle, data)
    quality.add_argument(
        "--images", type=_positive, default=300, help="images to degrade (default: %(default)s)"
    )
    quality.add_argument(
        "--levels",
        type=_positive,
        default=9,
        help="amounts of each degradation (default: %(default)s)",
    )
    quality.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("runs/quality"),
        help="folder for the results of a bundle, which is not changed (default: %(default)s)",
    )

    text = "Draw a sheet of correct and wrong predictions with their saliency maps."
    examples = add("examples", _examples, text, run_or_bundle, data)
    examples.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        default=Path("examples.png"),
        help="image file to write (default: %(default)s)",
    )

    bundle = add("bundle", _bundle, "Sign and write the bundle of an evaluated run.", run)
    bundle.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        default=Path("models"),
        help="folder of all bundles (default: %(default)s)",
    )

    reopen = add("reopen", _reopen, "Turn a bundle back into a run, to measure it again.", out)
    reopen.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder")
    reopen.add_argument("--version", metavar="N.N.N", help="version of the new bundle")

    add("keygen", _keygen, "Generate a signing key and print its public key.")
    return parser


def _folder_option(
    flag: str, what: str, variable: str, required: bool = False
) -> argparse.ArgumentParser:
    """Return a parser of one folder that an environment variable may name."""
    default = os.environ.get(variable)
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        flag,
        type=Path,
        metavar="DIR",
        default=Path(default) if default else None,
        required=required and not default,
        help=f"folder of {what} (default: ${variable})",
    )
    return parent


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _check(options: argparse.Namespace, console: Console) -> int:
    report = validate_ham10000(options.data, console)
    for problem in report.problems:
        print(f"dermascope-build: {problem}", file=sys.stderr)
    shown = report.notes[:_NOTES_SHOWN]
    for note in shown:
        console.print(f"Note: {note}", soft_wrap=True)
    if len(report.notes) > len(shown):
        console.print(f"Note: and {len(report.notes) - len(shown)} more")
    console.print(f"{report.images} usable images; {len(report.problems)} problems")
    return 2 if report.problems else 0


def _reproduce(options: argparse.Namespace, console: Console) -> int:
    from build_host.reproduction.config import read_reproduction_config
    from build_host.reproduction.reproduce import reproduce

    default = "reproduce-quick.toml" if options.quick else "reproduce.toml"
    config = read_reproduction_config(options.config or _CONFIGS / default)
    context = reproduce(config, options.data, options.out, console)
    console.print(f"Report: {context.report_file}", soft_wrap=True)
    console.print(f"Next: dermascope-build bundle {context.run_folder.path}", soft_wrap=True)
    return 0


def _train(options: argparse.Namespace, console: Console) -> int:
    run = workspace.start_run(options.config, options.out)
    console.print(f"Run: {run.folder.path}", soft_wrap=True)
    teachers = workspace.find_teachers(run.config, options.config.parent, options.out)
    sources = workspace.DataSources(options.data, options.isic2017, options.pretrained)
    stages.train(run, sources, teachers, console)
    console.print(f"Next: dermascope-build compress {run.folder.path}", soft_wrap=True)
    return 0


def _ablate(options: argparse.Namespace, console: Console) -> int:
    from build_host.pipeline.ablation import ablate

    sources = workspace.DataSources(options.data, options.isic2017, options.pretrained)
    attach_to = RunFolder(options.attach_to) if options.attach_to else None
    table = ablate(options.config, sources, options.out, console, attach_to)
    console.print(ablation_table(table))
    return 0


def _compress(options: argparse.Namespace, console: Console) -> int:
    stages.compress(workspace.open_run(RunFolder(options.run)), options.data, console)
    console.print(f"Next: dermascope-build evaluate {options.run}", soft_wrap=True)
    return 0


def _calibrate(options: argparse.Namespace, console: Console) -> int:
    stages.calibrate(RunFolder(options.run), options.data)
    console.print(f"Next: dermascope-build quality-limits {options.run}", soft_wrap=True)
    return 0


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    sources = workspace.DataSources(options.data, options.isic2017)
    if release.is_bundle(options.run):
        bundle = load_bundle(options.run, load_config().trusted_keys)
        result = stages.evaluate_bundle(bundle, sources, console)
    else:
        result = stages.evaluate_run(RunFolder(options.run), sources, console)
    for table in assessment_tables(result):
        console.print(table)
    return 0


def _compare(options: argparse.Namespace, console: Console) -> int:
    trusted = load_config().trusted_keys
    peers = stages.compare(RunFolder(options.run), options.others, options.data, trusted)
    console.print(peers_table(peers))
    return 0


def _quality_limits(options: argparse.Namespace, console: Console) -> int:
    if release.is_bundle(options.run):
        out = RunFolder(options.out)
        bundle = load_bundle(options.run, load_config().trusted_keys)
        study = stages.study_quality(bundle, options.data, out, options.images, options.levels)
    else:
        out = RunFolder(options.run)
        study = stages.set_quality_limits(out, options.data, options.images, options.levels)
    console.print(quality_table(study))
    console.print(f"Wrote {out.quality_study} and {out.quality_plot.name}", soft_wrap=True)
    return 0


def _examples(options: argparse.Namespace, console: Console) -> int:
    bundle = release.open_run_or_bundle(options.run, load_config().trusted_keys)
    stages.write_example_sheet(bundle, options.data, options.out)
    console.print(
        f"Wrote {options.out}; it shows images of the dataset, whose terms apply to it",
        soft_wrap=True,
    )
    return 0


def _bundle(options: argparse.Namespace, console: Console) -> int:
    run = RunFolder(options.run)
    folder = release.make_bundle(run, options.models, default_key_path(), _ATTACHMENTS)
    console.print(f"Wrote {folder}", soft_wrap=True)
    return 0


def _reopen(options: argparse.Namespace, console: Console) -> int:
    trusted = load_config().trusted_keys
    run = release.reopen(options.bundle, options.out, trusted, _ATTACHMENTS, options.version)
    console.print(f"Run: {run.path}", soft_wrap=True)
    console.print(f"Next: dermascope-build evaluate {run.path}", soft_wrap=True)
    return 0


def _keygen(_options: argparse.Namespace, console: Console) -> int:
    path = default_key_path()
    console.print(f"Public key, for a device's trusted_keys: {create_key(path)}", soft_wrap=True)
    console.print(f"The private key is in {path}; keep it out of every repository.", soft_wrap=True)
    return 0
