"""What the results say, as rows and sentences for the report and the model card."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_host.pipeline.release import Attachment
from build_host.reporting.templating import render
from build_host.reproduction.results import MeasuredFile, Results

TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A row of the paper's Table 8, and the file of ours beside it.

    Attributes
    ----------
    name, mib, accuracy
        The paper's name, "MB" and accuracy.
    ours
        Our file.
    gzipped
        Whether the paper's size is that of our file after ``gzip -9``.
    """

    name: str
    mib: float
    accuracy: float
    ours: MeasuredFile
    gzipped: bool

    @property
    def our_file(self) -> str:
        """Our file's name."""
        return f"{self.ours.name}, {self.ours.kind}" + (", gzip -9" if self.gzipped else "")

    @property
    def size(self) -> int:
        """Bytes to compare with the paper's."""
        return self.ours.size.gzip_bytes if self.gzipped else self.ours.size.bytes


PAPER_TABLE: Final = (
    # the paper's name, its "MB", its accuracy, and which of our rows it is
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
    """Return the dense base network's unquantized file."""
    return next(a for a in results.artefacts if (a.name, a.kind) == ("base", "float32"))


def enhancement_verdict(results: Results) -> str:
    """Return in words which image enhancements helped."""
    effect = {e.step: e.balanced_accuracy for e in results.image_steps.effect}
    without = effect.pop("none")
    helpful = [name for name, figure in effect.items() if figure.low > without.value]
    if helpful:
        return f"Better than without, beyond its interval: {', '.join(helpful)}."
    return (
        "None raises the balanced accuracy beyond the interval of the network without it: "
        "at this resolution noise and hairs are gone before the network sees them. They are off."
    )


def protocol_verdict(results: Results) -> str:
    """Return in words what the protocols show."""
    accuracy = {p.protocol: p.figures["accuracy"] for p in results.protocols}
    copies, honest = accuracy["oversample-then-split"], accuracy["lesion-disjoint"]
    if copies.low <= honest.high:
        return "In this run the protocols cannot be told apart."
    return (
        f"The network and its settings are the same: {copies.value:.3f} is what it says of images "
        f"whose copies it was trained on, {honest.value:.3f} of lesions it has never seen."
    )


def card_section(results: Results) -> str:
    """Return the model card's section on the reproduction, as Markdown."""
    return render(
        TEMPLATES / "card_section.md.j2",
        {
            "results": results,
            "names": ("accuracy", "balanced_accuracy", "macro_auc", "malignant_auc"),
            "protocol_names": PROTOCOL_NAMES,
            "protocol_verdict": protocol_verdict(results),
            "paper": paper_rows(results.artefacts),
            "chosen": chosen_file(results),
            "base": float_base(results),
        },
    )


REPRODUCTION: Final = Attachment(lambda folder: folder.reproduction, Results, card_section)
