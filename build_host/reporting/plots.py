"""Plots for the report: one function each, typed values in, a Matplotlib figure out."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from build_host.calibration.degradation import Study
from build_host.evaluation.metrics import CALIBRATION_BINS, Labels, Probabilities
from device.diagnoses import CODES, MALIGNANT

_BENIGN: Final = "#4c78a8"
_MALIGNANT: Final = "#d1690e"
_QUIET: Final = "#9a9a9a"
_CLASS_COLOURS: Final = dict(
    zip(
        CODES,
        ("#d1690e", "#e6ab02", "#4c78a8", "#7570b3", "#b2182b", "#1b9e77", "#e7298a"),
        strict=True,
    )
)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    return figure, list(axes)


def bar_chart(groups: dict[str, int], title: str, malignant: bool = False) -> Figure:
    """Return a bar for each group, longest first, labelled with its count.

    Parameters
    ----------
    groups
        Count by name.
    malignant
        Colour malignant diagnoses differently; the names are then HAM10000 codes.
    """
    names = sorted(groups, key=lambda g: groups[g])
    figure, (ax,) = _figure(6.0, 0.6 + 0.26 * len(names))
    colours = [_MALIGNANT if malignant and n in MALIGNANT else _BENIGN for n in names]
    bars = ax.barh(names, [groups[n] for n in names], color=colours)
    ax.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=9)
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_xlabel("images")
    ax.margins(x=0.12)
    return figure


def age_histogram(by_age: dict[str, int], title: str) -> Figure:
    """Return a histogram of ages, which the dataset gives in steps of five years."""
    figure, (ax,) = _figure(6.0, 2.4)
    years = sorted(float(a) for a in by_age if a != "unknown")
    ax.bar(years, [by_age[f"{y:g}"] for y in years], width=4.2, color=_BENIGN)
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_xlabel("age in years")
    ax.set_ylabel("images")
    return figure


def class_counts_before_after(before: dict[str, int], after: dict[str, int], title: str) -> Figure:
    """Return the class counts before and after oversampling, side by side."""
    figure, (ax,) = _figure(6.4, 2.8)
    places = np.arange(len(CODES))
    for offset, values, colour, name in (
        (-0.2, before, _QUIET, "before"),
        (0.2, after, _BENIGN, "after"),
    ):
        bars = ax.bar(places + offset, [values[c] for c in CODES], 0.38, color=colour, label=name)
        ax.bar_label(bars, fmt="{:.0f}", fontsize=7, padding=2)
    ax.set_xticks(places, CODES)
    ax.set_ylabel("training images")
    ax.set_title(title, loc="left", fontsize=11)
    ax.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def learning_curves(
    curves: dict[str, tuple[Sequence[float], Sequence[float]]], kept: int | None, x: str = "epoch"
) -> Figure:
    """Return training and validation curves, a panel for each quantity.

    Parameters
    ----------
    curves
        Training and validation values by quantity; an empty sequence is left out.
    kept
        The epoch whose weights became the model, counted from 1.
    """
    figure, axes = _figure(4.2 * len(curves), 2.8, len(curves))
    for ax, (name, (training, validation)) in zip(axes, curves.items(), strict=True):
        for values, colour, label in (
            (training, _QUIET, "training"),
            (validation, _BENIGN, "validation"),
        ):
            if len(values):
                ax.plot(np.arange(1, len(values) + 1), values, color=colour, label=label, lw=1.8)
        if kept is not None:
            ax.axvline(kept, color=_MALIGNANT, lw=1.0, ls=":", label=f"kept: {kept}")
        ax.set_title(name, loc="left", fontsize=11)
        ax.set_xlabel(x)
        ax.legend(frameon=False, fontsize=8)
    return figure


def confusion_matrix(table: Sequence[Sequence[int]], title: str) -> Figure:
    """Return a confusion matrix, its cells shaded by their share of the true diagnosis.

    Parameters
    ----------
    table
        Counts: a row for each true diagnosis, a column for each predicted one.
    """
    figure, (ax,) = _figure(4.8, 4.2)
    counts_ = np.asarray(table, dtype=float)
    shares = counts_ / np.maximum(counts_.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(CODES)):
        for column in range(len(CODES)):
            colour = "white" if shares[row, column] > 0.55 else "black"
            ax.text(
                column, row, f"{counts_[row, column]:.0f}", ha="center", va="center",
                color=colour, fontsize=9,
            )  # fmt: skip
    ax.set_xticks(range(len(CODES)), CODES)
    ax.set_yticks(range(len(CODES)), CODES)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.set_title(title, loc="left", fontsize=11)
    return figure


def roc_curves(labels: Labels, probabilities: Probabilities, title: str) -> Figure:
    """Return one-vs-rest ROC curves, one for each diagnosis.

    Parameters
    ----------
    labels
        int64, (n,).
    probabilities
        float64, (n, 7).
    """
    figure, (ax,) = _figure(5.0, 4.2)
    for i, code in enumerate(CODES):
        truth = labels == i
        if truth.all() or not truth.any():
            continue
        false_positive, true_positive, _ = roc_curve(truth, probabilities[:, i])
        area = float(np.trapezoid(true_positive, false_positive))
        ax.plot(
            false_positive, true_positive, color=_CLASS_COLOURS[code], lw=1.6,
            ls="-" if code in MALIGNANT else "--", label=f"{code}  {area:.3f}",
        )  # fmt: skip
    ax.plot([0, 1], [0, 1], color=_QUIET, lw=0.8)
    ax.set_xlabel("1 - specificity")
    ax.set_ylabel("sensitivity")
    ax.set_title(title, loc="left", fontsize=11)
    ax.legend(title="area under the curve", frameon=False, fontsize=9, title_fontsize=9)
    return figure


def reliability_diagram(labels: Labels, by_name: dict[str, Probabilities]) -> Figure:
    """Return confidence against accuracy in bins of equal mass, for each of two calibrations.

    Parameters
    ----------
    labels
        int64, (n,).
    by_name
        Probabilities by the calibration's name: float64, (n, 7).
    """
    figure, (ax,) = _figure(4.6, 4.2)
    ax.plot([0, 1], [0, 1], color=_QUIET, lw=0.8)
    for (name, probabilities), colour in zip(by_name.items(), (_QUIET, _BENIGN), strict=False):
        confidence = probabilities.max(axis=1)
        correct = probabilities.argmax(axis=1) == labels
        bins = np.array_split(np.argsort(confidence, kind="stable"), CALIBRATION_BINS)
        bins = [b for b in bins if len(b)]
        ax.plot(
            [confidence[b].mean() for b in bins], [correct[b].mean() for b in bins],
            "o-", ms=4, lw=1.4, color=colour, label=name,
        )  # fmt: skip
    ax.set_xlabel("confidence")
    ax.set_ylabel("accuracy")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_title("Reliability diagram", loc="left", fontsize=11)
    ax.legend(frameon=False, fontsize=9)
    return figure


def pareto(points: dict[str, tuple[float, float, float, float]], limit: float) -> Figure:
    """Return size against balanced accuracy, with the Pareto front joined.

    Parameters
    ----------
    points
        By name: MiB, balanced accuracy, and its interval.
    limit
        MiB to mark.
    """
    figure, (ax,) = _figure(9.0, 4.8)
    names = sorted(points, key=lambda n: points[n][0])
    best, front, key = -1.0, [], []
    for number, name in enumerate(names, start=1):
        size, score, low, high = points[name]
        ahead = score > best
        colour = _BENIGN if ahead else _QUIET
        ax.errorbar(size, score, [[score - low], [high - score]], fmt="o", color=colour, ms=5, lw=1)
        ax.annotate(
            str(number), (size, score), xytext=(5, 4), textcoords="offset points", fontsize=8,
            color=colour, weight="bold" if ahead else "normal",
        )  # fmt: skip
        key.append(f"{number}  {name}")
        if ahead:
            best = score
            front.append((size, score))
    ax.text(1.02, 1.0, "\n".join(key), transform=ax.transAxes, fontsize=8, va="top")
    ax.plot(*zip(*front, strict=True), color=_BENIGN, lw=1.2)
    ax.axvline(limit, color=_MALIGNANT, lw=1.0, ls=":")
    ax.annotate(
        f"{limit:g} MiB", (limit, 0.02), xycoords=("data", "axes fraction"), fontsize=8,
        xytext=(4, 0), textcoords="offset points", color=_MALIGNANT,
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlabel("MiB after gzip -9 (logarithmic)")
    ax.set_ylabel("balanced accuracy")
    ax.set_title("Size against balanced accuracy, with 95 % intervals", loc="left", fontsize=11)
    return figure


def image_grid(rows: Mapping[str, Sequence[NDArray[np.uint8]]]) -> Figure:
    """Return images in named rows.

    Parameters
    ----------
    rows
        Images by the row's name: uint8, (height, width, 3), RGB.
    """
    columns = max(len(r) for r in rows.values())
    figure = Figure(figsize=(1.25 * columns + 1.2, 1.2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.axis("off")
        for ax, image in zip(line, images, strict=False):
            ax.imshow(image, interpolation="nearest")
        line[0].axis("on")
        line[0].set_xticks([])
        line[0].set_yticks([])
        line[0].spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    return figure


def network_diagram() -> Figure:
    """Return the source paper's network (Table 7) as a row of blocks."""
    blocks = (
        ("image", "28 x 28 x 3"),
        ("conv 32\npool, BN", "14 x 14 x 32"),
        ("2 x conv 64\npool, BN", "7 x 7 x 64"),
        ("2 x conv 128\npool, BN", "3 x 3 x 128"),
        ("2 x conv 256\npool, BN", "1 x 1 x 256"),
        ("flatten\ndropout", "256"),
        ("dense 256\nBN, dropout", "256"),
        ("dense 128\nBN", "128"),
        ("dense 64\nBN, dropout", "64"),
        ("dense 32\nBN", "32"),
        ("dense 7", "logits"),
    )
    figure, (ax,) = _figure(12.0, 1.9)
    ax.axis("off")
    for i, (name, shape) in enumerate(blocks):
        dense = i >= 5
        colour = _QUIET if i in (0, len(blocks) - 1) else _MALIGNANT if dense else _BENIGN
        ax.text(
            i, 0.62, name, ha="center", va="center", fontsize=8, color="white",
            bbox={"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "none"},
        )  # fmt: skip
        ax.text(i, 0.1, shape, ha="center", va="center", fontsize=8)
        if i:
            ax.annotate(
                "", (i - 0.4, 0.62), (i - 0.6, 0.62), arrowprops={"arrowstyle": "->", "lw": 1.0}
            )
    ax.set_xlim(-0.6, len(blocks) - 0.4)
    ax.set_ylim(0, 1)
    return figure


def degradation_curves(study: Study) -> Figure:
    """Return accuracy against the amount of each degradation."""
    figure = Figure(figsize=(9.0, 7.5), layout="constrained")
    whole = study.undegraded
    axes = figure.subplots(3, 3, sharey=True).ravel()
    for ax, curve in zip(axes, study.curves, strict=True):
        amounts = [level.amount for level in curve.levels]
        ax.axhspan(whole.low, whole.high, color=_QUIET, alpha=0.25, linewidth=0)
        ax.axhline(whole.value, color=_QUIET, linewidth=1)
        ax.plot(amounts, [level.accuracy.value for level in curve.levels], "o-", color=_BENIGN)
        ax.fill_between(
            amounts,
            [level.accuracy.low for level in curve.levels],
            [level.accuracy.high for level in curve.levels],
            color=_BENIGN,
            alpha=0.2,
            linewidth=0,
        )
        ax.set_xscale("log")
        ax.set_xticks(amounts[:: max(len(amounts) // 3, 1)])
        ax.xaxis.set_major_formatter("{x:.2g}")
        ax.xaxis.set_minor_formatter("")
        ax.set_xlabel(curve.name, fontsize=9)
        if curve.value is not None:
            ax.set_title(f"{curve.limit} {curve.value:g}", loc="left", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    figure.suptitle(f"{study.model}: accuracy on {study.images} degraded images", fontsize=11)
    return figure
