from dataclasses import replace

import msgspec
import numpy as np
import pytest

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.evaluation.inference import (
    in_distribution_score,
    mean_logits_over_views,
    network_output,
    network_outputs,
)
from device.capture.demo import SCENES, demo_frame
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.calibration import probabilities
from device.inference.network import Network
from device.models.bundle import Bundle
from tests.device.bundles import one_network


@pytest.fixture(scope="module")
def network(bundle: Bundle) -> Network:
    return Network(bundle, bundle.manifest.live)


@pytest.fixture(params=range(3))
def frame(request: pytest.FixtureRequest) -> Frame:
    return demo_frame(SCENES[request.param])


def test_the_logits_are_those_behind_the_devices_finding(
    bundle: Bundle, analyzer: Analyzer, network: Network, frame: Frame
) -> None:
    manifest = bundle.manifest
    logits = network_output(network, manifest.live.input, frame.pixels).logits
    assert (logits.shape, logits.dtype) == ((7,), np.float32)
    calibrated = probabilities(logits, manifest.live.calibration)
    assert tuple(calibrated) == analyzer.analyze(frame).probabilities
    # Uncalibrated: whole steps of the int8 output.
    steps = logits / np.float32(manifest.live.outputs.logits.quantization_scale)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


def test_the_mean_over_views_is_what_a_burst_averages(
    bundle: Bundle, network: Network, frame: Frame
) -> None:
    alone = one_network(bundle).manifest
    live = msgspec.structs.replace(alone.live, test_time_augmentation="dihedral")
    averaging = msgspec.structs.replace(alone, live=live)
    mean = mean_logits_over_views(network, averaging.live.input, frame.pixels)
    assert (mean.shape, mean.dtype) == ((7,), np.float32)
    _, finding = Analyzer(replace(bundle, manifest=averaging)).analyze_burst([frame])
    assert tuple(probabilities(mean, averaging.live.calibration)) == finding.probabilities


def test_the_devices_finding_abstains_below_the_threshold_of_the_score(
    bundle: Bundle, network: Network, frame: Frame
) -> None:
    score = in_distribution_score(network, frame.pixels)
    for threshold, abstains in ((np.nextafter(score, -np.inf), False), (score + 1e-6, True)):
        abstention = msgspec.structs.replace(
            bundle.manifest.live.abstention, uncertain_below=0.0, unfamiliar_below=float(threshold)
        )
        live = msgspec.structs.replace(bundle.manifest.live, abstention=abstention)
        manifest = msgspec.structs.replace(bundle.manifest, live=live)
        finding = Analyzer(replace(bundle, manifest=manifest)).analyze(frame)
        assert (finding.abstention == "unfamiliar") == abstains


def test_outputs_are_in_the_order_of_the_dataset(bundle: Bundle, network: Network) -> None:
    frames = {f"scene-{n}": demo_frame(scene).pixels for n, scene in enumerate(SCENES[:3])}
    records = tuple(ImageRecord(name, name, "nv") for name in frames)
    dataset = Dataset("drawings", records, lambda record: frames[record.image_id])
    outputs = network_outputs(bundle, dataset, quiet=True)
    assert len(outputs) == 3
    for output, pixels in zip(outputs, frames.values(), strict=True):
        expected = network_output(network, bundle.manifest.live.input, pixels)
        np.testing.assert_array_equal(output.logits, expected.logits)
        assert output.whitened is not None
        np.testing.assert_array_equal(output.whitened, expected.whitened)
