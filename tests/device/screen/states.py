"""Every state that the screen can be in, drawn with values instead of a camera and a model."""

from dataclasses import replace
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from device.appearance import Theme
from device.faults import Fault, unexpected
from device.imaging.abcd import ABCD_COLOURS, AbcdMeasures
from device.imaging.quality import Remark
from device.inference.trial import TAKE_ANOTHER
from device.installation.installer import NOT_INSTALLED
from device.installation.permission import NOT_ALLOWED
from device.installation.system_update import Offer, OfferState
from device.runtime.analysis import FAILED as ANALYSIS_FAILED
from device.runtime.health import RESTART_AND_REPORT
from device.runtime.messages import CalibrationResult
from device.screen.pages.about import AboutView
from device.screen.pages.calibration import CalibrationView
from device.screen.pages.compare import CompareView
from device.screen.pages.fault import FaultView
from device.screen.pages.limits import LimitsView
from device.screen.pages.measures import MeasuresView
from device.screen.pages.models import ModelsView
from device.screen.pages.power import PowerView
from device.screen.pages.selftest import SelftestView
from device.screen.pages.settings import SettingsView
from device.screen.view import KeepStatus, LiveView, PageView, Picture
from device.selftest import machine
from device.selftest.check import Check, CheckState, Item, failed, passed, untested, warned
from tests.device.screen.findings import make_finding
from tests.device.screen.record_states import record_states

NOON = datetime(2026, 3, 4, 12, 34, 56).astimezone()
WEEKS_BEFORE = datetime(2026, 2, 11, 9, 5, 0).astimezone()
BEFORE = datetime(2026, 3, 4, 12, 20, 7).astimezone()


def skin(pigment: int = 120) -> NDArray[np.uint8]:
    """Return a lesion of flat colours: small as a picture file, and nobody's."""
    picture = np.full((300, 300, 3), (203, 150, 128), np.uint8)
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    radius = 84 + 14 * np.sin(3 * angle) + 7 * np.sin(7 * angle)
    for share, colour in ((1.0, (132, 82, 62)), (0.72, (104, 60, 46)), (0.4, (pigment, 52, 40))):
        points = np.stack(
            [150 + share * radius * np.cos(angle), 146 + share * radius * np.sin(angle)], axis=1
        )
        cv2.fillPoly(picture, [points.astype(np.int32)], colour)
    return picture


def hill() -> NDArray[np.float32]:
    """Return a map that is highest beside the middle."""
    x = np.arange(28, dtype=np.float32)
    far = (x[None, :] - 16) ** 2 + (x[:, None] - 11) ** 2
    return np.exp(-far / 30).astype(np.float32)


def ring() -> NDArray[np.float32]:
    """Return an outline about the lesion."""
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    radius = 0.28 + 0.047 * np.sin(3 * angle) + 0.023 * np.sin(7 * angle)
    around = [0.5 + radius * np.cos(angle), 0.487 + radius * np.sin(angle)]
    return np.stack(around, axis=1).astype(np.float32)


def with_remark(view: LiveView, remark: Remark) -> LiveView:
    """Return a view whose picture can be judged, but for which something is to be said."""
    assert view.finding is not None
    quality = replace(view.finding.quality, remarks=(Remark(remark),))
    return replace(view, finding=replace(view.finding, quality=quality))


SKIN, OLD_SKIN, HILL, RING = skin(), skin(70), hill(), ring()
NOT_SIGNED = Fault(
    "{signature} is not a signature of {file} by a key that this device trusts",
    "the bundle was altered, or its maker's key is missing from trusted_keys",
    where="/var/lib/dermascope/models/.incoming",
    values={"signature": "manifest.sig", "file": "manifest.json"},
)

