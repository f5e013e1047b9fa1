"""A bundle with a network for the live view and another for captured pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.diagnoses import Code
from device.frame import Frame
from device.imaging.preprocessing import dihedral_views, resize_to_input
from device.inference import calibration
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.inference.network import Network
from device.models.bundle import Bundle, load_bundle
from device.models.network_spec import NetworkSpec
from tests.device.bundles import one_network, plain_manifest, write_bundle
from tests.device.clocks import ManualClock
from tests.device.models.case_mixes import without_case_mixes
from tests.device.models.two_networks import shipped_bundle, sign_two_networks, two_networks

SCENE = 3
MASKS = 30


class Pair:
    """An analyzer of two networks, and one of each alone with the same limits of quality."""

    def __init__(self, folder: Path, live: Bundle, captured: Bundle) -> None:
        self._folder = folder
        self._bundles = live, captured
        self.manifest: dict[str, Any] = two_networks(live, captured)
        for network in ("live", "captured"):
            self.manifest[network]["saliency"]["masks"] = MASKS

    def both(self, clock: ManualClock | None = None) -> Analyzer:
        folder = self._folder / "both"
        key = sign_two_networks(folder, self.manifest, *self._bundles)
        return Analyzer(load_bundle(folder, (key,)), clock=clock)

    def captured_network(self) -> tuple[Network, NetworkSpec]:
        bundle = self._bundles[1]
        return Network(bundle, bundle.manifest.live), bundle.manifest.live

    def alone(self, name: str) -> Analyzer:
        folder, bundle = self._folder / name, self._bundles[name == "captured"]
        network = self.manifest[name] | {"file": "model.tflite"}
        manifest = without_case_mixes(plain_manifest(bundle)) | {
            "live": network,
            "quality": self.manifest["quality"],
            "name": self.manifest["name"],
            "version": self.manifest["version"],
        }
        return Analyzer(load_bundle(folder, (write_bundle(folder, manifest, bundle.live_model),)))


@pytest.fixture(params=[("multicentre", "paper-28"), ("paper-28", "multicentre")], ids="+".join)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    live, captured = (one_network(shipped_bundle(name)) for name in request.param)
    return Pair(tmp_path, live, captured)


def test_live_view_is_analyzed_by_the_live_network_and_a_capture_by_the_held_one(
    pair: Pair, frames: tuple[Frame, ...]
) -> None:
    clock = ManualClock()
    both, live, captured = pair.both(clock), pair.alone("live"), pair.alone("captured")

    def later(**how: bool) -> Finding:
        # So late that nothing measured before stands for the frame.
        clock.seconds += 1.0
        return both.analyze_live(frame, **how)

    for frame in frames[:4]:
        of_live, of_captured = live.analyze(frame), captured.analyze_burst([frame])[1]
        for expected, found, as_captured in (
            (of_live, both.analyze(frame), False),
            (of_live, later(), False),
            (of_captured, both.analyze_burst([frame])[1], True),
            (of_captured, later(as_captured=True), True),
        ):
            # Calibration, prediction set and abstention too: each has its own.
            assert found.probabilities == expected.probabilities
            assert found.malignancy == expected.malignancy
            assert found.prediction_set == expected.prediction_set
            assert found.abstention == expected.abstention
            assert found.no_call == expected.no_call
            assert found.as_captured == as_captured
            assert found.model == both.manifest.model_id
    assert both.analyze(frames[0]).probabilities != both.analyze_burst([frames[0]])[1].probabilities


def test_each_network_has_its_own_calibration_and_thresholds(
    pair: Pair, frames: tuple[Frame, ...]
) -> None:
    captured = pair.manifest["captured"]
    captured["calibration"] |= {"temperature": 50.0, "bias": [0.0] * 7}
    captured["conformal"]["thresholds"] = [0.0] * 7
    captured["abstention"] |= {"uncertain_below": 1.0, "unfamiliar_below": None}
    pair.manifest["live"]["abstention"] |= {"uncertain_below": 0.0, "unfamiliar_below": None}
    both = pair.both()
    taken = both.analyze_burst([frames[SCENE]])[1]
    assert max(taken.probabilities) < 0.25
    assert len(taken.prediction_set) == 7
    assert taken.abstention == "uncertain"
    alone = both.analyze(frames[SCENE])
    assert alone.probabilities == pair.alone("live").analyze(frames[SCENE]).probabilities
    assert max(alone.probabilities) > 0.25
    assert len(alone.prediction_set) < 7
    assert alone.abstention is None


def test_flags_are_the_operating_points_of_the_network_that_answered(
    pair: Pair, frames: tuple[Frame, ...]
) -> None:
    for network in ("live", "captured"):
        point = pair.manifest[network]["operating_points"][0] | {"score": "malignant"}
        pair.manifest[network]["operating_points"] = [
            point | {"name": f"{network}-reached", "threshold": 0.0},
            point | {"name": f"{network}-missed", "threshold": 1.0},
        ]
    both = pair.both()
    assert both.reached_operating_points(both.analyze(frames[SCENE])) == ["live-reached"]
    assert both.reached_operating_points(both.analyze_live(frames[SCENE])) == ["live-reached"]
    for found in (
        both.analyze_burst([frames[SCENE]])[1],
        both.analyze_live(frames[SCENE], as_captured=True),
    ):
        assert both.reached_operating_points(found) == ["captured-reached"]


def test_map_is_of_the_network_that_the_picture_is_for(
    pair: Pair, frames: tuple[Frame, ...]
) -> None:
    both = pair.both()
    for as_captured, name in ((False, "live"), (True, "captured")):
        own = pair.alone(name)
        expected = own.explain(frames[SCENE], Code.MEL, as_captured=as_captured)
        found = both.explain(frames[SCENE], Code.MEL, as_captured=as_captured)
        assert (found.code, found.method) == (Code.MEL, expected.method)
        np.testing.assert_array_equal(found.values, expected.values)
        method = own.saliency_method(as_captured=as_captured)
        assert (both.saliency_method(as_captured=as_captured), found.method) == (method, method)
    assert both.saliency_method(as_captured=False) != both.saliency_method(as_captured=True)


def test_finding_has_the_own_map_of_the_network_that_answered(
    pair: Pair, frames: tuple[Frame, ...]
) -> None:
    both = pair.both()
    frame = frames[SCENE]
    for found, expected in (
        (both.analyze(frame).saliency, pair.alone("live").analyze(frame).saliency),
        (
            both.analyze_burst([frame])[1].saliency,
            pair.alone("captured").analyze_burst([frame])[1].saliency,
        ),
    ):
        if expected is None:
            assert found is None
        else:
            assert found is not None
            assert found.code == expected.code
            np.testing.assert_array_equal(found.values, expected.values)


def test_only_the_captured_network_says_whether_a_capture_is_averaged(
    pair: Pair, frames: tuple[Frame, ...]
) -> None:
    pair.manifest["live"]["test_time_augmentation"] = "dihedral"
    pair.manifest["captured"]["test_time_augmentation"] = "none"
    both = pair.both()
    plain = both.analyze_burst(frames[:1])[1].probabilities
    assert plain == pair.alone("captured").analyze(frames[0]).probabilities
    # Even so the two cannot be compared: they are of two networks.
    assert not both.analyze(frames[0]).as_captured
    pair.manifest["live"]["test_time_augmentation"] = "none"
    assert not pair.both().analyze(frames[0]).as_captured
    pair.manifest["captured"]["test_time_augmentation"] = "dihedral"
    both = pair.both()
    told: list[tuple[int, int]] = []
    finding = both.analyze_burst(frames[:2], lambda done, of: told.append((done, of)))[1]
    assert told == [(n, 10) for n in range(1, 11)]
    assert finding.as_captured
    frame, (network, captured) = frames[0], pair.captured_network()
    views = dihedral_views(resize_to_input(frame.pixels, captured.input))
    mean = np.mean([network.run(view).logits for view in views], axis=0)
    expected = calibration.probabilities(mean, captured.calibration)
    averaged = both.analyze_burst([frame])[1].probabilities
    assert averaged == pytest.approx(tuple(expected), abs=1e-5)
    assert averaged != plain
    assert both.analyze(frame).probabilities == pair.alone("live").analyze(frame).probabilities


def test_frames_of_both_kinds_in_turn_get_their_own_findings(
    pair: Pair, frames: tuple[Frame, ...]
) -> None:
    """What was measured of a good frame stands for the next, but not what a network made of it."""
    clock = ManualClock()
    both = pair.both(clock)
    live = pair.alone("live").analyze(frames[0])
    _, captured = pair.alone("captured").analyze_burst(frames[:1])
    assert live.quality.sufficient
    assert np.abs(np.subtract(live.probabilities, captured.probabilities)).max() > 0.1
    for as_captured in (False, False, True, True, False, True, False):
        clock.seconds += 0.033
        found = both.analyze_live(frames[0], as_captured=as_captured)
        expected = captured if as_captured else live
        # A field that is known is cut out before the frame is reduced, and not after.
        assert found.probabilities == pytest.approx(expected.probabilities, abs=0.02)
        assert found.quality == expected.quality
        assert found.field == expected.field
        assert found.as_captured == as_captured
    burst = both.analyze_burst([frames[0]])[1]
    assert burst.probabilities == captured.probabilities
