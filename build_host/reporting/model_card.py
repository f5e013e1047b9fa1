"""The model card (Mitchell et al. 2019, doi:10.1145/3287560.3287596), from what was measured."""

from collections.abc import Iterable

from build_host.evaluation.assessment import SALIENCY_IMAGES, Assessment
from build_host.evaluation.comparison import Ablation, Peer
from build_host.evaluation.evaluation import Evaluation
from build_host.evaluation.saliency_faithfulness import Faithfulness
from build_host.reporting.markdown import cell, table
from device.diagnoses import CODES
from device.inference.manifest import Interval, Manifest


def render_card(manifest: Manifest, assessment: Assessment, sections: str = "") -> str:
    """Return the card as Markdown; every number in it comes from its arguments.

    Parameters
    ----------
    sections
        More that was measured, as Markdown; stands before the data's terms.
    """
    main = assessment.evaluations[0]
    provenance = manifest.provenance
    spec = manifest.input
    parts = [
        f"# {manifest.name} {manifest.version}",
        f"Seven diagnoses from one dermoscopic image, {spec.width} x {spec.height} pixels "
        f"({spec.geometry}), int8. {_mib(main.size.bytes)} MiB, "
        f"{_mib(main.size.gzip_bytes)} MiB after gzip -9.",
        "## Intended use\n\n"
        "Decision support for clinicians who know dermoscopy, on dermoscopic images of a single "
        "pigmented or suspicious skin lesion. The diagnosis is the clinician's. Not for use by "
        "patients, on photographs without a dermatoscope, on mucosa, nails or hair, or to rule "
        "out melanoma.",
        "## What was measured\n\n"
        f"{main.images} images of {main.lesions} lesions. {main.protocol} 95 % bootstrap "
        "intervals over lesions. Measured on the shipped file, through the instrument's own "
        "code.\n\n" + _figures(main.figures.items()),
        "By diagnosis:\n\n" + _per_class(main),
        "Rows are the true diagnosis, columns what was called:\n\n" + _confusion(main),
        "## Knowing what it does not know\n\n"
        f"A call is made on {main.selective.coverage:.1%} of the images; on those the accuracy "
        f"is {main.selective.accuracy:.3f} (balanced {main.selective.balanced_accuracy:.3f}). "
        f"The prediction set aims at {manifest.conformal.coverage:.0%} coverage of every "
        f"diagnosis; it holds the true one in {main.conformal.coverage:.1%} of the images, with "
        f"{main.conformal.mean_set_size:.2f} diagnoses on average.",
        "Accuracy on the images of which it is surest:\n\n" + _surest(assessment),
        *_unfamiliar(assessment),
        "Thresholds, chosen on the validation fold:\n\n" + _operating_points(manifest),
        *_maps(assessment),
        "## Subgroups\n\n" + _subgroups(main),
    ]
    if len(assessment.evaluations) > 1:
        parts.append("## Beside it\n\n" + _beside(assessment.evaluations))
    parts += _speed(assessment)
    parts += [sections.strip()] if sections else []
    parts += [
        "## Data and licence\n\n"
        f"Trained on {provenance.dataset} ({provenance.licence}). {provenance.split}. "
        + (
            f"Into training went too: {'; '.join(provenance.further)}. "
            if provenance.further
            else ""
        )
        + "The model carries the terms of its data: attribution, non-commercial use.",
        "## Limits\n\n"
        "The images of HAM10000 come from two clinics (Vienna, Queensland) and mostly from light "
        "skin; how "
        "the model does on dark skin is not known, since the data does not record skin tone. "
        "Only lesions that someone chose to photograph are in it, and only seven groups of "
        "diagnoses: a squamous cell carcinoma or a Merkel cell carcinoma will be given one of "
        "the seven names. Other dermatoscopes, other light and other patients can lower every "
        "figure above.",
        "## Provenance\n\n"
        f"Seed {provenance.seed}; code {provenance.code_revision}; run "
        f"`{provenance.run_digest[:16]}`; data `{provenance.dataset_digest[:16]}`; made "
        f"{provenance.created} with "
        + ", ".join(f"{name} {version}" for name, version in provenance.libraries.items())
        + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _speed(assessment: Assessment) -> list[str]:
    fast = assessment.speed
    if fast is None:
        return []
    return [
        "## Speed\n\n"
        f"One pass takes {fast.model_ms:.3f} ms, {fast.reference} {fast.reference_ms:.3f} ms: "
        f"{fast.times_faster:.1f} times as long, with the same runtime ({fast.runtime}) and one "
        "thread, on one x86-64 machine."
    ]


def _surest(assessment: Assessment) -> str:
    rows = [
        (f"{k.coverage:.0%}", f"{k.accuracy:.3f}", f"{k.balanced_accuracy:.3f}")
        for k in assessment.surest
    ]
    return table(("share of the images", "accuracy", "balanced accuracy"), rows)


def _unfamiliar(assessment: Assessment) -> list[str]:
    if not assessment.unfamiliar:
        return []
    header = (
        "shown",
        "pictures",
        "AUROC of the score",
        "no call",
        "no call, or refused by quality",
    )
    rows = [
        (u.kind, str(u.images), "-" if i == 0 else f"{u.auroc:.3f}", f"{u.no_call:.0%}",
         f"{u.refused:.0%}")
        for i, u in enumerate(assessment.unfamiliar)
    ]  # fmt: skip
    return ["What is no lesion, told apart:\n\n" + table(header, rows)]


def _maps(assessment: Assessment) -> list[str]:
    if not assessment.maps:
        return []
    told = [
        "## Saying why\n\n"
        f"Maps of the called diagnosis, on the shipped file and {SALIENCY_IMAGES} images of the "
        "test fold, as even over the diagnoses as there are any. Insertion: the area under its "
        "probability as the places that the map names come back first (high is good); deletion: "
        "as they go first (low is good).\n\n" + _maps_table(assessment.maps)
    ]
    if assessment.unasked_maps:
        told.append(
            "The same of the diagnosis that the screen explains unasked, the likeliest malignant "
            "one:\n\n" + _maps_table(assessment.unasked_maps)
        )
    return told


def _maps_table(maps: list[Faithfulness]) -> str:
    header = (
        "map", "more passes", "insertion", "deletion", "inside the outline", "pointing game",
        "agrees with float",
    )  # fmt: skip
    rows = [
        (m.method, str(m.passes), cell(m.insertion), cell(m.deletion), cell(m.energy_inside),
         cell(m.pointing), cell(m.agreement))
        for m in maps
    ]  # fmt: skip
    return table(header, rows)


def _beside(evaluations: list[Evaluation]) -> str:
    others = evaluations[1:]
    rows = [
        (name.replace("_", " "), *(cell(e.figures.get(name)) for e in others))
        for name in evaluations[0].figures
    ]
    images = "; ".join(f"{e.protocol}: {e.images} images" for e in others)
    return table(("figure", *(e.protocol for e in others)), rows) + f"\n\n{images}."


def _mib(size: int) -> str:
    return f"{size / 2**20:.3f}"


def _figures(figures: Iterable[tuple[str, Interval]]) -> str:
    rows = [
        (name.replace("_", " "), f"{f.value:.3f}", f"{f.low:.3f} to {f.high:.3f}")
        for name, f in figures
    ]
    return table(("figure", "value", "95 % interval"), rows)


def _per_class(evaluation: Evaluation) -> str:
    rows = [
        (code, str(row.images), cell(row.precision), cell(row.recall), cell(row.f1), cell(row.auc))
        for code, row in evaluation.per_class.items()
    ]
    return table(("", "images", "precision", "recall", "F1", "AUC"), rows)


def _confusion(evaluation: Evaluation) -> str:
    rows = [
        (f"**{code}**", *(str(n) for n in row))
        for code, row in zip(CODES, evaluation.confusion, strict=True)
    ]
    return table(("", *CODES), rows)


def _operating_points(manifest: Manifest) -> str:
    rows = [
        (p.name, p.score, f"{p.threshold:.4f}", f"{p.sensitivity:.3f}", f"{p.specificity:.3f}")
        for p in manifest.operating_points
    ]
    return table(("name", "score", "threshold", "sensitivity", "specificity"), rows)


def _subgroups(evaluation: Evaluation) -> str:
    rows = [
        (kind.replace("_", " "), value, str(figures["images"]), cell(figures.get("accuracy")),
         cell(figures.get("malignant_auc")))
        for kind, groups in evaluation.subgroups.items()
        for value, figures in groups.items()
    ]  # fmt: skip
    return table(("", "", "images", "accuracy", "malignant AUC"), rows)


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