NAEVUS = make_finding(
    "nv", probabilities=(0.02, 0.03, 0.08, 0.004, 0.07, 0.776, 0.02), recommendation="not-excluded"
)
BENIGN = make_finding(
    "bkl", probabilities=(0.01, 0.01, 0.95, 0.01, 0.004, 0.006, 0.01), recommendation="no-sign"
)
MELANOMA = make_finding(
    "mel",
    probabilities=(0.03, 0.05, 0.1, 0.01, 0.62, 0.18, 0.01),
    prediction_set=("mel", "nv"),
    recommendation="refer",
)
ESTIMATED = replace(NAEVUS, prediction_set=("nv", "mel", "bcc", "akiec"), as_captured=False)
LIVE = LiveView(SKIN, NAEVUS, clock=NOON, source="demo")
OVERLAID = replace(
    LIVE, finding=MELANOMA, overlay=HILL, overlay_wanted=True, explained="mel", outline=RING
)
MEASURES = AbcdMeasures(
    asymmetry=1,
    asymmetry_index=0.2,
    border_irregularity=1.8,
    colours=("light brown", "dark brown", "black"),
    diameter=0.41,
    area=0.2,
    diameter_mm=6.2,
    asymmetric_in=("shape", "colour"),
    border=5,
)
MOST_MEASURES = replace(
    MEASURES,
    asymmetry=2,
    asymmetric_in=("shape", "colour", "structure"),
    border=8,
    colours=tuple(ABCD_COLOURS),
    diameter_mm=None,
)
FROZEN = replace(LIVE, finding=MELANOMA, frozen=NOON, kept=KeepStatus.KEPT, measures=MEASURES)
UNFAMILIAR = replace(LIVE, finding=make_finding("mel", 0.4, abstention="unfamiliar"))
UNCERTAIN = replace(
    LIVE,
    finding=make_finding(
        probabilities=(0.03, 0.02, 0.12, 0.01, 0.36, 0.45, 0.01),
        prediction_set=("nv", "mel", "bkl"),
        abstention="uncertain",
        recommendation="not-excluded",
    ),
)
NOT_DERMOSCOPIC = replace(LIVE, finding=make_finding("mel", 0.4, abstention="not-dermoscopic"))
UNSTABLE = replace(FROZEN, finding=replace(MELANOMA, abstention="unstable"))
COMPARE = CompareView(
    earlier=Picture(BEFORE, OLD_SKIN, NAEVUS),
    present=Picture(NOON, SKIN, MELANOMA),
    number=2,
    count=5,
    clock=NOON,
    source="demo",
)
CHECKS = (
    Check(
        Item.CAMERA,
        CheckState.FAILED,
        Fault("the camera was unplugged", "plug it in again", where="/dev/video0"),
    ),
    warned(
        Item.OPTICS,
        "not calibrated: no millimetres are shown",
        "calibrate with a ruler: dermascope calibrate",
    ),
    passed(Item.SCREEN, "{driver}, {size} pixels", driver="kmsdrm", size="1024 x 600"),
    passed(Item.MODEL, "{model}, its signature holds", model="slim-96 1.2.1"),
    passed(Item.ANSWERS, "as on the machine that it was built on"),
    passed(
        Item.SPEED,
        "{taken}: {times} times as long as where it was measured",
        taken="0.9 ms",
        times="6.5",
    ),
    passed(Item.TOUCH, "found: {names}", names="FT5406 memory based driver"),
    passed(Item.DISK, "{free} of {whole} GB are free", free="21.3", whole="31.2"),
    warned(Item.WEAR, "{share} of its life is used up", machine.REPLACE_CARD, share="100 %"),
    passed(Item.CLOCK, "it shows {time}", time="2026-03-04 12:34"),
    passed(Item.TEMPERATURE, "{degrees} °C", degrees="48"),
    failed(
        Item.POWER,
        "the voltage is too low now",
        "use the power supply and the cable that belong to it",
    ),
    untested(Item.NETWORK, "not connected, and none is needed"),
)

