"""``dermascope-build``: from images to a signed bundle."""

import argparse
import os
import sys
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
from build_host.run_folder import RunFolder
from device.config import load_config
from device.errors import DermascopeError
from device.inference.bundle import MANIFEST_FILE, load_bundle

DATA_VARIABLE: Final = "DERMASCOPE_HAM10000"
ISIC2017_VARIABLE: Final = "DERMASCOPE_ISIC2017"
PRETRAINED_VARIABLE: Final = "DERMASCOPE_PRETRAINED"
_NOTES_SHOWN: Final = 20
_CONFIGS: Final = Path(__file__).parent / "configs"


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
        print("dermascope-build: stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermascope-build", description="Train, compress, evaluate and sign a model."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = _place("--data", "HAM10000", DATA_VARIABLE, required=True)
    isic2017 = _place("--isic2017", "ISIC 2017, where it is used", ISIC2017_VARIABLE)
    pretrained = _place(
        "--pretrained", "ImageNet weights, where they cannot be downloaded", PRETRAINED_VARIABLE
    )
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("--out", type=Path, metavar="DIR", default=Path("runs"), help="default: runs")
    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    run_or_bundle = argparse.ArgumentParser(add_help=False)
    run_or_bundle.add_argument("run", type=Path, metavar="RUN", help="a run's or a bundle's folder")

    def add(
        name: str, command: object, text: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=parents)
        sub.set_defaults(command=command)
        return sub

    data_parser = commands.add_parser(
        "data", help="Look at a dataset.", description="Look at a dataset."
    )
    checks = data_parser.add_subparsers(required=True, metavar="WHAT")
    checks.add_parser(
        "check",
        help="Name everything that is wrong with it.",
        description="Decode every image and name everything that is wrong with the dataset.",
        parents=[data],
    ).set_defaults(command=_check)
    reproducing = "Run the source paper's whole method; goes on where it stopped."
    again = add("reproduce", _reproduce, reproducing, data, out)
    again.add_argument(
        "--config", type=Path, metavar="FILE", help="the reproduction's TOML file (default: paper)"
    )
    again.add_argument(
        "--quick", action="store_true", help="a few hundred images, one epoch, every stage"
    )
    fitting = "Fit a network; goes on where it was stopped."
    train = add("train", _train, fitting, data, isic2017, pretrained, out)
    train.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=_CONFIGS / "slim-96.toml",
        help="the run's TOML file (default: slim-96)",
    )
    comparing = "Train a run's variants and compare them."
    ablate = add("ablate", _ablate, comparing, data, isic2017, pretrained, out)
    ablate.add_argument("config", type=Path, metavar="FILE", help="the variants' TOML file")
    ablate.add_argument(
        "--run", type=Path, metavar="RUN", help="the run whose bundle is to keep the table"
    )
    add("compress", _compress, "Convert a run to int8 and calibrate it.", run, data)
    fitting = "Fit a converted run's probabilities and thresholds anew."
    add("calibrate", _calibrate, fitting, run, data)
    measuring = "Measure a run or a bundle on the test fold and beside it."
    add("evaluate", _evaluate, measuring, run_or_bundle, data, isic2017)
    peers = add("peers", _peers, "Measure other models on the same images.", run, data)
    peers.add_argument(
        "others", type=Path, metavar="OTHER", nargs="+", help="other runs, or bundles"
    )
    spoiling = "Spoil validation images to see where accuracy falls; a run's quality limits follow."
    quality = add("quality", _quality, spoiling, run_or_bundle, data)
    quality.add_argument("--images", type=_positive, default=300, help="default: 300")
    quality.add_argument(
        "--levels", type=_positive, default=9, help="amounts of each degradation (default: 9)"
    )
    quality.add_argument(
        "--out", type=Path, metavar="DIR", help="for a bundle's results (default: runs/quality)"
    )
    showing = "Draw a page of hits and failures with their saliency maps, to be looked at."
    examples = add("examples", _examples, showing, run_or_bundle, data)
    examples.add_argument(
        "--to", type=Path, metavar="FILE", default=Path("examples.png"), help="default: %(default)s"
    )
    bundle = add("bundle", _bundle, "Write and sign a run's bundle.", run)
    bundle.add_argument(
        "--models", type=Path, metavar="DIR", default=Path("models"), help="default: models"
    )
    reopening = "Make a run of a bundle, to measure or sign it anew."
    reopen = add("reopen", _reopen, reopening, out)
    reopen.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle's folder")
    reopen.add_argument("--version", metavar="N.N.N", help="of the new bundle, if it is to differ")
    add("key", _key, "Make a signing key and print its public half.")
    return parser


