"""The model card (Mitchell et al. 2019, doi:10.1145/3287560.3287596), from what was measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from build_host.evaluation.assessment import (
    CAPTURED_SALIENCY_IMAGES,
    SALIENCY_IMAGES,
    Assessment,
)
from build_host.evaluation.comparison import Ablation, LeaveOneOut, Peer
from build_host.reporting.templating import names_of, render
from device.diagnoses import CODES
from device.models.manifest import Manifest

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render_card(
    manifest: Manifest,
    assessment: Assessment,
    sections: Sequence[str] = (),
    first: Sequence[str] = (),
) -> str:
    """Return the card as Markdown; every number in it comes from its arguments.

    Parameters
    ----------
    sections
        More that was measured, as Markdown; they come before the terms of the data.
    first
        The same, before all else that was measured.
    """
    return render(
        _TEMPLATES / "model_card.md.j2",
        {
            "manifest": manifest,
            "assessment": assessment,
            "main": assessment.evaluations[0],
            "others": assessment.evaluations[1:],
            "source_figures": names_of(row.figures for row in assessment.sources),
            "sections": sections,
            "first": first,
            "codes": CODES,
            "saliency_images": SALIENCY_IMAGES,
            "captured_saliency_images": CAPTURED_SALIENCY_IMAGES,
        },
    )


def ablation_section(ablation: Ablation) -> str:
    """Return the card's section on a run's variants, as Markdown."""
    names = names_of(row.figures for row in ablation.rows)
    template = _TEMPLATES / "ablation_section.md.j2"
    return render(template, {"ablation": ablation, "names": names})


def leave_one_out_section(table: LeaveOneOut) -> str:
    """Return the card's section on clinics that the model has never seen, as Markdown."""
    values = {
        "table": table,
        "names": names_of(row.figures for row in table.rows),
        "contributed": names_of(
            figures for row in table.contributions for figures in row.figures.values()
        ),
    }
    return render(_TEMPLATES / "leave_one_out_section.md.j2", values)


def peers_section(peers: list[Peer]) -> str:
    """Return the card's section on other models, as Markdown."""
    names = names_of(peer.figures for peer in peers)
    return render(_TEMPLATES / "peers_section.md.j2", {"peers": peers, "names": names})
