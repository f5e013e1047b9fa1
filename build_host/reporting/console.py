"""What was measured, as tables for a terminal."""

from collections.abc import Iterator

from rich.table import Table

from build_host.calibration.degradation import Study
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import Ablation, Peer
from build_host.evaluation.evaluation import Evaluation
from build_host.reporting.markdown import cell


def assessment_tables(assessment: Assessment) -> Iterator[Table]:
    """Yield a table for each part of an assessment."""
    for evaluation in assessment.evaluations:
        yield _figures(evaluation)
    main = assessment.evaluations[0]
    sets = main.conformal
    table = Table(
        "images on which it is surest",
        "accuracy",
        "balanced accuracy",
        title="Accuracy against coverage",
        caption=f"A call is made on {main.selective.coverage:.1%}. Prediction sets hold the true "
        f"diagnosis in {sets.coverage:.1%}, with {sets.mean_set_size:.2f} diagnoses on average.",
    )
    for kept in assessment.surest:
        table.add_row(
            f"{kept.coverage:.0%}", f"{kept.accuracy:.3f}", f"{kept.balanced_accuracy:.3f}"
        )
    yield table
    if assessment.unfamiliar:
        table = Table(
            "shown", "pictures", "AUROC", "no call", "or refused", title="What is no lesion"
        )
        for row in assessment.unfamiliar:
            table.add_row(
                row.kind, str(row.images), f"{row.auroc:.3f}", f"{row.no_call:.0%}",
                f"{row.refused:.0%}",
            )  # fmt: skip
        yield table
    for of, maps in (
        ("called", assessment.maps), ("likeliest malignant", assessment.unasked_maps)
    ):  # fmt: skip
        if not maps:
            continue
        table = Table(
            "map", "more passes", "insertion", "deletion", "inside the outline", "pointing",
            "agrees with float", title=f"Saliency of the {of} diagnosis",
        )  # fmt: skip
        for row in maps:
            figures = (row.insertion, row.deletion, row.energy_inside, row.pointing, row.agreement)
            table.add_row(row.method, str(row.passes), *(cell(f) for f in figures))
        yield table
    size, fast = main.size, assessment.speed
    table = Table("size and speed", "", title="The file")
    table.add_row("bytes", f"{size.bytes} ({size.bytes / 2**20:.3f} MiB)")
    table.add_row("after gzip -9", f"{size.gzip_bytes} ({size.gzip_bytes / 2**20:.3f} MiB)")
    if fast:
        table.add_row("milliseconds, one thread", f"{fast.model_ms:.3f}")
        table.add_row(fast.reference, f"{fast.reference_ms:.3f}")
        table.add_row("times faster", f"{fast.times_faster:.1f}")
    yield table


def _figures(evaluation: Evaluation) -> Table:
    table = Table(
        "figure",
        "value",
        "95 % interval",
        title=f"{evaluation.model}: {evaluation.images} images of {evaluation.lesions} lesions",
        caption=evaluation.protocol,
    )
    for name, figure in evaluation.figures.items():
        table.add_row(
            name.replace("_", " "), f"{figure.value:.3f}", f"{figure.low:.3f} to {figure.high:.3f}"
        )
    return table


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


def quality_table(result: Study) -> Table:
    """Return the table for a terminal."""
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
