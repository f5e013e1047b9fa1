from pathlib import Path

import numpy as np
import pytest

from device.imaging.preprocessing import InputSpec
from device.models.bundle import Bundle
from device.models.network_spec import Calibration, Saliency
from tests.build_host.conftest import PROVENANCE

PLAIN = Calibration(temperature=1.0, bias=(0.0,) * 7, fitted_on="")
MAPPED = Saliency(method="class-activation-map")
SIDE = 64
SPEC = InputSpec(height=SIDE, width=SIDE, geometry="center-square", scale=1 / 127.5, offset=-1.0)


@pytest.fixture(scope="package")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 200, 3)).astype(np.uint8)


@pytest.fixture(scope="package")
def made(pretrained: Path) -> tuple[Bundle, bytes]:
    """Return a bundle with a map, and its network in float."""
    from build_host.bundle.draft import draft
    from build_host.calibration.fits import NO_LIMITS
    from build_host.compression.quantization import to_float32, to_int8
    from build_host.keras import keras
    from build_host.training.architectures import with_class_activation_map
    from build_host.training.mobilenet import load_imagenet, slim_mobilenet_v2

    keras.utils.set_random_seed(2)
    network = slim_mobilenet_v2((SIDE, SIDE, 3))
    load_imagenet(network, pretrained)
    network = with_class_activation_map(network)
    images = np.random.default_rng(1).integers(0, 256, (10, SIDE, SIDE, 3)).astype(np.uint8)
    content = to_int8(network, images, SPEC)
    saliency = Saliency(method="class-activation-map")
    bundle = draft("drawn", "0.1.0", SPEC, saliency, content, NO_LIMITS, PROVENANCE)
    return bundle, to_float32(network)
