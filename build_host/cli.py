"""``dermascope-build``: from images to a signed bundle."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from build_host import stages
from build_host.bundling.writing import create_key, default_key_path
from build_host.datasets.checking import check_ham10000
from build_host.evaluation.degrading import Study
from build_host.evaluation.telling import assessment_tables
from device.config import load_config
from device.errors import DermascopeError
from device.inference.bundle import MANIFEST_FILE, load_bundle

DATA_VARIABLE: Final = "DERMASCOPE_HAM10000"
ISIC2017_VARIABLE: Final = "DERMASCOPE_ISIC2017"
PRETRAINED_VARIABLE: Final = "DERMASCOPE_PRETRAINED"
_REMARKS_SHOWN: Final = 20
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
    data = os.environ.get(DATA_VARIABLE)

    def add_data(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--data",
            type=Path,
            metavar="DIR",
            default=Path(data) if data else None,
            required=not data,
            help=f"HAM10000 (default: ${DATA_VARIABLE})",
        )

    def add_isic2017(sub: argparse.ArgumentParser) -> None:
        named = os.environ.get(ISIC2017_VARIABLE)
        sub.add_argument(
            "--isic2017",
            type=Path,
            metavar="DIR",
            default=Path(named) if named else None,
            help=f"ISIC 2017, where it is used (default: ${ISIC2017_VARIABLE})",
        )

    def add(name: str, command: object, text: str, wants_data: bool) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        if wants_data:
            add_data(sub)
        return sub

    data_parser = commands.add_parser(
        "data", help="Look at a data set.", description="Look at a data set."
    )
    checks = data_parser.add_subparsers(required=True, metavar="WHAT")
    check = checks.add_parser(
        "check",
        help="Name everything that is wrong with it.",
        description="Decode every image and name everything that is wrong with the data set.",
    )
    check.set_defaults(command=_check)
    add_data(check)
    again = add(
        "reproduce",
        _reproduce,
        "Run the source paper's whole method; goes on where it stopped.",
        True,
    )
    again.add_argument(
        "--config", type=Path, metavar="FILE", help="the reproduction's TOML file (default: paper)"
    )
    again.add_argument(
        "--quick", action="store_true", help="a few hundred images, one epoch, every stage"
    )
    again.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("runs"), help="default: runs"
    )
    train = add("train", _train, "Fit a network; goes on where it was stopped.", True)
    train.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=_CONFIGS / "paper-28.toml",
        help="the run's TOML file (default: paper-28)",
    )
    train.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("runs"), help="default: runs"
    )
    named = os.environ.get(PRETRAINED_VARIABLE)
    train.add_argument(
        "--pretrained",
        type=Path,
        metavar="DIR",
        default=Path(named) if named else None,
        help=f"ImageNet weights, where they cannot be downloaded (default: ${PRETRAINED_VARIABLE})",
    )
    add_isic2017(train)
    compress = add("compress", _compress, "Convert a run to int8 and calibrate it.", True)
    evaluate = add("evaluate", _evaluate, "Measure a run or a bundle on the test fold.", True)
    bundle = add("bundle", _bundle, "Write and sign a run's bundle.", False)
    for sub in (compress, bundle):
        sub.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    evaluate.add_argument("run", type=Path, metavar="RUN", help="a run's or a bundle's folder")
    add_isic2017(evaluate)
    again = add("reopen", _reopen, "Make a run of a bundle, to measure or sign it anew.", False)
    again.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle's folder")
    again.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("runs"), help="default: runs"
    )
    quality = add(
        "quality",
        _quality,
        "Spoil validation images to see where accuracy falls; a run's quality limits follow.",
        True,
    )
    quality.add_argument("run", type=Path, metavar="RUN", help="a run's or a bundle's folder")
    quality.add_argument("--images", type=_positive, default=300, help="default: 300")
    quality.add_argument(
        "--levels", type=_positive, default=5, help="amounts of each degradation (default: 5)"
    )
    quality.add_argument(
        "--out", type=Path, metavar="DIR", help="for a bundle's results (default: runs/quality)"
    )
    bundle.add_argument(
        "--models", type=Path, metavar="DIR", default=Path("models"), help="default: models"
    )
    add("key", _key, "Make a signing key and print its public half.", False)
    return parser


def _check(options: argparse.Namespace, console: Console) -> int:
    found = check_ham10000(options.data, console)
    for problem in found.problems:
        print(f"dermascope-build: {problem}", file=sys.stderr)
    shown = found.remarks[:_REMARKS_SHOWN]
    for remark in shown:
        console.print(f"Note: {remark}", soft_wrap=True)
    if len(found.remarks) > len(shown):
        console.print(f"Note: and {len(found.remarks) - len(shown)} more")
    console.print(f"{found.images} images can be used; {len(found.problems)} problems")
    return 2 if found.problems else 0


def _reproduce(options: argparse.Namespace, console: Console) -> int:
    from build_host.reproduction.config import read_reproduction
    from build_host.reproduction.reproducing import reproduce

    named = "reproduce-quick.toml" if options.quick else "reproduce.toml"
    config = read_reproduction(options.config or _CONFIGS / named)
    folder = reproduce(config, options.data, options.out, console)
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True)
    console.print(f"Next: dermascope-build bundle {folder / 'bundle'}", soft_wrap=True)
    return 0


def _train(options: argparse.Namespace, console: Console) -> int:
    run = stages.start_run(options.config, options.out)
    console.print(f"Run: {run.folder}", soft_wrap=True)
    teachers = stages.find_teachers(options.config, options.out)
    sources = stages.Sources(options.data, options.isic2017, options.pretrained)
    stages.train(run, sources, teachers, console)
    console.print(f"Next: dermascope-build compress {run.folder}", soft_wrap=True)
    return 0


def _compress(options: argparse.Namespace, console: Console) -> int:
    stages.compress(stages.open_run(options.run), options.data, console)
    console.print(f"Next: dermascope-build evaluate {options.run}", soft_wrap=True)
    return 0


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    sources = stages.Sources(options.data, options.isic2017)
    if (options.run / MANIFEST_FILE).is_file():
        bundle = load_bundle(options.run, load_config().trusted_keys)
        result = stages.evaluate_bundle(bundle, sources, console)
    else:
        result = stages.evaluate_run(options.run, sources, console)
    for table in assessment_tables(result):
        console.print(table)
    return 0


def _reopen(options: argparse.Namespace, console: Console) -> int:
    run = stages.reopen(options.bundle, options.out, load_config().trusted_keys)
    console.print(f"Run: {run}", soft_wrap=True)
    console.print(f"Next: dermascope-build evaluate {run}", soft_wrap=True)
    return 0


def _quality(options: argparse.Namespace, console: Console) -> int:
    if (options.run / MANIFEST_FILE).is_file():
        out = options.out or Path("runs") / "quality"
        bundle = load_bundle(options.run, load_config().trusted_keys)
        result = stages.study_bundle(bundle, options.data, out, options.images, options.levels)
    else:
        out = options.run
        result = stages.study_run(out, options.data, options.images, options.levels)
    console.print(_quality_table(result))
    console.print(f"Wrote {out / stages.QUALITY_FILE} and {stages.QUALITY_PLOT}", soft_wrap=True)
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _bundle(options: argparse.Namespace, console: Console) -> int:
    folder = stages.make_bundle(options.run, options.models, default_key_path())
    console.print(f"Wrote {folder}", soft_wrap=True)
    return 0


def _key(options: argparse.Namespace, console: Console) -> int:
    path = default_key_path()
    console.print(f"Public key, for a device's trusted_keys: {create_key(path)}", soft_wrap=True)
    console.print(f"The private key is in {path}; keep it out of every repository.", soft_wrap=True)
    return 0


def _quality_table(result: Study) -> Table:
    whole = result.undegraded
    table = Table(
        "degradation",
        "accuracy from least to most",
        "limit",
        "why",
        title=f"{result.model}: {result.images} images of {result.lesions} lesions",
        caption=f"As they are: {whole.value:.3f} ({whole.low:.3f} to {whole.high:.3f}); the "
        f"limits refuse {result.refused:.1%} of them.",
    )
    for curve in result.curves:
        fall = " ".join(f"{level.accuracy.value:.2f}" for level in curve.levels)
        bound = "" if curve.value is None else f"{curve.limit} {curve.value:g}"
        table.add_row(curve.name, fall, bound, curve.reason)
    return table
