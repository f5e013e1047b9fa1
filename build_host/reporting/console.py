"""Results as tables for the console."""

from collections.abc import Iterator

from rich.table import Table

from build_host.calibration.degradation import Study
from build_host.evaluation.assessment import Assessment, Separation
from build_host.evaluation.comparison import Ablation, LeaveOneOut, Peer
from build_host.evaluation.evaluation import Evaluation
from build_host.evaluation.judgement import Judgement
from build_host.evaluation.out_of_distribution import DetectionFigures
from build_host.evaluation.saliency_faithfulness import Faithfulness
from build_host.evaluation.sources import SourceEvaluation
from build_host.reporting.templating import format_interval, format_mib, names_of, words
from device.diagnoses import CODES


def assessment_tables(assessment: Assessment) -> Iterator[Table]:
    """Yield a table for each part of an assessment."""
    if assessment.separation:
        yield _kept_apart(assessment.separation)
    for evaluation in assessment.evaluations:
        yield _figures(evaluation)
    if assessment.sources:
        yield _sources(assessment.sources)
        yield _recommendations(assessment.sources)
        yield _warnings(assessment.sources)
    if assessment.photographs or assessment.out_of_scope:
        yield _not_to_be_called(assessment)
    yield _coverage(assessment)
    if assessment.unfamiliar:
        yield _detection(assessment.unfamiliar)
    if assessment.maps:
        yield _maps(assessment.maps, "most likely")
    if assessment.unasked_maps:
        yield _maps(assessment.unasked_maps, "likeliest malignant")
    if assessment.captured_maps:
        yield _maps(assessment.captured_maps, "most likely", "captured pictures")
    yield _size_and_speed(assessment)


def _kept_apart(separation: Separation) -> Table:
    table = Table(
        "test images of", "left out: like images that trained or validated",
        title="Kept apart from training",
        caption=(
            f"Not at hand to compare with: {', '.join(separation.not_compared)}"
            if separation.not_compared
            else None
        ),
    )  # fmt: skip
    for source, images in separation.left_out.items():
        table.add_row(source, str(images))
    if not separation.left_out:
        table.add_row("any source", "0")
    return table


def _figures(evaluation: Evaluation) -> Table:
    table = Table(
        "figure",
        "value",
        "95 % interval",
        title=f"{evaluation.model}: {evaluation.images} images of {evaluation.lesions} lesions",
        caption=evaluation.protocol,
    )
    for name, figure in evaluation.figures.items():
        table.add_row(words(name), f"{figure.value:.3f}", f"{figure.low:.3f} to {figure.high:.3f}")
    return table


def _sources(rows: list[SourceEvaluation]) -> Table:
    names = names_of(row.figures for row in rows)
    table = Table(
        "", *(f"{row.source}, {row.network}" for row in rows), title="The test fold of each source"
    )
    table.add_row("images", *(str(row.images) for row in rows))
    for name in names:
        table.add_row(words(name), *(format_interval(row.figures.get(name)) for row in rows))
    table.add_row("sets hold the truth", *(f"{row.coverage:.3f}" for row in rows))
    table.add_row("diagnoses in a set", *(f"{row.mean_set_size:.2f}" for row in rows))
    for code in CODES:
        shares = [row.coverage_by_diagnosis.get(code) for row in rows]
        table.add_row(
            f"sets hold {code}", *("" if share is None else f"{share:.2f}" for share in shares)
        )
    return table


def _recommendations(rows: list[SourceEvaluation]) -> Table:
    table = Table(
        "source", "network", "first line", "melanomas", "other malignant", "naevi",
        "other benign", title="What is recommended",
    )  # fmt: skip
    for row in rows:
        for made in row.recommendations:
            shares = (made.melanomas, made.other_malignant, made.naevi, made.other_benign)
            first_line = made.recommendation or "none: no call"
            table.add_row(row.source, row.network, first_line, *(f"{s:.1%}" for s in shares))
    return table


