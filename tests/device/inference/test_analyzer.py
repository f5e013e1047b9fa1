from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.diagnoses import CODES, MALIGNANT, Code
from device.frame import Frame, frame_now
from device.imaging.preprocessing import resize_to_input
from device.inference import calibration
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.inference.finding import FindingRecord, to_record
from device.inference.network import Network
from device.models.bundle import Bundle, load_bundle
from tests.device.bundles import analyzer_with, plain_manifest, write_bundle
from tests.device.models.case_mixes import without_case_mixes

GOOD, BLURRED, DARK, GLARING = 0, 2, 5, 6


def analyzer_of(folder: Path, manifest: dict[str, Any], bundle: Bundle) -> Analyzer:
    """Return an analyzer of a manifest of one network and a bundle's model."""
    return Analyzer(load_bundle(folder, (write_bundle(folder, manifest, bundle.live_model),)))


def rgb(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def network(bundle: Bundle) -> Network:
    return Network(bundle, bundle.manifest.live)


def test_finding_is_whole(analyzer: Analyzer, frames: tuple[Frame, ...]) -> None:
    for frame in frames:
        finding = analyzer.analyze(frame)
        assert finding.model == analyzer.manifest.model_id
        assert len(finding.probabilities) == len(CODES)
        assert sum(finding.probabilities) == pytest.approx(1.0, abs=1e-9)
        three = sum(finding.probability(code) for code in MALIGNANT)
        assert finding.malignancy == pytest.approx(three)
        assert finding.probability(finding.leading) == max(finding.probabilities)
        assert finding.prediction_set
        assert finding.timings.keys() == {"resize", "network", "quality", "total"}
        assert all(ms >= 0 for ms in finding.timings.values())


def test_recommendation_follows_the_thresholds_of_the_bundle(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    manifest = without_case_mixes(plain_manifest(bundle))
    point = manifest["live"]["operating_points"][0]
    asked = {
        "melanoma-0.95": "mel",
        "malignant-0.95": "malignant",
        "malignant-specificity-0.90": "malignant",
    }
    manifest["live"]["abstention"] |= {"unfamiliar_below": None, "uncertain_below": 0.0}
    for thresholds, expected in (
        ((1.0, 1.0, 1.0), "no-sign"),
        ((0.0, 1.0, 1.0), "not-excluded"),
        ((1.0, 1.0, 0.0), "refer"),
    ):
        manifest["live"]["operating_points"] = [
            point | {"name": name, "score": score, "threshold": threshold}
            for (name, score), threshold in zip(asked.items(), thresholds, strict=True)
        ]
        finding = analyzer_of(tmp_path, manifest, bundle).analyze(frames[GOOD])
        assert finding.no_call is None
        assert finding.recommendation == expected
    # Of a picture that is too dark nothing says that there is no sign.
    manifest["live"]["operating_points"][2]["threshold"] = 1.0
    assert analyzer_of(tmp_path, manifest, bundle).analyze(frames[DARK]).recommendation is None


def logits_of(network: Network, pixels: np.ndarray) -> np.ndarray:
    """Return what a network says of a picture of any size."""
    return network.run(resize_to_input(pixels, network.spec.input)).logits


def test_probabilities_are_the_calibrated_logits(
    analyzer: Analyzer, network: Network, frames: tuple[Frame, ...]
) -> None:
    live = network.spec
    for frame in frames[:3]:
        finding = analyzer.analyze(frame)
        expected = calibration.probabilities(logits_of(network, frame.pixels), live.calibration)
        np.testing.assert_array_equal(finding.probabilities, expected)
        chosen = calibration.prediction_set(expected, live.conformal)
        assert finding.prediction_set == chosen


def test_same_frame_gives_the_same_finding(analyzer: Analyzer, frames: tuple[Frame, ...]) -> None:
    first = analyzer.analyze(frames[0])
    analyzer.analyze(frames[1])
    assert analyzer.analyze(frames[0]).probabilities == first.probabilities


def test_colour_order_matters(
    analyzer: Analyzer, network: Network, frames: tuple[Frame, ...]
) -> None:
    frame = frames[3]
    swapped = replace(frame, pixels=np.ascontiguousarray(frame.pixels[:, :, ::-1]))
    assert (logits_of(network, frame.pixels) != logits_of(network, swapped.pixels)).any()
    assert analyzer.analyze(frame).probabilities != analyzer.analyze(swapped).probabilities


@pytest.mark.parametrize(
    ("scene", "shortcoming"),
    [(BLURRED, "out-of-focus"), (DARK, "too-dark"), (GLARING, "glare")],
)
def test_picture_that_cannot_be_judged_gets_no_call(
    analyzer: Analyzer,
    occluding: Analyzer,
    frames: tuple[Frame, ...],
    scene: int,
    shortcoming: str,
) -> None:
    # The smaller network is misled by less glare, the larger one by less blur.
    finding = (occluding if scene == GLARING else analyzer).analyze(frames[scene])
    assert finding.quality.shortcomings[0] == shortcoming
    assert finding.no_call == "quality"


def test_good_picture_is_not_held_back_for_quality(
    analyzer: Analyzer, frames: tuple[Frame, ...]
) -> None:
    finding = analyzer.analyze(frames[GOOD])
    assert finding.quality.sufficient
    assert finding.no_call != "quality"


@pytest.mark.parametrize(
    ("uncertain", "unfamiliar", "expected"),
    [(0.0, None, None), (1.0, None, "uncertain"), (1.0, 1e4, "unfamiliar")],
)
def test_thresholds_of_the_bundle_decide_the_call(
    tmp_path: Path,
    bundle: Bundle,
    frames: tuple[Frame, ...],
    uncertain: float,
    unfamiliar: float | None,
    expected: str | None,
) -> None:
    rule = {"uncertain_below": uncertain, "unfamiliar_below": unfamiliar}
    analyzer = analyzer_with(bundle, tmp_path, abstention=rule)
    assert analyzer.analyze(frames[GOOD]).no_call == expected
    assert analyzer.analyze(frames[BLURRED]).no_call == "quality"


def test_geometry_of_the_bundle_decides_what_is_seen(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    # No stop is in this part, so that the square is the centred one.
    whole = replace(frames[GOOD], pixels=frames[GOOD].pixels[170:598, 227:797])
    pixels = whole.pixels.copy()
    pixels[:, :60] = pixels[:, -60:] = 255
    framed = replace(whole, pixels=pixels)
    for geometry, alike in (("center-square", True), ("full-frame", False)):
        own = analyzer_with(bundle, tmp_path, input={"geometry": geometry})
        inside = own.analyze(whole).probabilities
        assert (own.analyze(framed).probabilities == inside) == alike


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 1), (27, 29), (450, 600), (600, 450)], ids=str
)
def test_frame_of_any_size_gets_a_finding(analyzer: Analyzer, shape: tuple[int, int]) -> None:
    finding = analyzer.analyze(frame_now(rgb(*shape), 0, "test"))
    assert sum(finding.probabilities) == pytest.approx(1.0)


