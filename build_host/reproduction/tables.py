"""What the results say, as rows and sentences: for the report, the card and whoever reads them."""

from dataclasses import dataclass
from typing import Final

from build_host.reporting.markdown import cell, table
from build_host.reproduction.results import MeasuredFile, Results


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A row of the paper's Table 8 and the file of ours that stands beside it.

    Attributes
    ----------
    name, mib, accuracy
        What the paper names it, its "MB", its accuracy.
    row
        Our file.
    zipped
        The paper's size is matched by the file after ``gzip -9``.
    """

    name: str
    mib: float
    accuracy: float
    row: MeasuredFile
    zipped: bool

    @property
    def ours(self) -> str:
        """Our file's name."""
        return f"{self.row.name}, {self.row.kind}" + (", gzip -9" if self.zipped else "")

    @property
    def size(self) -> int:
        """Bytes that stand beside the paper's."""
        return self.row.size.gzip_bytes if self.zipped else self.row.size.bytes


PAPER_TABLE: Final = (
    # what the paper names it, its "MB", its accuracy, which of our rows it is
    ("base model", 14.74, 0.9864, "base", "h5 with optimizer"),
    ("pruned", 4.96, 0.9772, "pruned", "h5"),
    ("16-bit quantization", 2.44, 0.9866, "base", "float16"),
    ("pruned and 8-bit quantization", 1.24, 0.9735, "pruned", "int8"),
    ("optimised prototype", 0.39, 0.9815, "pruned", "float16"),
)
LIMIT_MIB: Final = 0.39

PROTOCOL_NAMES: Final = {
    "oversample-then-split": "oversample, then split",
    "split-by-image": "split by image, then oversample",
    "lesion-disjoint": "split by lesion (ours)",
}


def paper_rows(rows: list[MeasuredFile]) -> list[PaperRow]:
    """Return the paper's Table 8 beside ours."""
    found = {(r.name, r.kind): r for r in rows}
    return [
        PaperRow(name, mib, accuracy, found[ours, kind], name == "optimised prototype")
        for name, mib, accuracy, ours, kind in PAPER_TABLE
    ]


def chosen_file(results: Results) -> MeasuredFile:
    """Return the file that ships."""
    return next(a for a in results.artefacts if f"{a.name}, {a.kind}" == results.chosen)


def float_base(results: Results) -> MeasuredFile:
    """Return the dense base as LiteRT runs it unquantized."""
    return next(a for a in results.artefacts if (a.name, a.kind) == ("base", "float32"))


def step_verdict(results: Results) -> str:
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


def protocol_verdict(results: Results) -> str:
    """Say in words what the protocols show."""
    accuracy = {p.protocol: p.figures["accuracy"] for p in results.protocols}
    copies, honest = accuracy["oversample-then-split"], accuracy["lesion-disjoint"]
    if copies.low <= honest.high:
        return "In this run the protocols cannot be told apart."
    return (
        f"The network and its settings are the same: {copies.value:.3f} is what it says of images "
        f"whose copies it was trained on, {honest.value:.3f} of lesions it has never seen."
    )


def card_sections(results: Results) -> str:
    """Return what the model card says of the reproduction, as Markdown."""
    names = ("accuracy", "balanced_accuracy", "macro_auc", "malignant_auc")
    protocols = table(
        ("", "test images", "seen in training", "of a lesion seen in training",
         *(n.replace("_", " ") for n in names)),
        [
            (PROTOCOL_NAMES[p.protocol], f"{p.test_images:,}",
             *(f"{100 * n / p.test_images:.0f} %"
               for n in (p.test_images_seen_in_training, p.test_lesions_seen_in_training)),
             *(cell(p.figures[n]) for n in names))
            for p in results.protocols
        ],
    )  # fmt: skip
    paper = table(
        ("the paper's row", "MiB", "accuracy", "our file", "MiB", "accuracy", "balanced accuracy"),
        [
            (r.name, f"{r.mib:.2f}", f"{r.accuracy:.4f}", r.ours, f"{r.size / 2**20:.3f}",
             cell(r.row.figures["accuracy"]), cell(r.row.figures["balanced_accuracy"]))
            for r in paper_rows(results.artefacts)
        ],
    )  # fmt: skip
    files = table(
        ("network", "file", "MiB", "gzip -9", "accuracy", "balanced accuracy", "macro AUC",
         "zeros"),
        [
            (a.name, a.kind, f"{a.size.bytes / 2**20:.3f}", f"{a.size.gzip_bytes / 2**20:.3f}",
             *(cell(a.figures[n]) for n in ("accuracy", "balanced_accuracy", "macro_auc")),
             f"{100 * a.sparsity['all']:.0f} %" if a.sparsity else "-")
            for a in results.artefacts
        ],
    )  # fmt: skip
    return "\n\n".join(
        [
            "## Where 0.98 comes from",
            "The same network and settings, the images divided in three ways. "
            + protocol_verdict(results),
            protocols,
            "## The paper's Table 8 beside ours",
            'The paper\'s "MB" are MiB, and its accuracies are of its own division; ours are by '
            "lesion.",
            paper,
            "## Every file",
            f"Every figure is of the file itself, on fold 0. {chosen_sentence(results)}",
            files,
        ]
    )


def chosen_sentence(results: Results) -> str:
    """Say which file ships, how large it is and what it keeps."""
    chosen, base = chosen_file(results), float_base(results)
    score, whole = chosen.figures["balanced_accuracy"], base.figures["balanced_accuracy"]
    return (
        f"The smallest file that keeps the dense base's balanced accuracy within one point on the "
        f'validation fold is "{results.chosen}": {chosen.size.gzip_bytes / 2**20:.3f} MiB after '
        f"gzip -9, balanced accuracy {cell(score)} on fold 0, where the base has {cell(whole)}."
    )
