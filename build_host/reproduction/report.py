"""The report: one HTML page that opens without a network, since every figure is inside it."""

import base64
import io

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from build_host.calibration.fits import fit_calibration
from build_host.evaluation import corruptions
from build_host.evaluation.tflite_file import predict_logits
from build_host.files import write_file
from build_host.reporting import plots
from build_host.reporting.templating import render
from build_host.reproduction.context import Context
from build_host.reproduction.image_enhancement import ENHANCEMENTS, add_noise, remove_hairs
from build_host.reproduction.networks import base_bundle
from build_host.reproduction.results import MeasuredFile, Results
from build_host.reproduction.tables import (
    LIMIT_MIB,
    PROTOCOL_NAMES,
    TEMPLATES,
    chosen_file,
    enhancement_verdict,
    float_base,
    paper_rows,
    protocol_verdict,
)
from device.diagnoses import CODES
from device.inference.calibration import probabilities as calibrated_probabilities
from device.models.manifest import Interval


def write_report(
    context: Context,
    results: Results,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
) -> None:
    """Write ``report.html`` into the reproduction's folder.

    Parameters
    ----------
    labels
        Of the test fold: int64, (n,).
    probabilities
        Of the base network's float32 file on it, uncalibrated: float64, (n, 7).
    """
    page = render(
        TEMPLATES / "report.html.j2",
        {
            "results": results,
            "codes": CODES,
            "figures": _figures(context, results, labels, probabilities),
            "protocol_names": PROTOCOL_NAMES,
            "paper": paper_rows(results.artefacts),
            "limit": LIMIT_MIB,
            "chosen": chosen_file(results),
            "base": float_base(results),
            "base_figures": results.base_figures,
            "sparse": _one_each(
                [a for a in results.artefacts if a.sparsity.get("all", 0.0) > 0.01]
            ),
            "enhancement_verdict": enhancement_verdict(results),
            "protocol_verdict": protocol_verdict(results),
        },
        {"interval": _interval, "points": _points},
    )
    write_file(context.report_file, page.encode())


def _one_each(rows: list[MeasuredFile]) -> list[MeasuredFile]:
    """Return the first file of every network."""
    return list({row.name: row for row in reversed(rows)}.values())[::-1]


def _figures(
    context: Context,
    results: Results,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
) -> dict[str, Markup]:
    data = results.data.counts
    history = results.base_history
    scores = [e.validation_balanced_accuracy for e in history]
    figures = {
        "dx": plots.bar_chart(data["dx"], "dx: diagnosis", malignant=True),
        "dx_type": plots.bar_chart(data["dx_type"], "dx_type: how it was established"),
        "sex": plots.bar_chart(data["sex"], "sex"),
        "localization": plots.bar_chart(data["localization"], "localization"),
        "age": plots.age_histogram(data["age"], "age"),
        "oversampling": plots.class_counts_before_after(
            results.oversampling.before,
            results.oversampling.after,
            "RandomOverSampler on the training part",
        ),
        "curves": plots.learning_curves(
            {
                "cross-entropy": (
                    [e.loss for e in history],
                    [e.validation_loss for e in history],
                ),
                "accuracy": (
                    [e.accuracy for e in history],
                    [e.validation_accuracy for e in history],
                ),
                "balanced accuracy": ([], scores),
            },
            int(np.argmax(scores)) + 1,
        ),
        "confusion": plots.confusion_matrix(results.base_confusion, "Base network, test fold"),
        "roc": plots.roc_curves(labels, probabilities, "Base network, test fold"),
        "reliability": plots.reliability_diagram(
            labels, _with_and_without_calibration(context, probabilities)
        ),
        "pareto": plots.pareto(_pareto_points(results.artefacts), LIMIT_MIB),
        "network": plots.network_diagram(),
    }
    html = {name: _svg(figure) for name, figure in figures.items()}
    html["augmentation"] = _png(plots.image_grid(_augmented_examples(context)))
    html["enhancements"] = _png(plots.image_grid(_enhanced_examples(context)))
    return html


def _pareto_points(rows: list[MeasuredFile]) -> dict[str, tuple[float, float, float, float]]:
    points = {}
    for row in rows:
        if row.kind in ("float16", "int8", "scikit-learn") or row.name == "base":
            score = row.figures["balanced_accuracy"]
            size = row.size.gzip_bytes / 2**20
            points[f"{row.name}, {row.kind}"] = (size, score.value, score.low, score.high)
    return points


def _with_and_without_calibration(
    context: Context, uncalibrated: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the base's probabilities on the test fold before and after calibration on fold 4."""
    bundle = base_bundle(context)
    images = context.examples(context.config.fit).images
    split, truth = context.split, context.dataset.labels
    logits = predict_logits(bundle, images, split.validation)
    fitted = fit_calibration(logits, truth[split.validation])
    after = calibrated_probabilities(predict_logits(bundle, images, split.test), fitted)
    return {"as trained": uncalibrated, "calibrated on fold 4": after}


def _augmented_examples(context: Context) -> dict[str, list[NDArray[np.uint8]]]:
    """Return an image of each diagnosis, by itself and augmented, at its own size."""
    from build_host.training import augmentation
    from build_host.training.config import AugmentationConfig

    config = context.config.fit.augmentation or AugmentationConfig()
    labels = context.dataset.labels
    rows: dict[str, list[NDArray[np.uint8]]] = {}
    for i, code in enumerate(CODES):
        first = context.split.train[labels[context.split.train] == i][0]
        picture = context.dataset.read(context.dataset.records[first])
        height, width = picture.shape[:2]
        parameters = augmentation.draw_parameters(config, 7, [i])
        stack = np.repeat(picture[None], 7, axis=0)
        augmented = augmentation.augment(stack, parameters, height, width, False, (i, 0)).numpy()
        rows[code] = [picture, *augmented.astype(np.uint8)]
    return rows


def _enhanced_examples(context: Context) -> dict[str, list[NDArray[np.uint8]]]:
    random = np.random.default_rng(context.config.seed)
    records = context.dataset.records
    clean = [context.dataset.read(records[i]) for i in context.split.train[:6]]
    noisy = [add_noise(p, random) for p in clean]
    hairy = [corruptions.hairs(p, random) for p in clean]
    rows = {"clean": clean, "with noise": noisy}
    for name, enhance in ENHANCEMENTS.items():
        if name not in ("none", "hair removal"):
            rows[name] = [enhance(p) for p in noisy]
    rows["with hairs"] = hairy
    rows["hair removal"] = [remove_hairs(p) for p in hairy]
    return rows


def _svg(figure: Figure) -> Markup:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])


def _png(figure: Figure) -> Markup:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return Markup(f'<img alt="" src="data:image/png;base64,{encoded}">')


def _interval(figure: Interval) -> Markup:
    return Markup(
        f"{figure.value:.3f} <small>{figure.low:.3f}&nbsp;to&nbsp;{figure.high:.3f}</small>"
    )


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"
