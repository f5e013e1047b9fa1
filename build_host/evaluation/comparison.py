"""Tables of models side by side: what each part of a recipe gives, and what others reach."""

from typing import Final

import msgspec
from rich.table import Table

from build_host.datasets.dataset import Collection
from build_host.evaluation.assessment import assess_first
from build_host.evaluation.predictions import Sizes
from build_host.evaluation.speed import Speed, measure, reference_model
from build_host.reporting.markdown import cell, table
from device.inference.bundle import Bundle
from device.inference.manifest import Interval

PEER_FIGURES: Final = (
    "accuracy",
    "balanced_accuracy",
    "balanced_accuracy_as_if_equally_common",
    "macro_auc",
    "malignant_auc",
    "melanoma_sensitivity_at_0.90_specificity",
    "expected_calibration_error",
)


class AblationRow(msgspec.Struct, frozen=True):
    """What a variant is worth on the validation fold, as a float network in one pass."""

    name: str
    run: str
    epochs: int
    parameters: int
    figures: dict[str, Interval]


class Ablation(msgspec.Struct, frozen=True):
    """What each part of a recipe gives: all rows of a table, in its order."""

    base: str
    images: int
    rows: list[AblationRow]


class Peer(msgspec.Struct, frozen=True):
    """Another model on the same images of the test fold, in one pass."""

    name: str
    model_sha256: str
    input: str
    size: Sizes
    speed: Speed
    figures: dict[str, Interval]


def measure_peer(bundle: Bundle, test: Collection) -> Peer:
    """Return what a model reaches on the test fold."""
    evaluation = assess_first(bundle, test).evaluations[0]
    spec = bundle.manifest.input
    return Peer(
        name=bundle.manifest.model_id,
        model_sha256=bundle.manifest.model_sha256,
        input=f"{spec.width} x {spec.height}",
        size=evaluation.size,
        speed=measure(bundle, reference_model()),
        figures={name: evaluation.figures[name] for name in PEER_FIGURES},
    )


def ablation_table(ablation: Ablation) -> Table:
    """Return the table for a terminal."""
    names = list(ablation.rows[0].figures)
    table = Table(
        "variant",
        *(n.replace("_", " ") for n in names),
        title=f"{ablation.base}: {ablation.images} images of the validation fold",
    )
    for row in ablation.rows:
        table.add_row(row.name, *(cell(row.figures[n]) for n in names))
    return table


def peers_table(peers: list[Peer]) -> Table:
    """Return the table for a terminal."""
    table = Table("", *(peer.name for peer in peers), title="Peers, fold 0")
    table.add_row("gzip MiB", *(f"{p.size.gzip_bytes / 2**20:.3f}" for p in peers))
    table.add_row("ms", *(f"{p.speed.model_ms:.3f}" for p in peers))
    for name in peers[0].figures:
        table.add_row(name.replace("_", " "), *(cell(p.figures[name]) for p in peers))
    return table


def ablation_section(ablation: Ablation) -> str:
    """Return the table as a section of the card."""
    names = list(ablation.rows[0].figures)
    header = ["variant", "epochs", "parameters", *(n.replace("_", " ") for n in names)]
    rows = [
        [r.name, str(r.epochs), f"{r.parameters:,}", *(cell(r.figures[n]) for n in names)]
        for r in ablation.rows
    ]
    return (
        "## What each part gives\n\n"
        f"Float networks in one pass on {ablation.images} images of the validation fold, "
        "calibrated across its halves; the test fold was not looked at.\n\n" + table(header, rows)
    )


def peers_section(peers: list[Peer]) -> str:
    """Return the table as a section of the card."""
    names = list(peers[0].figures)
    rows = [
        [
            p.name,
            p.input,
            f"{p.size.bytes / 2**20:.3f}",
            f"{p.size.gzip_bytes / 2**20:.3f}",
            f"{p.speed.times_faster:.1f}",
            *(cell(p.figures[n]) for n in names),
        ]
        for p in peers
    ]
    header = ["model", "input", "MiB", "gzip MiB", "times faster than the reference"]
    return (
        "## Peers\n\nOther networks on the same images of the test fold, int8, in one pass, "
        "each calibrated like the shipped one; the reference is "
        f"{peers[0].speed.reference}.\n\n"
        + table([*header, *(n.replace("_", " ") for n in names)], rows)
    )
