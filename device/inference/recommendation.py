"""What a finding asks for: one of three bands, from the thresholds that a bundle was given."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from device.models.network_spec import OperatingPoint

_SPECIFIC: Final = "malignant-specificity-0.90"
_SENSITIVE: Final = ("melanoma-0.95", "malignant-0.95")


GROUPS: Final = ("melanomas", "malignant", "naevi")
"""Kinds of lesions of which it is told how often each recommendation is made."""


class Recommendation(StrEnum):
    """What a finding asks for.

    ``refer``: excise or refer; nine in ten benign lesions stay below it. ``not-excluded``: follow
    up or refer; a malignant diagnosis reaches its threshold. ``no-sign``: no sign of malignancy;
    neither the probability of melanoma nor that of the malignant group reaches the threshold that
    95 in a hundred of them reach.
    """

    REFER = "refer"
    NOT_EXCLUDED = "not-excluded"
    NO_SIGN = "no-sign"


def band_figure(group: str, recommendation: Recommendation) -> str:
    """Return the name of the figure that tells of what share of a group this is made."""
    return f"{recommendation}_of_{group}"


def recommend(
    melanoma: float, malignancy: float, points: Iterable[OperatingPoint], *, called: bool
) -> Recommendation | None:
    """Return what a finding asks for.

    Parameters
    ----------
    melanoma, malignancy
        Its probabilities of melanoma and of the malignant group.
    points
        The operating points of the network that answered.
    called
        Whether a call is made: of what is not called, nothing says that there is no sign.

    Returns
    -------
    Recommendation or None
        None where no call is made and no threshold reached, or where the bundle has not the
        thresholds that this takes.
    """
    reached = {
        point.name: (melanoma if point.score == "mel" else malignancy) >= point.threshold
        for point in points
    }
    if any(name not in reached for name in _SENSITIVE):
        return None
    if reached.get(_SPECIFIC, False):
        return Recommendation.REFER
    if any(reached[name] for name in _SENSITIVE):
        return Recommendation.NOT_EXCLUDED
    return Recommendation.NO_SIGN if called else None
