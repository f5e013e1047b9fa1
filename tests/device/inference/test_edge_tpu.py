"""An Edge TPU is used where it answers rightly, and missed by nobody."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.fake_edge_tpu import FakeEdgeTpu, compile_for_fake
from device.inference.known_answers import TOLERANCE, known_pictures
from device.inference.network import (
    EDGE_TPU_LOST,
    EDGE_TPU_WRONG,
    NO_EDGE_TPU,
    Network,
)
from device.inference.runtimes import EDGE_TPU_LIBRARY, installed_runtime, litert
from device.models.bundle import Bundle, load_bundle
from tests.device.bundles import plain_manifest, write_bundle
from tests.device.clinic import Camera, Clinic
from tests.device.installation.models import Maker

PASSES_AT_THE_START = 4


@pytest.fixture
def compiled(bundle: Bundle) -> Bundle:
    """The shipped bundle, with what a compiler made of it."""
    made = {bundle.manifest.live.sha256: compile_for_fake(bundle.live_model)}
    return replace(bundle, compiled=made)


def made(bundle: Bundle, **options: Any) -> tuple[Network, FakeEdgeTpu]:
    runtime = FakeEdgeTpu(installed_runtime(), **options)
    return Network(bundle, bundle.manifest.live, runtime=runtime), runtime


def picture(network: Network) -> Any:
    spec = network.spec.input
    return known_pictures(spec.height, spec.width)[0]


def test_it_is_used_where_its_answers_are_the_known_ones(compiled: Bundle) -> None:
    network, runtime = made(compiled)
    assert (network.on_edge_tpu, network.fault) == (True, None)
    used = runtime.used
    logits = network.run(picture(network)).logits
    assert runtime.used == used + 1
    plain = Network(compiled, compiled.manifest.live, runtime=FakeEdgeTpu(installed_runtime(),
                    plugged_in=False))  # fmt: skip
    np.testing.assert_array_equal(logits, plain.run(picture(plain)).logits)


def test_bundle_without_a_compiled_file_asks_for_none(bundle: Bundle) -> None:
    network, runtime = made(bundle)
    assert (network.on_edge_tpu, network.fault, runtime.used) == (False, None, 0)


def test_where_there_is_none_the_processor_is_used_and_that_is_told(compiled: Bundle) -> None:
    network, runtime = made(compiled, plugged_in=False)
    assert not network.on_edge_tpu
    assert network.fault
    assert network.fault.message == NO_EDGE_TPU
    assert EDGE_TPU_LIBRARY in network.fault.detail
    assert np.isfinite(network.run(picture(network)).logits).all()
    assert runtime.used == 0


@pytest.mark.parametrize("steps", [TOLERANCE + 1, -TOLERANCE - 1])
def test_where_it_answers_wrongly_the_processor_is_used(compiled: Bundle, steps: int) -> None:
    network, _ = made(compiled, added=steps)
    right, _ = made(compiled)
    assert not network.on_edge_tpu
    assert network.fault
    assert network.fault.message == EDGE_TPU_WRONG
    logits = [n.run(picture(n)).logits for n in (network, right)]
    np.testing.assert_array_equal(*logits)


def test_answers_that_nobody_knows_cannot_be_checked(tmp_path: Path, bundle: Bundle) -> None:
    model = bundle.live_model + b"\0"
    key = write_bundle(tmp_path, plain_manifest(bundle), model)
    own = load_bundle(tmp_path, (key,))
    own = replace(own, compiled={own.manifest.live.sha256: compile_for_fake(model)})
    network, _ = made(own)
    assert not network.on_edge_tpu
    assert network.fault
    assert network.fault.message == EDGE_TPU_WRONG


def test_pulled_out_in_mid_use_it_loses_no_picture(compiled: Bundle) -> None:
    network, runtime = made(compiled, passes=PASSES_AT_THE_START + 1)
    first = network.run(picture(network)).logits
    assert network.on_edge_tpu
    second = network.run(picture(network)).logits
    assert not network.on_edge_tpu
    assert network.fault
    assert network.fault.message == EDGE_TPU_LOST
    np.testing.assert_array_equal(first, second)
    network.run(picture(network))
    assert runtime.used == PASSES_AT_THE_START + 1


def test_fault_of_the_processor_is_not_hidden(bundle: Bundle) -> None:
    network, _ = made(bundle)
    with pytest.raises(ValueError, match="Cannot set tensor"):
        network.run(np.zeros((3, 3, 3), np.uint8))


def test_compiled_file_of_a_bundle_is_the_one_that_was_signed(
    tmp_path: Path, bundle: Bundle
) -> None:
    maker = Maker(bundle)
    sha256 = bundle.manifest.live.sha256
    content = compile_for_fake(bundle.live_model)
    name = "model_edgetpu.tflite"
    files = maker.files(
        compiled={sha256: name}, files={name: hashlib.sha256(content).hexdigest()}
    ) | {name: content}
    for file, told in files.items():
        (tmp_path / file).write_bytes(told)
    read = load_bundle(tmp_path, (maker.public,))
    assert read.compiled == {sha256: content}
    assert made(read)[0].on_edge_tpu
    (tmp_path / name).write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="is not the file that was signed"):
        load_bundle(tmp_path, (maker.public,))


def test_screen_says_that_it_is_gone(
    clinic: Clinic, compiled: Bundle, frames: tuple[Frame, ...]
) -> None:
    runtime = FakeEdgeTpu(installed_runtime(), passes=PASSES_AT_THE_START + 3)
    analyzer = Analyzer(compiled, runtime=runtime)
    assert analyzer.fault is None
    clinic.analyzer.live = analyzer.analyze_live
    clinic.options = {"accelerator": lambda: analyzer.fault}

    def deeds() -> None:
        clinic.until(lambda: clinic.fault() == EDGE_TPU_LOST)
        clinic.until_finding()

    clinic.use(Camera(), deeds)
    assert runtime.used == PASSES_AT_THE_START + 3


def test_runtime_that_is_installed_says_that_there_is_none(bundle: Bundle) -> None:
    with pytest.raises((OSError, ValueError, RuntimeError)):
        litert().load_on_edge_tpu(bundle.live_model)
    network = Network(
        replace(bundle, compiled={bundle.manifest.live.sha256: bundle.live_model}),
        bundle.manifest.live,
    )
    assert network.fault
    assert network.fault.message == NO_EDGE_TPU
