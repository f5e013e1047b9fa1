"""What the model said of a kept picture, in two lines: what it asks for, then the diagnosis.

A diagnosis alone may sound harmless.
"""

from dataclasses import dataclass

from pygame import Rect

from device.diagnoses import MALIGNANT
from device.inference.finding import Finding
from device.inference.recommendation import Recommendation
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.wording import Wording


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Both lines.

    Attributes
    ----------
    first, second
        In words; the second may be empty.
    short
        The second where there is less room.
    recommendation
        That the first line names, or None.
    malignant, unsure
        The first line names a malignant diagnosis, or says that no call was made.
    """

    first: str
    second: str = ""
    short: str = ""
    recommendation: Recommendation | None = None
    malignant: bool = False
    unsure: bool = False


def conclusion_of(finding: Finding, wording: Wording) -> Conclusion:
    """Return what there is to be said of a finding."""
    called = wording.in_one_line(finding)
    if finding.no_call is None:
        caveat = wording.not_excluded(
            finding.leading, finding.prediction_set, finding.recommendation
        )
    else:
        caveat = wording.not_excluded_uncalled(finding.no_call, finding.recommendation)
    if finding.headlined is None:
        return Conclusion(
            called,
            caveat,
            caveat,
            malignant=finding.no_call is None and finding.leading in MALIGNANT,
            unsure=finding.no_call is not None,
        )
    second = f"{called}. {caveat}" if caveat and finding.no_call is None else called
    return Conclusion(wording.recommended(finding.headlined), second, called, finding.headlined)


def draw_conclusion(canvas: Canvas, area: Rect, shown: Conclusion, before: str = "") -> None:
    """Draw both lines from the top of an area; the first behind the recommendation's sign.

    Parameters
    ----------
    before
        What stands before the first line.
    """
    px, palette = canvas.layout.px, canvas.palette
    colour, left, step = palette.text, area.left, canvas.line_height(theme.SMALL)
    if shown.recommendation is not None:
        colour = canvas.recommendation_colour(shown.recommendation)
        canvas.draw_recommendation_sign(
            shown.recommendation, left, area.top + step // 2, px(7), colour
        )
        left += px(20)
    elif shown.unsure:
        colour = palette.warning
    elif shown.malignant:
        colour = palette.malignant
    first = f"{before}: {shown.first}" if before else shown.first
    canvas.draw_text(first, theme.SMALL, (left, area.top), area.right - left, colour, bold=True)
    below = Rect(area.left, area.top + step, area.width, step)
    (words,), size = canvas.fitting(([shown.second], [shown.short]), (theme.SMALL, 15, 13), below)
    canvas.draw_text(words, size, below.topleft, below.width, palette.text)
