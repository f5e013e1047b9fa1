"""No call: a picture that no dermatoscope took, and one whose views disagree."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from device.frame import Frame
from device.imaging.preprocessing import dihedral_views, resize_to_input
from device.inference.analyzer import Analyzer, mean_over_views
from device.inference.calibration import agreement
from device.inference.finding import FindingRecord, NoCallReason, from_record, to_record
from device.inference.network import Network
from device.inference.runtimes import Interpreter, installed_runtime
from device.models.bundle import Bundle, load_bundle
from device.models.manifest import Manifest
from device.models.network_spec import NetworkSpec, TensorSpec
from tests.device.bundles import one_network, plain_manifest, write_bundle
from tests.device.models.case_mixes import without_case_mixes
from tests.device.models.two_networks import shipped_bundle

GOOD, DIVIDED, DARK = 0, 3, 5
FLOOR = -1.5
ODDS = TensorSpec(index=0, shape=(1,), dtype="float32")


class OneOutputMore:
    """An interpreter of a model that also says whether a dermatoscope took the picture."""

    def __init__(self, asked: Interpreter, odds: float) -> None:
        self.asked = asked
        self.odds = odds

    def get_input_details(self) -> Sequence[dict[str, Any]]:
        return self.asked.get_input_details()

    def get_output_details(self) -> Sequence[dict[str, Any]]:
        own = {"index": -1, "shape": [1, 1], "dtype": np.float32, "quantization": (0.0, 0)}
        return [*self.asked.get_output_details(), own]

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self.asked.set_tensor(index, value)

    def invoke(self) -> None:
        self.asked.invoke()

    def get_tensor(self, index: int) -> NDArray[Any]:
        return np.array([[self.odds]], np.float32) if index == -1 else self.asked.get_tensor(index)


class Knowing:
    """A `Runtime` whose models have that output more."""

    name = "knowing"

    def __init__(self, odds: float) -> None:
        self.odds = odds

    def load(self, model: bytes, threads: int) -> Interpreter:
        return OneOutputMore(installed_runtime().load(model, threads), self.odds)


@pytest.fixture
def knowing(bundle: Bundle) -> Bundle:
    """The live network, with another output, its floor, and nothing else that forbids a call."""
    alone = one_network(bundle)
    live = alone.manifest.live
    place = len(installed_runtime().load(bundle.live_model, 1).get_output_details())
    odds = msgspec.structs.replace(ODDS, index=place)
    changed = msgspec.structs.replace(
        live,
        outputs=msgspec.structs.replace(live.outputs, dermoscopic=odds),
        abstention=msgspec.structs.replace(
            live.abstention, uncertain_below=0.0, unfamiliar_below=None, not_dermoscopic_below=FLOOR
        ),
    )
    return replace(alone, manifest=for_no_practice(alone.manifest, changed))


def for_no_practice(manifest: Manifest, live: NetworkSpec) -> Manifest:
    """Return a manifest with another live network, read for no practice by name."""
    live = msgspec.structs.replace(live, case_mixes=())
    return msgspec.structs.replace(manifest, live=live, case_mix="")


def with_abstention(bundle: Bundle, **limits: float | str | None) -> Bundle:
    live = bundle.manifest.live
    rule = msgspec.structs.replace(live.abstention, **limits)
    live = msgspec.structs.replace(live, abstention=rule)
    return replace(bundle, manifest=for_no_practice(bundle.manifest, live))


def test_network_gives_the_log_odds_beside_its_other_outputs(
    bundle: Bundle, knowing: Bundle, frames: tuple[Frame, ...]
) -> None:
    live = knowing.manifest.live
    pixels = resize_to_input(frames[GOOD].pixels, live.input)
    plain = Network(bundle, bundle.manifest.live).run(pixels)
    assert plain.dermoscopic != 2.25
    found = Network(knowing, live, runtime=Knowing(2.25)).run(pixels)
    assert found.dermoscopic == 2.25
    np.testing.assert_array_equal(found.logits, plain.logits)
    np.testing.assert_array_equal(found.whitened, plain.whitened)


@pytest.mark.parametrize(
    ("odds", "expected"),
    [(FLOOR - 5, "not-dermoscopic"), (FLOOR - 0.01, "not-dermoscopic"), (FLOOR, None), (4.0, None)],
)
@pytest.mark.parametrize("as_captured", [False, True])
def test_no_call_is_made_of_a_picture_that_no_dermatoscope_took(
    knowing: Bundle, frames: tuple[Frame, ...], odds: float, expected: str | None, as_captured: bool
) -> None:
    finding = Analyzer(knowing, runtime=Knowing(odds)).analyze(
        frames[GOOD], as_captured=as_captured
    )
    assert finding.no_call == expected
    assert finding.rankable == (expected is None)


def test_what_no_dermatoscope_took_is_graver_than_anything_else_the_model_says(
    knowing: Bundle, frames: tuple[Frame, ...]
) -> None:
    strict = with_abstention(
        knowing, score="energy", unfamiliar_below=1e9, uncertain_below=1.0, unstable_below=1.0
    )
    strange, taken = (Analyzer(strict, runtime=Knowing(odds)) for odds in (FLOOR - 1, FLOOR + 1))
    for frame in (frames[GOOD], frames[DIVIDED]):
        assert strange.analyze(frame, as_captured=True).abstention == "not-dermoscopic"
        assert taken.analyze(frame, as_captured=True).abstention == "unfamiliar"
    # But not than what is wrong with the picture itself, which the hand can mend.
    assert strange.analyze(frames[DARK]).no_call == "quality"


def test_bundle_without_a_floor_calls_it_all_the_same(
    knowing: Bundle, frames: tuple[Frame, ...]
) -> None:
    lenient = with_abstention(knowing, not_dermoscopic_below=None)
    assert Analyzer(lenient, runtime=Knowing(-50.0)).analyze(frames[GOOD]).no_call is None


def test_mean_over_views_keeps_each_of_them(bundle: Bundle, frames: tuple[Frame, ...]) -> None:
    network = Network(bundle, bundle.manifest.live)
    pixels = resize_to_input(frames[DIVIDED].pixels, network.spec.input)
    views, told = dihedral_views(pixels), []
    found = mean_over_views(network, views, lambda: told.append(1))
    assert len(told) == 8
    each = np.array([network.run(view).logits for view in views])
    assert found.views is not None
    np.testing.assert_array_equal(found.views, each)
    np.testing.assert_allclose(found.logits, each.mean(axis=0), atol=1e-5)
    first = network.run(pixels)
    np.testing.assert_array_equal(found.whitened, first.whitened)
    # The map too is the mean, each turned back: turning the picture turns the map, and no more.
    assert found.class_activation_map is not None
    turned = mean_over_views(network, dihedral_views(np.ascontiguousarray(pixels[:, ::-1])))
    assert turned.class_activation_map is not None
    np.testing.assert_allclose(
        turned.class_activation_map[:, ::-1], found.class_activation_map, atol=1e-4
    )
    alone = mean_over_views(network, (pixels,))
    assert alone.views is None
    np.testing.assert_array_equal(alone.logits, first.logits)


def averaging(bundle: Bundle, folder: Path, least: float | None) -> Analyzer:
    """Return an analyzer that averages captured pictures, and asks so many views to agree."""
    manifest = without_case_mixes(plain_manifest(bundle))
    manifest["live"]["test_time_augmentation"] = "dihedral"
    manifest["live"]["abstention"] |= {
        "unfamiliar_below": None, "uncertain_below": 0.0, "unstable_below": least,
    }  # fmt: skip
    return Analyzer(load_bundle(folder, (write_bundle(folder, manifest, bundle.live_model),)))


def test_no_call_is_made_of_a_captured_picture_whose_views_disagree(
    tmp_path: Path, frames: tuple[Frame, ...]
) -> None:
    # The smallest network, which is the first to be divided.
    bundle = shipped_bundle("paper-28")
    live = bundle.manifest.live
    network = Network(bundle, live)
    views = dihedral_views(resize_to_input(frames[DIVIDED].pixels, live.input))
    agreed = agreement(mean_over_views(network, views), live.calibration)
    assert agreed is not None
    assert 0.5 < agreed < 1.0
    for least, expected in ((agreed + 0.01, "unstable"), (agreed, None), (None, None)):
        analyzer = averaging(bundle, tmp_path, least)
        taken = analyzer.analyze_burst([frames[DIVIDED]])[1]
        assert taken.no_call == expected
        # What each diagnosis gets is worth showing all the same.
        assert taken.rankable
        # Of the live view there is one view alone.
        assert analyzer.analyze(frames[DIVIDED]).no_call is None
        assert analyzer.analyze_burst([frames[GOOD]])[1].no_call is None


@pytest.mark.parametrize("reason", [NoCallReason.NOT_DERMOSCOPIC, NoCallReason.UNSTABLE])
def test_reason_stands_in_the_record_and_comes_back(
    analyzer: Analyzer, frames: tuple[Frame, ...], reason: NoCallReason
) -> None:
    finding = replace(analyzer.analyze(frames[GOOD]), abstention=reason)
    written = msgspec.json.encode(to_record(finding, "a.jpg", []))
    assert msgspec.json.decode(written)["no_call"] == str(reason)
    record = msgspec.json.decode(written, type=FindingRecord)
    assert from_record(record, finding.field).no_call is reason
