"""One HTML page that opens without a network: every figure is inside it."""

import base64
import io
from pathlib import Path
from typing import Final

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from build_host.evaluation import plots
from build_host.reproduction import image_steps
from build_host.reproduction.pipeline import Context
from build_host.reproduction.results import Artefact, Results
from device.diagnoses import CODES
from device.inference.manifest import Interval

PAPER_TABLE: Final = (
    # what the paper names it, its "MB", its accuracy, which of our rows it is
    ("base model", 14.74, 0.9864, "base", "h5 with optimizer"),
    ("pruned", 4.96, 0.9772, "pruned", "h5"),
    ("16-bit quantization", 2.44, 0.9866, "base", "float16"),
    ("pruned and 8-bit quantization", 1.24, 0.9735, "pruned", "int8"),
    ("optimised prototype", 0.39, 0.9815, "pruned", "float16"),
)
LIMIT_MIB: Final = 0.39

_PROTOCOL_NAMES: Final = {
    "oversample-then-split": "oversample, then split",
    "split-by-image": "split by image, then oversample",
    "lesion-disjoint": "split by lesion (ours)",
}


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
        protocol_names=_PROTOCOL_NAMES,
        paper=_paper_rows(results.artefacts),
        limit=LIMIT_MIB,
        chosen=next(a for a in results.artefacts if f"{a.name}, {a.kind}" == results.chosen),
        base=results.artefacts[0],
        base_figures=results.base_figures,
        sparse=_one_each([a for a in results.artefacts if a.sparsity.get("all", 0.0) > 0.01]),
        step_verdict=_step_verdict(results),
        protocol_verdict=_protocol_verdict(results),
    )
    part = context.out / "part-report.html"
    part.write_text(page, encoding="utf-8")
    part.replace(context.out / "report.html")


def _paper_rows(rows: list[Artefact]) -> list[dict[str, object]]:
    found = {(r.name, r.kind): r for r in rows}
    table = []
    for name, mib, accuracy, ours, kind in PAPER_TABLE:
        row = found[ours, kind]
        zipped = name == "optimised prototype"
        size = row.size.gzip_bytes if zipped else row.size.bytes
        table.append(
            {
                "name": name,
                "mib": mib,
                "accuracy": accuracy,
                "ours": f"{ours}, {kind}" + (", gzip -9" if zipped else ""),
                "bytes": size,
                "row": row,
            }
        )
    return table


def _one_each(rows: list[Artefact]) -> list[Artefact]:
    """Return the first file of every network."""
    return list({row.name: row for row in reversed(rows)}.values())[::-1]


def _step_verdict(results: Results) -> str:
    """Say in words which image steps helped."""
    effect = {e.step: e.balanced_accuracy for e in results.image_steps.effect}
    without = effect.pop("none")
    helping = [name for name, figure in effect.items() if figure.low > without.value]
    if helping:
        return f"Better than without, beyond its interval: {', '.join(helping)}."
    return (
        "No step lifts the balanced accuracy beyond the interval of the network without it: "
        "at this resolution noise and hairs are gone before the network sees them. They are off."
    )


def _protocol_verdict(results: Results) -> str:
    """Say in words what the protocols show."""
    accuracy = {p.protocol: p.figures["accuracy"] for p in results.protocols}
    copies, honest = accuracy["oversample-then-split"], accuracy["lesion-disjoint"]
    if copies.low <= honest.high:
        return "In this run the protocols cannot be told apart."
    return (
        f"The network and its settings are the same: {copies.value:.3f} is what it says of images "
        f"whose copies it was trained on, {honest.value:.3f} of lesions it has never seen."
    )


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
    from build_host.evaluation.artefact import logits_of
    from build_host.evaluation.calibrating import fit_calibration
    from build_host.reproduction.reproducing import base_bundle
    from device.inference.calibration import probabilities as calibrate

    bundle = base_bundle(context)
    images = context.examples(context.config.fit).images
    split, truth = context.split, context.collection.labels
    fitted = fit_calibration(logits_of(bundle, images, split.validation), truth[split.validation])
    after = calibrate(logits_of(bundle, images, split.test), fitted)
    return {"as trained": uncalibrated, "calibrated on fold 4": after}


def _augmented(context: Context) -> dict[str, list[NDArray[np.uint8]]]:
    """Return one image of each diagnosis, and changed as training sees it, at screen size."""
    from build_host.training import augmentation
    from build_host.training.config import Augmentation

    changes = context.config.fit.augmentation or Augmentation()
    labels = context.collection.labels
    rows = {}
    for i, code in enumerate(CODES):
        first = context.split.train[labels[context.split.train] == i][0]
        picture = context.collection.read(context.collection.records[first])
        height, width = picture.shape[:2]
        drawn = augmentation.draw(changes, 7, [i])
        stack = np.repeat(picture[None], 7, axis=0)
        changed = augmentation.apply(stack, drawn, height, width, square=False).numpy()
        rows[code] = [picture, *changed.astype(np.uint8)]
    return rows


def _stepped(context: Context) -> dict[str, list[NDArray[np.uint8]]]:
    random = np.random.default_rng(context.config.seed)
    records = context.collection.records
    clean = [context.collection.read(records[i]) for i in context.split.train[:6]]
    noisy = [image_steps.noisy(p, random) for p in clean]
    hairy = [image_steps.hairy(p, random) for p in clean]
    rows = {"clean": clean, "with noise": noisy}
    for name, step in image_steps.STEPS.items():
        if name not in ("none", "hair removal"):
            rows[name] = [step(p) for p in noisy]
    rows["with hairs"] = hairy
    rows["hair removal"] = [image_steps.without_hairs(p) for p in hairy]
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
