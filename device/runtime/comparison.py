"""Two pictures of one lesion beside each other, and what became of it between them."""

from dataclasses import replace
from typing import Final

from device.imaging.field_of_view import crop, find_field
from device.imaging.registration import Registration, laid_over, register
from device.inference.change import Measure, Sight, changes, sight
from device.records.model import Examination, ExaminationRecord, PictureKind, finding_of
from device.runtime.desk import Comparison, OpenedPicture

_LAID_SIDE: Final = 900


def opened_picture(kept: Examination) -> OpenedPicture:
    """Return a kept picture as it is shown: its field of view, or all of a region's picture."""
    field = kept.image
    if kept.record.kind is not PictureKind.REGION:
        field = crop(field, kept.record.field_of_view or find_field(field))
    return OpenedPicture(kept.record, field)


def compared(one: Examination, other: Examination) -> Comparison:
    """Return two pictures, the earlier one first, laid over each other where that is possible."""
    earlier, later = opened_picture(one), opened_picture(other)
    registered = register(earlier.field, later.field)
    laid, scale = None, None
    if isinstance(registered, Registration):
        laid = laid_over(registered, later.field, min(len(earlier.field), _LAID_SIDE))
        scale = registered.scale
    judged = _same_model(earlier.record, later.record)
    before, after = (_sight(picture, judged=judged) for picture in (earlier, later))
    found = changes(before, after, scale) if before and after else ()
    comparison = Comparison(earlier, later, registered, laid, found)
    if comparison.lit_alike:
        return comparison
    # Polarized light takes the gloss away: the same lesion has other colours.
    rest = tuple(change for change in found if change.measure is not Measure.COLOUR)
    return replace(comparison, changes=rest)


def _sight(picture: OpenedPicture, *, judged: bool) -> Sight | None:
    finding = finding_of(picture.record) if judged else None
    return sight(picture.field, picture.record.measures, finding)


def _same_model(one: ExaminationRecord, other: ExaminationRecord) -> bool:
    """Return whether probabilities can be compared: another practice's are of another scale."""
    said = [(r.finding.model, r.finding.case_mix) for r in (one, other) if r.finding]
    return len(said) == 2 and said[0] == said[1]
