"""Commands that train networks."""

import argparse
from pathlib import Path
from typing import Final

from rich.console import Console

from build_host.cli.options import (
    Add,
    add_attach_to,
    data_options,
    folders,
    ham10000_option,
    out_option,
    positive,
    pretrained_option,
)
from build_host.pipeline import stages, workspace
from build_host.reporting.console import (
    ablation_table,
    contributions_table,
    leave_one_out_table,
)
from build_host.run_folder import RunFolder

_CONFIGS: Final = Path(__file__).parents[1] / "configs"


def add_training_commands(add: Add) -> None:
    """Add them to the command line."""
    reproduce = add(
        "reproduce", _reproduce, "Reproduce the paper of Cabrejos-Yalán & Rodriguez (2024), from "
        "raw data to an HTML report; resumes where it stopped.", ham10000_option(), out_option(),
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
        data_options(), pretrained_option(), out_option(),
    )  # fmt: skip
    train.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=_CONFIGS / "live-96.toml",
        help="TOML file of the run's settings (default: the shipped live-96.toml)",
    )

    ablate = add(
        "ablate", _ablate, "Run an ablation study: train variants of a run and compare them on the "
        "validation fold; resumes where it stopped.",
        data_options(), pretrained_option(), out_option(),
    )  # fmt: skip
    ablate.add_argument(
        "config",
        type=Path,
        metavar="FILE",
        help="TOML file that names the base run and lists its variants, such as "
        "build_host/configs/live-96-ablation.toml",
    )
    add_attach_to(ablate)

    left_out = add(
        "leave-one-out", _leave_one_out, "Train a run on all its sources and without each in turn, "
        "and test each network on the source left out; resumes where it stopped.",
        data_options(), pretrained_option(), out_option(),
    )  # fmt: skip
    left_out.add_argument("config", type=Path, metavar="FILE", help="the run's TOML file")
    left_out.add_argument(
        "--epochs", type=positive, metavar="N", default=12,
        help="epochs of each training (default: %(default)s)",
    )  # fmt: skip
    add_attach_to(left_out)


def _reproduce(options: argparse.Namespace, console: Console) -> int:
    from build_host.reproduction.config import read_reproduction_config
    from build_host.reproduction.reproduce import reproduce

    default = "reproduce-quick.toml" if options.quick else "reproduce.toml"
    config = read_reproduction_config(options.config or _CONFIGS / default)
    context = reproduce(config, folders(options).folder("ham10000"), options.out, console)
    console.print(f"Report: {context.report_file}", soft_wrap=True)
    console.print(f"Next: dermascope-build bundle {context.run_folder.path}", soft_wrap=True)
    return 0


def _train(options: argparse.Namespace, console: Console) -> int:
    run = workspace.start_run(options.config, options.out)
    console.print(f"Run: {run.folder.path}", soft_wrap=True)
    teachers = workspace.find_teachers(run.config, options.config.parent, options.out)
    stages.train(run, folders(options), teachers, console)
    console.print(f"Next: dermascope-build compress {run.folder.path}", soft_wrap=True)
    return 0


def _ablate(options: argparse.Namespace, console: Console) -> int:
    from build_host.pipeline.ablation import ablate

    attach_to = RunFolder(options.attach_to) if options.attach_to else None
    table = ablate(options.config, folders(options), options.out, console, attach_to)
    console.print(ablation_table(table))
    return 0


def _leave_one_out(options: argparse.Namespace, console: Console) -> int:
    from build_host.pipeline.leave_one_out import leave_one_out

    attach_to = RunFolder(options.attach_to) if options.attach_to else None
    table = leave_one_out(
        options.config, options.epochs, folders(options), options.out, console, attach_to
    )
    console.print(leave_one_out_table(table))
    console.print(contributions_table(table))
    return 0