def _place(flag: str, what: str, variable: str, required: bool = False) -> argparse.ArgumentParser:
    """Return a parser of one folder that an environment variable may name."""
    named = os.environ.get(variable)
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        flag,
        type=Path,
        metavar="DIR",
        default=Path(named) if named else None,
        required=required and not named,
        help=f"{what} (default: ${variable})",
    )
    return parent


def _check(options: argparse.Namespace, console: Console) -> int:
    found = validate_ham10000(options.data, console)
    for problem in found.problems:
        print(f"dermascope-build: {problem}", file=sys.stderr)
    shown = found.notes[:_NOTES_SHOWN]
    for note in shown:
        console.print(f"Note: {note}", soft_wrap=True)
    if len(found.notes) > len(shown):
        console.print(f"Note: and {len(found.notes) - len(shown)} more")
    console.print(f"{found.images} images can be used; {len(found.problems)} problems")
    return 2 if found.problems else 0


def _reproduce(options: argparse.Namespace, console: Console) -> int:
    from build_host.reproduction.config import read_reproduction_config
    from build_host.reproduction.reproduce import reproduce

    named = "reproduce-quick.toml" if options.quick else "reproduce.toml"
    config = read_reproduction_config(options.config or _CONFIGS / named)
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
    table = ablate(options.config, sources, options.out, console)
    console.print(ablation_table(table))
    if options.run:
        release.keep_ablation(RunFolder(options.run), table)
    return 0


def _peers(options: argparse.Namespace, console: Console) -> int:
    trusted = load_config().trusted_keys
    found = stages.compare_peers(RunFolder(options.run), options.others, options.data, trusted)
    console.print(peers_table(found))
    return 0


def _compress(options: argparse.Namespace, console: Console) -> int:
    stages.compress(workspace.open_run(RunFolder(options.run)), options.data, console)
    console.print(f"Next: dermascope-build evaluate {options.run}", soft_wrap=True)
    return 0


def _calibrate(options: argparse.Namespace, console: Console) -> int:
    stages.calibrate(RunFolder(options.run), options.data)
    console.print(f"Next: dermascope-build quality {options.run}", soft_wrap=True)
    return 0


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    sources = workspace.DataSources(options.data, options.isic2017)
    if (options.run / MANIFEST_FILE).is_file():
        bundle = load_bundle(options.run, load_config().trusted_keys)
        result = stages.evaluate_bundle(bundle, sources, console)
    else:
        result = stages.evaluate_run(RunFolder(options.run), sources, console)
    for table in assessment_tables(result):
        console.print(table)
    return 0


def _reopen(options: argparse.Namespace, console: Console) -> int:
    run = release.reopen(options.bundle, options.out, load_config().trusted_keys, options.version)
    console.print(f"Run: {run.path}", soft_wrap=True)
    console.print(f"Next: dermascope-build evaluate {run.path}", soft_wrap=True)
    return 0


def _quality(options: argparse.Namespace, console: Console) -> int:
    if (options.run / MANIFEST_FILE).is_file():
        out = RunFolder(options.out or Path("runs") / "quality")
        bundle = load_bundle(options.run, load_config().trusted_keys)
        result = stages.study_bundle(bundle, options.data, out, options.images, options.levels)
    else:
        out = RunFolder(options.run)
        result = stages.study_run(out, options.data, options.images, options.levels)
    console.print(quality_table(result))
    console.print(f"Wrote {out.quality_study} and {out.quality_plot.name}", soft_wrap=True)
    return 0


def _examples(options: argparse.Namespace, console: Console) -> int:
    bundle = release.open_bundle(options.run, load_config().trusted_keys)
    stages.show_examples(bundle, options.data, options.to)
    console.print(
        f"Wrote {options.to}; its pictures are the dataset's: share it as that", soft_wrap=True
    )
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _bundle(options: argparse.Namespace, console: Console) -> int:
    folder = release.make_bundle(RunFolder(options.run), options.models, default_key_path())
    console.print(f"Wrote {folder}", soft_wrap=True)
    return 0


def _key(options: argparse.Namespace, console: Console) -> int:
    path = default_key_path()
    console.print(f"Public key, for a device's trusted_keys: {create_key(path)}", soft_wrap=True)
    console.print(f"The private key is in {path}; keep it out of every repository.", soft_wrap=True)
    return 0