def _warnings(rows: list[SourceEvaluation]) -> Table:
    table = Table(
        "source", "network", "warning", "raised", "wrong if raised", "wrong if not", "difference",
        title="What each warning is worth",
    )  # fmt: skip
    for row in rows:
        for warned in row.warnings:
            table.add_row(
                row.source, row.network, warned.warning, f"{warned.share:.1%}",
                f"{warned.error_raised:.2f}", f"{warned.error_not_raised:.2f}",
                "" if warned.difference is None else format_interval(warned.difference),
            )  # fmt: skip
    return table


def _not_to_be_called(assessment: Assessment) -> Table:
    table = Table("images", "network", "called", title="What should not be called")
    for kind, shares in (
        ("photographs without a dermatoscope", assessment.photographs),
        ("none of the seven diagnoses", assessment.out_of_scope),
    ):
        for network, share in shares.items():
            table.add_row(kind, network, f"{share:.1%}")
    return table


def _coverage(assessment: Assessment) -> Table:
    main = assessment.acted_upon
    sets = main.conformal
    table = Table(
        "most confident images",
        "accuracy",
        "balanced accuracy",
        title="Accuracy against coverage",
        caption=f"A call is made on {main.selective.coverage:.1%}. Prediction sets hold the true "
        f"diagnosis in {sets.coverage:.1%}, with {sets.mean_set_size:.2f} diagnoses on average.",
    )
    for point in assessment.surest:
        table.add_row(
            f"{point.coverage:.0%}", f"{point.accuracy:.3f}", f"{point.balanced_accuracy:.3f}"
        )
    return table


def _detection(rows: list[DetectionFigures]) -> Table:
    table = Table(
        "images of", "how many", "AUROC", "no call", "no call, or refused by quality",
        title="Out-of-distribution detection",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.kind, str(row.images), f"{row.auroc:.3f}", f"{row.no_call:.0%}",
            f"{row.refused:.0%}",
        )  # fmt: skip
    return table


def _maps(rows: list[Faithfulness], diagnosis: str, of: str = "the live view") -> Table:
    table = Table(
        "map", "further passes", "insertion", "deletion", "inside the lesion", "pointing game",
        "stable", "agrees with float", title=f"Saliency of the {diagnosis} diagnosis, {of}",
    )  # fmt: skip
    for row in rows:
        figures = (
            row.insertion,
            row.deletion,
            row.energy_inside,
            row.pointing,
            row.stability,
            row.agreement,
        )
        table.add_row(row.method, str(row.passes), *(format_interval(f) for f in figures))
    return table


def _size_and_speed(assessment: Assessment) -> Table:
    size, speed = assessment.evaluations[0].size, assessment.speed
    table = Table("size and speed", "", title="The file")
    table.add_row("bytes", f"{size.bytes} ({format_mib(size.bytes)} MiB)")
    table.add_row("after gzip -9", f"{size.gzip_bytes} ({format_mib(size.gzip_bytes)} MiB)")
    if speed:
        table.add_row("milliseconds, one thread", f"{speed.model_ms:.3f}")
        table.add_row(speed.reference, f"{speed.reference_ms:.3f}")
        table.add_row("times faster", f"{speed.times_faster:.1f}")
    return table


def ablation_table(ablation: Ablation) -> Table:
    """Return a table of a run's variants."""
    names = names_of(row.figures for row in ablation.rows)
    table = Table(
        "variant",
        *(words(n) for n in names),
        title=f"{ablation.base}: {ablation.images} images of the validation fold",
    )
    for row in ablation.rows:
        table.add_row(row.name, *(format_interval(row.figures.get(n)) for n in names))
    return table


def leave_one_out_table(table: LeaveOneOut) -> Table:
    """Return a table of what to expect at a clinic that a network has never seen."""
    shown = Table(
        "", *(row.source for row in table.rows),
        title=f"{table.base}, trained {table.epochs} epochs without the source it is tested on",
    )  # fmt: skip
    shown.add_row("images", *(str(row.images) for row in table.rows))
    for name in names_of(row.figures for row in table.rows):
        shown.add_row(words(name), *(format_interval(row.figures.get(name)) for row in table.rows))
    shown.add_row("sets hold the truth", *(f"{row.coverage:.3f}" for row in table.rows))
    return shown


