"""What there is to be shown at one moment: one kind of view for each page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import Code
from device.imaging.lesion import AbcdMeasures
from device.inference.finding import Finding
from device.language import Language
from device.screen.navigation import Target


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shown:
    """What every view has.

    Attributes
    ----------
    clock
        Local time.
    source
        What the frames come from.
    language
        Of every word.
    focus
        What the keyboard would press, where it is in use.
    """

    clock: datetime | None = None
    source: str = ""
    language: Language = "en"
    focus: Target | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LiveView(Shown):
    """The skin and its finding, live or frozen.

    Attributes
    ----------
    field
        The picture: uint8, (height, width, 3), RGB, or None before the first frame.
    finding
        What the model said, or None.
    finding_age
        Seconds between the frame that the finding is of and the frame that is shown.
    overlay
        The saliency over `field`, float32 (rows, columns), where it is wanted and there is one.
    overlay_wanted
        Whether the overlay is switched on.
    explained
        The diagnosis that the overlay is about, where one was chosen.
    opacity
        Of the overlay, 0 to 1.
    frozen
        When the picture was taken, where the view is frozen.
    measures
        Of the lesion, or None; drawn in a frozen view whose picture is good.
    outline
        Of the lesion: float32, (n, 2), x and y in parts of the field's side, 0 to 1; drawn where
        the overlay is wanted.
    progress
        How many steps of judging a taken picture are done, and of how many; (0, 0) while it is
        being taken, None where none is.
    kept
        Whether the taken picture is on the disk, or None where that is not known.
    lost
        When the picture was taken, where the camera gives no more: it looks live and is not.
    """

    field: NDArray[np.uint8] | None
    finding: Finding | None = None
    finding_age: float = 0.0
    overlay: NDArray[np.float32] | None = None
    overlay_wanted: bool = False
    explained: Code | None = None
    opacity: float = 0.6
    frozen: datetime | None = None
    measures: AbcdMeasures | None = None
    outline: NDArray[np.float32] | None = None
    progress: tuple[int, int] | None = None
    kept: bool | None = None
    lost: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture that can be compared with another.

    Attributes
    ----------
    time
        When it was taken; None for the live one.
    field
        uint8, (height, width, 3), RGB.
    finding
        What the model said, or None.
    """

    time: datetime | None
    field: NDArray[np.uint8]
    finding: Finding | None


@dataclass(frozen=True, slots=True, eq=False)
class CompareView(Shown):
    """Two pictures side by side.

    Attributes
    ----------
    earlier, present
        Either may be missing.
    number, count
        Which of the earlier pictures this is, 1 for the newest, and how many there are.
    lost
        When the present picture was taken, where the camera gives no more.
    """

    earlier: Picture | None
    present: Picture | None
    number: int = 0
    count: int = 0
    lost: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SettingsView(Shown):
    """What can be set, beside the skin.

    Attributes
    ----------
    behind
        The skin, as the live page would show it.
    mm_per_pixel
        What the optics were calibrated to, or None.
    trouble
        Why the settings could not be kept, in words, or empty.
    appliance
        The instrument can be switched off here, but not quit.
    """

    behind: LiveView
    mm_per_pixel: float | None = None
    trouble: str = ""
    appliance: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OffView(Shown):
    """The question whether the instrument is to be started anew or switched off, beside the skin.

    Attributes
    ----------
    behind
        The skin, as the live page would show it.
    """

    behind: LiveView


@dataclass(frozen=True, slots=True, eq=False)
class AboutView(Shown):
    """What the instrument is, from the bundle's own manifest.

    Attributes
    ----------
    signed_by
        The trusted public key (hexadecimal) that the bundle's signature belongs to.
    frozen
        A picture is held: the shutter would let it go.
    """

    signed_by: str
    frozen: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TroubleView(Shown):
    """Something of the instrument does not work.

    Attributes
    ----------
    words
        What is wrong and what to do, in English, with {places} for `values`.
    behind
        The skin, as the live page would show it.
    detail
        For whoever mends it, or empty.
    values
        What stands in the places.
    """

    words: str
    behind: LiveView
    detail: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


View = LiveView | CompareView | SettingsView | OffView | AboutView | TroubleView
