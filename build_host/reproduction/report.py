"""One HTML page that opens without a network: every figure is inside it."""

import base64
import io
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from build_host.reporting import plots
from build_host.reproduction import image_enhancement
from build_host.reproduction.context import Context
from build_host.reproduction.results import Artefact, Results
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
    part = context.out / "part-report.html"
    part.write_text(page, encoding="utf-8")
    part.replace(context.out / "report.html")


def _one_each(rows: list[Artefact]) -> list[Artefact]:
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
    drawn["augmentation"] = _png(plots.sheet(_augmented(context)))
    drawn["steps"] = _png(plots.sheet(_stepped(context)))
    return drawn


def _pareto_points(rows: list[Artefact]) -> dict[str, tuple[float, float, float, float]]:
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
    from build_host.evaluation.tflite_file import logits_of
    from build_host.reproduction.reproduce import base_bundle
    from device.inference.calibration import probabilities as calibrate

    bundle = base_bundle(context)
    images = context.examples(context.config.fit).images
    split, truth = context.split, context.dataset.labels
    fitted = fit_calibration(logits_of(bundle, images, split.validation), truth[split.validation])
    after = calibrate(logits_of(bundle, images, split.test), fitted)
    return {"as trained": uncalibrated, "calibrated on fold 4": after}


def _augmented(context: Context) -> dict[str, list[NDArray[np.uint8]]]:
    """Return one image of each diagnosis, and changed as training sees it, at screen size."""
    from build_host.training import augmentation
    from build_host.training.config import Augmentation

    changes = context.config.fit.augmentation or Augmentation()
    labels = context.dataset.labels
    rows = {}
    for i, code in enumerate(CODES):
        first = context.split.train[labels[context.split.train] == i][0]
        picture = context.dataset.read(context.dataset.records[first])
        height, width = picture.shape[:2]
        drawn = augmentation.draw(changes, 7, [i])
        stack = np.repeat(picture[None], 7, axis=0)
        changed = augmentation.apply(stack, drawn, height, width, False, (i, 0)).numpy()
        rows[code] = [picture, *changed.astype(np.uint8)]
    return rows


def _stepped(context: Context) -> dict[str, list[NDArray[np.uint8]]]:
    random = np.random.default_rng(context.config.seed)
    records = context.dataset.records
    clean = [context.dataset.read(records[i]) for i in context.split.train[:6]]
    noisy = [image_enhancement.noisy(p, random) for p in clean]
    hairy = [image_enhancement.hairy(p, random) for p in clean]
    rows = {"clean": clean, "with noise": noisy}
    for name, step in image_enhancement.STEPS.items():
        if name not in ("none", "hair removal"):
            rows[name] = [step(p) for p in noisy]
    rows["with hairs"] = hairy
    rows["hair removal"] = [image_enhancement.without_hairs(p) for p in hairy]
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