STATES: dict[str, PageView] = {
    "empty": LiveView(None, clock=NOON, source="demo"),
    "benign": LIVE,
    "not-excluded": replace(LIVE, finding=ESTIMATED),
    "no-sign": replace(LIVE, finding=BENIGN),
    "malignant": replace(LIVE, finding=MELANOMA),
    "low-quality": replace(
        LIVE, finding=make_finding("mel", shortcomings=("glare",), recommendation="not-excluded")
    ),
    "uncertain": UNCERTAIN,
    "unfamiliar": UNFAMILIAR,
    "not-dermoscopic": NOT_DERMOSCOPIC,
    "unstable": UNSTABLE,
    "too-small": replace(
        LIVE, finding=make_finding("bcc", 0.84, shortcomings=("lesion-too-small",))
    ),
    "several-lesions": with_remark(LIVE, "several-lesions"),
    "larger-than-field": with_remark(FROZEN, "larger-than-field"),
    "parted": replace(FROZEN, live_before=NAEVUS),
    "stale": replace(LIVE, finding_age=2.0),
    "frozen": FROZEN,
    "overlay": OVERLAID,
    "frozen-overlay": replace(
        FROZEN, overlay=HILL, overlay_wanted=True, explained="mel", outline=RING, focus="opacity"
    ),
    "overlay-empty": replace(OVERLAID, overlay=np.zeros_like(HILL)),
    "overlay-sought": replace(OVERLAID, overlay=None),
    "progress": replace(LIVE, progress=(3, 8)),
    "flash": replace(LIVE, progress=(0, 0), flash=True),
    "not-kept": replace(FROZEN, kept=KeepStatus.NOT_KEPT),
    "kept-sealed": replace(FROZEN, kept=KeepStatus.SEALED),
    "kept-until-the-end": replace(FROZEN, kept=KeepStatus.UNTIL_THE_END),
    "focus": replace(LIVE, focus="bcc"),
    "compare": COMPARE,
    "compare-first": replace(COMPARE, earlier=None, number=0, count=0, focus="back"),
    "compare-no-call": replace(
        COMPARE,
        earlier=Picture(BEFORE, OLD_SKIN, UNFAMILIAR.finding),
        present=Picture(None, SKIN, UNCERTAIN.finding),
    ),
    "compare-no-call-of-captures": replace(
        COMPARE,
        earlier=Picture(BEFORE, OLD_SKIN, NOT_DERMOSCOPIC.finding),
        present=Picture(NOON, SKIN, UNSTABLE.finding),
    ),
    "compare-days": replace(
        COMPARE, earlier=Picture(WEEKS_BEFORE, OLD_SKIN, replace(NAEVUS, model="paper-28 1.0.0"))
    ),
    "compare-lost": replace(COMPARE, present=Picture(None, SKIN, MELANOMA), lost=BEFORE),
    "lost": replace(LIVE, lost=BEFORE),
    "settings": SettingsView(OVERLAID, clock=NOON, source="demo", focus="opacity"),
    "settings-fault": SettingsView(
        LIVE,
        0.0214,
        Fault(
            "the settings cannot be kept",
            "free space on the disk, or check that it can be written",
            where="/var/lib/dermascope",
            detail="No space left on device",
        ),
        clock=NOON,
        source="demo",
    ),
    "settings-appliance": SettingsView(LIVE, appliance=True, clock=NOON, source="demo"),
    "malignant-light": replace(LIVE, finding=MELANOMA, theme=Theme.LIGHT),
    "frozen-overlay-light": replace(
        FROZEN, overlay=HILL, overlay_wanted=True, explained="mel", outline=RING, theme=Theme.LIGHT
    ),
    "uncertain-light": replace(UNCERTAIN, theme=Theme.LIGHT),
    "settings-light": SettingsView(LIVE, theme=Theme.LIGHT, clock=NOON, source="demo"),
    "measures": MeasuresView(FROZEN, 4, clock=NOON, source="demo"),
    "measures-none": MeasuresView(LIVE, clock=NOON, source="demo"),
    "measures-most": MeasuresView(
        replace(FROZEN, measures=MOST_MEASURES), 5, clock=NOON, source="demo"
    ),
    "calibration": CalibrationView(
        replace(LIVE, field_mm=14.0), 0.0214, CalibrationResult(0.0214), clock=NOON, source="demo"
    ),
    "calibration-fault": CalibrationView(
        LIVE,
        None,
        CalibrationResult(
            fault=Fault(
                "no ruler was found in the picture",
                "lay one with millimetre ticks across the whole field, focus on it, and take the "
                "picture again",
            )
        ),
        clock=NOON,
        source="demo",
    ),
    "limits": LimitsView(clock=NOON, source="demo"),
    "power": PowerView(LIVE, clock=NOON, source="demo"),
    "selftest": SelftestView(CHECKS, clock=NOON, source="demo"),
    "selftest-running": SelftestView(None, running=True, clock=NOON, source="demo"),
    "models": ModelsView(("slim-96-1.3.0.dermascope", "wide-160-2.0.0.dermascope"), clock=NOON),
    "models-none": ModelsView(clock=NOON),
    "models-running": ModelsView(("slim-96-1.3.0.dermascope",), running=True, clock=NOON),
    "models-refused": ModelsView(
        ("slim-96-1.3.0.dermascope",),
        outcome=(
            Fault(NOT_INSTALLED),
            Fault(
                "the trial took {taken} MiB of memory, and {allowed} MiB are allowed",
                TAKE_ANOTHER,
                values={"taken": 901, "allowed": 640},
            ),
        ),
        clock=NOON,
    ),
    "models-damaged": ModelsView(
        ("slim-96-1.3.0.dermascope",),
        outcome=(Fault(NOT_INSTALLED), NOT_SIGNED),
        clock=NOON,
    ),
    "models-not-allowed": ModelsView(
        ("slim-96-1.3.0.dermascope",), outcome=(NOT_ALLOWED,), clock=NOON
    ),
    "models-update": ModelsView(update=Offer(OfferState.OFFERED, "1.3.0"), clock=NOON),
    "models-updating": ModelsView(update=Offer(OfferState.INSTALLING, "1.3.0"), clock=NOON),
    "about": AboutView("d17d3dc7e0c69560" * 4, clock=NOON, source="demo"),
    "camera-fault": FaultView(
        Fault("the camera was unplugged", "plug it in again", where="/dev/video0"),
        replace(LIVE, lost=BEFORE),
        clock=NOON,
        source="USB camera",
    ),
    "analysis-fault": FaultView(
        unexpected(ANALYSIS_FAILED, RESTART_AND_REPORT, RuntimeError("tensor 3 has no buffer")),
        FROZEN,
        clock=NOON,
        source="demo",
    ),
}
STATES |= record_states(LIVE)