@pytest.mark.parametrize("side", [1, 3, 28, 80])
def test_picture_of_a_few_pixels_gets_no_call(analyzer: Analyzer, side: int) -> None:
    pixels = np.random.default_rng(0).integers(100, 200, (side, side, 3), np.uint8)
    finding = analyzer.analyze(frame_now(pixels, 0, "test"))
    assert finding.quality.shortcomings[0] == "too-small"
    assert finding.no_call == "quality"


def test_motion_of_the_hand_reaches_the_quality(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    manifest = plain_manifest(bundle)
    manifest["quality"]["motion_max"] = 0.1
    analyzer = analyzer_of(tmp_path, manifest, bundle)
    assert analyzer.analyze(frames[GOOD], 0.05).quality.sufficient
    moved = analyzer.analyze(frames[GOOD], 0.2)
    assert moved.quality.shortcomings == ("moved",)
    assert moved.no_call == "quality"
    assert to_record(moved, "a.jpg", []).quality.motion == 0.2


@given(height=st.integers(1, 200), width=st.integers(1, 200))
def test_finding_is_in_bounds_whatever_the_frame(
    analyzer: Analyzer, height: int, width: int
) -> None:
    finding = analyzer.analyze(frame_now(rgb(height, width), 0, "test"))
    assert sum(finding.probabilities) == pytest.approx(1.0)
    assert 0.0 <= finding.malignancy <= 1.0
    assert set(finding.prediction_set) <= set(CODES)


def test_frame_is_not_altered_and_need_not_be_writable(analyzer: Analyzer) -> None:
    pixels = rgb(90, 120)
    before = pixels.copy()
    pixels.flags.writeable = False
    frame = frame_now(pixels, 0, "test")
    analyzer.analyze(frame)
    analyzer.explain(frame, Code.MEL)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("code", [Code.MEL, Code.NV, Code.VASC])
def test_explanation_is_a_map_over_the_models_input(
    analyzer: Analyzer, occluding: Analyzer, frames: tuple[Frame, ...], code: Code
) -> None:
    for own in (analyzer, occluding):
        saliency = own.explain(frames[3], code)
        assert saliency.code == code
        assert saliency.method == own.manifest.live.saliency.method
        assert saliency.values.min() >= 0.0
        assert saliency.values.max() <= 1.0
    spec = occluding.manifest.live.input
    assert saliency.values.shape == (spec.height, spec.width)


def test_bundle_says_how_a_held_picture_is_explained(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    passes = []
    for frozen in ("rise", None):
        analyzer = analyzer_with(
            bundle, tmp_path, saliency={"captured_method": frozen, "masks": 30}
        )
        held = analyzer.explain(frames[3], Code.MEL, lambda: passes.append(1), as_captured=True)
        assert held.method == analyzer.saliency_method(as_captured=True)
        assert held.method == (frozen or analyzer.manifest.live.saliency.method)
        live = analyzer.explain(frames[3], Code.MEL)
        assert live.method == analyzer.saliency_method(as_captured=False)
        assert live.method == analyzer.manifest.live.saliency.method
    # The masks, and the eight views whose mean map is the captured picture's.
    assert len(passes) == 30 + 8


def test_explanations_of_two_diagnoses_differ(
    analyzer: Analyzer, frames: tuple[Frame, ...]
) -> None:
    vasc, nv = (analyzer.explain(frames[3], code).values for code in (Code.VASC, Code.NV))
    assert (vasc != nv).any()


@pytest.mark.parametrize(
    ("probabilities", "code"),
    [
        ((0.1, 0.2, 0.1, 0.1, 0.3, 0.1, 0.1), Code.MEL),
        ((0.1, 0.2, 0.0, 0.0, 0.1, 0.6, 0.0), Code.BCC),
        ((0.3, 0.1, 0.0, 0.0, 0.1, 0.5, 0.0), Code.AKIEC),
        ((0.1, 0.1, 0.0, 0.0, 0.1, 0.7, 0.0), Code.MEL),
    ],
)
def test_unasked_the_likeliest_malignant_diagnosis_is_explained(
    probabilities: tuple[float, ...], code: Code
) -> None:
    assert likeliest_malignant(probabilities) == code


def blurred(frame: Frame, sigma: float) -> Frame:
    return replace(frame, pixels=cv2.GaussianBlur(frame.pixels, (0, 0), sigma))


def test_burst_tells_its_sharpest_frame_before_any_pass_of_the_network(
    analyzer: Analyzer, frames: tuple[Frame, ...]
) -> None:
    told: list[object] = []
    kept, _ = analyzer.analyze_burst(frames[:2], lambda done, of: told.append(done), told.append)
    assert told[:3] == [1, 2, kept]
    assert len(told) > 3


@pytest.mark.parametrize("place", [0, 1, 3])
def test_burst_keeps_its_sharpest_frame(
    analyzer: Analyzer, frames: tuple[Frame, ...], place: int
) -> None:
    burst = [blurred(frames[1], 3.0 + i) for i in range(4)]
    burst[place] = frames[1]
    kept, finding = analyzer.analyze_burst(burst)
    assert kept is frames[1]
    assert finding.probabilities == analyzer.analyze_burst([frames[1]])[1].probabilities
    assert finding.quality.motion is not None


def averaging(folder: Path, bundle: Bundle, augmentation: str) -> Analyzer:
    """Return an analyzer that does this with a captured picture."""
    manifest = plain_manifest(bundle)
    manifest["live"]["test_time_augmentation"] = augmentation
    return analyzer_of(folder, manifest, bundle)


def test_burst_of_one_frame_without_averaging_is_that_frames_finding(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    analyzer = averaging(tmp_path, bundle, "none")
    for frame in frames[:3]:
        kept, finding = analyzer.analyze_burst([frame])
        plain = analyzer.analyze(frame)
        assert kept is frame
        assert (finding.probabilities, finding.quality) == (plain.probabilities, plain.quality)


def test_motion_within_the_burst_is_measured(analyzer: Analyzer, frames: tuple[Frame, ...]) -> None:
    moved = replace(frames[1], pixels=np.roll(blurred(frames[1], 3.0).pixels, 77, axis=1))
    for burst in ([frames[1], moved], [moved, frames[1]]):
        finding = analyzer.analyze_burst(burst)[1]
        assert finding.quality.motion == pytest.approx(0.1, abs=0.02)


def test_empty_burst_is_refused(analyzer: Analyzer) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        analyzer.analyze_burst([])


def test_averaged_finding_is_the_same_however_the_instrument_is_turned(
    tmp_path: Path, bundle: Bundle, network: Network, frames: tuple[Frame, ...]
) -> None:
    analyzer = averaging(tmp_path, bundle, "dihedral")
    square = frames[1].pixels[:768, 128:896]
    found = [
        analyzer.analyze_burst([frame_now(np.ascontiguousarray(turned), 0, "test")])[1]
        for turned in (square, np.rot90(square), square[::-1], square.transpose(1, 0, 2))
    ]
    plain = analyzer.analyze(frame_now(square, 0, "test"))
    assert found[0].probabilities != plain.probabilities
    for finding in found[1:]:
        assert finding.probabilities == pytest.approx(found[0].probabilities, abs=0.01)
    # Of the tensor's own size: resizing rounds each turned picture in its own way.
    small = resize_to_input(square, network.spec.input)
    turns = [np.rot90(m, turn) for m in (small, small[:, ::-1]) for turn in range(4)]
    mean = np.mean([logits_of(network, np.ascontiguousarray(turn)) for turn in turns], axis=0)
    expected = calibration.probabilities(mean, network.spec.calibration)
    averaged = analyzer.analyze_burst([frame_now(small, 0, "test")])[1]
    assert averaged.probabilities == pytest.approx(tuple(expected), abs=1e-5)


@pytest.mark.parametrize(("augmentation", "views"), [("none", 1), ("dihedral", 8)])
def test_progress_reaches_its_end_step_by_step(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...], augmentation: str, views: int
) -> None:
    told: list[tuple[int, int]] = []
    analyzer = averaging(tmp_path, bundle, augmentation)
    analyzer.analyze_burst(frames[:3], lambda done, of: told.append((done, of)))
    assert told == [(n, 3 + views) for n in range(1, 4 + views)]


def test_flags_are_the_operating_points_that_are_reached(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...], analyzer: Analyzer
) -> None:
    finding = analyzer.analyze(frames[3])
    mel, malignant = finding.probability(Code.MEL), finding.malignancy
    points = tuple(
        msgspec.structs.replace(
            bundle.manifest.live.operating_points[0], name=name, score=score, threshold=threshold
        )
        for name, score, threshold in (
            ("reached", "mel", mel),
            ("missed", "mel", mel + 1e-9),
            ("group-reached", "malignant", malignant),
            ("group-missed", "malignant", min(1.0, malignant + 1e-9)),
        )
    )
    manifest = without_case_mixes(plain_manifest(bundle))
    manifest["live"]["operating_points"] = msgspec.to_builtins(points)
    flags = analyzer_of(tmp_path, manifest, bundle).reached_operating_points(finding)
    assert flags == ["reached", "group-reached"]


def test_record_says_what_the_finding_says(occluding: Analyzer, frames: tuple[Frame, ...]) -> None:
    finding = occluding.analyze(frames[GLARING])
    record = to_record(finding, "a.jpg", ["melanoma-0.90"])
    assert record.image == "a.jpg"
    assert record.diagnosis == finding.leading
    assert record.probabilities == dict(zip(CODES, finding.probabilities, strict=True))
    assert record.no_call == "quality"
    assert record.flags == ["melanoma-0.90"]
    assert tuple(record.quality.shortcomings) == finding.quality.shortcomings
    assert msgspec.json.decode(msgspec.json.encode(record), type=FindingRecord) == record