def contributions_table(table: LeaveOneOut) -> Table:
    """Return a table of what each source of a run gives on the validation folds of all."""
    sources = list(table.contributions[0].figures)
    shown = Table(
        "trained", *sources, title=f"{table.base}, {table.epochs} epochs, validation folds"
    )
    measured = (figures for row in table.contributions for figures in row.figures.values())
    for name in names_of(measured):
        for row in table.contributions:
            trained = f"without {row.source}" if row.source else "on all"
            figures = (format_interval(row.figures[source].get(name)) for source in sources)
            shown.add_row(f"{trained}: {words(name)}", *figures)
    return shown


def peers_table(peers: list[Peer]) -> Table:
    """Return a table of models compared on the test fold."""
    table = Table("", *(peer.name for peer in peers), title="Models compared on fold 0")
    table.add_row("gzip MiB", *(format_mib(peer.size.gzip_bytes) for peer in peers))
    table.add_row("ms", *(f"{peer.speed.model_ms:.3f}" for peer in peers))
    for name in names_of(peer.figures for peer in peers):
        table.add_row(words(name), *(format_interval(peer.figures.get(name)) for peer in peers))
    return table


def judgement_tables(judgement: Judgement) -> Iterator[Table]:
    """Yield the tables of what the instrument makes of stops, poor pictures and melanomas."""
    stops = Table(
        "stop", "called", "unfamiliar", "accuracy", "melanoma AUC",
        title=f"{judgement.model}: stops drawn onto the first collection",
        caption="From the frame's square as it is -> from the square inside the stop",
    )  # fmt: skip
    for before, after in zip(judgement.stops[::2], judgement.stops[1::2], strict=True):
        stops.add_row(
            before.stop or "none",
            f"{before.called:.0%} -> {after.called:.0%}",
            f"{before.unfamiliar:.0%} -> {after.unfamiliar:.0%}",
            f"{before.accuracy:.3f} -> {after.accuracy:.3f}",
            f"{before.melanoma_auc:.3f} -> {after.melanoma_auc:.3f}",
        )
    yield stops
    refused = Table(
        "images of", "how many", "refused", "for", "accuracy of accepted", "of refused",
        title="Refused for their quality",
    )  # fmt: skip
    for row in judgement.refused:
        reasons = ", ".join(f"{name} {share:.1%}" for name, share in row.by_reason.items() if share)
        right = (row.accuracy_accepted, row.accuracy_refused)
        refused.add_row(
            row.group, str(row.images), f"{row.refused:.1%}", reasons,
            *("-" if value is None else f"{value:.3f}" for value in right),
        )  # fmt: skip
    yield refused
    melanomas = Table(
        "melanomas of", "called", "first diagnosis benign", "no sign of malignancy",
        "of all, by recommendation", title="What melanomas are headlined as",
    )  # fmt: skip
    for line in judgement.melanomas:
        shares = ", ".join(
            f"{name or 'none'} {share:.0%}" for name, share in line.by_recommendation.items()
        )
        melanomas.add_row(
            line.source, str(line.called), str(line.benign_diagnosis), str(line.calm), shares
        )
    yield melanomas


def quality_table(study: Study) -> Table:
    """Return a table of where accuracy falls, and of the quality limits that follow."""
    whole = study.undegraded
    table = Table(
        "degradation",
        "accuracy from mildest to worst",
        "refused from mildest to worst",
        "limit",
        "why",
        title=f"{study.model}: {study.images} images of {study.lesions} lesions",
        caption=f"Undegraded: {whole.value:.3f} ({whole.low:.3f} to {whole.high:.3f}). Images as "
        "they are that the limits refuse: "
        + ", ".join(f"{group} {share:.1%}" for group, share in study.refused.items()),
    )
    for curve in study.curves:
        accuracies = " ".join(f"{level.accuracy.value:.2f}" for level in curve.levels)
        bound = "" if curve.value is None else f"{curve.limit} {curve.value:g}"
        refused = " ".join(f"{level.refused:.0%}" for level in curve.levels)
        table.add_row(curve.name, accuracies, refused, bound, curve.reason)
    return table
