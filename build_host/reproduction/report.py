"""One HTML page that opens without a network: every figure is inside it."""

import base64
import io
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from build_host.evaluation import corruptions
from build_host.files import write_file
from build_host.reporting import plots
from build_host.reproduction.context import Context
from build_host.reproduction.image_enhancement import ENHANCEMENTS, add_noise, remove_hairs
from build_host.reproduction.networks import base_bundle
from build_host.reproduction.results import MeasuredFile, Results
from build_host.reproduction.tables import (
    LIMIT_MIB,
    PROTOCOL_NAMES,
    chosen_file,
    float_base,
    paper_rows,
    protocol_verdict,
    step_verdict,
)
from device.diagnoses import CODES
from device.inference.manifest import Interval


def write_report(
    context: Context,
    results: Results,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
) -> None:
    """Write ``report.html`` into the reproduction's folder.

    Parameters
    ----------
    labels, probabilities
        Of the test fold, as the base network's float32 file gives them.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(interval=_interval, mib=_mib, points=_points)
    page = environment.get_template("report.html.j2").render(
        results=results,
        codes=CODES,
        figures=_figures(context, results, labels, probabilities),
        protocol_names=PROTOCOL_NAMES,
        paper=paper_rows(results.artefacts),
        limit=LIMIT_MIB,
        chosen=chosen_file(results),
        base=float_base(results),
        base_figures=results.base_figures,
        sparse=_one_each([a for a in results.artefacts if a.sparsity.get("all", 0.0) > 0.01]),
        step_verdict=step_verdict(results),
        protocol_verdict=protocol_verdict(results),
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
        "dx": plots.counts(data["dx"], "dx: diagnosis", malignant=True),
        "dx_type": plots.counts(data["dx_type"], "dx_type: how it was established"),
        "sex": plots.counts(data["sex"], "sex"),
        "localization": plots.counts(data["localization"], "localization"),
        "age": plots.ages(data["age"], "age"),
        "oversampling": plots.before_after(
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
        "reliability": plots.reliability(labels, _calibration_sides(context, probabilities)),
        "pareto": plots.pareto(_pareto_points(results.artefacts), LIMIT_MIB),
        "network": plots.network_drawing(),
    }
    drawn = {name: _svg(figure) for name, figure in figures.items()}
    drawn["augmentation"] = _png(plots.sheet(_augmented_examples(context)))
    drawn["steps"] = _png(plots.sheet(_enhanced_examples(context)))
    return drawn


def _pareto_points(rows: list[MeasuredFile]) -> dict[str, tuple[float, float, float, float]]:
    points = {}
    for row in rows:
        if row.kind in ("float16", "int8", "scikit-learn") or row.name == "base":
            score = row.figures["balanced_accuracy"]
            size = row.size.gzip_bytes / 2**20
            points[f"{row.name}, {row.kind}"] = (size, score.value, score.low, score.high)
    return points


def _calibration_sides(
    context: Context, uncalibrated: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the base's probabilities before and after temperature and bias from fold 4."""
    from build_host.calibration.fits import fit_calibration
    from build_host.evaluation.tflite_file import predict_logits
    from device.inference.calibration import probabilities as calibrate

    bundle = base_bundle(context)
    images = context.examples(context.config.fit).images
    split, truth = context.split, context.dataset.labels
    logits = predict_logits(bundle, images, split.validation)
    fitted = fit_calibration(logits, truth[split.validation])
    after = calibrate(predict_logits(bundle, images, split.test), fitted)
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


def _mib(size: int) -> str:
    return f"{size / 2**20:.3f}"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"
