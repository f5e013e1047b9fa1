from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from build_host.bundle.draft import draft
from build_host.calibration.fits import NO_LIMITS
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, resize_to_input, scale_pixels
from device.inference.network import Network, NetworkOutput
from device.models.network_spec import Saliency
from tests.build_host import drawn
from tests.build_host.conftest import PROVENANCE

pytestmark = pytest.mark.tensorflow

SIDE = 64
SPEC = InputSpec(height=SIDE, width=SIDE, geometry="center-square", scale=1 / 127.5, offset=-1.0)
PAPER = InputSpec(height=28, width=28, geometry="full-frame")
Pictures = NDArray[np.uint8]


def dermoscopic_pictures(count: int) -> Pictures:
    """Return drawn lesions, a few of each diagnosis."""
    pairs = [(CODES[n % 7], n) for n in range(count)]
    return np.stack([resize_to_input(np.asarray(drawn.picture(*pair)), SPEC) for pair in pairs])


def photographs(seed: int, count: int) -> Pictures:
    """Return pictures of nothing like skin: blue and green stripes, each in its own direction."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    made = []
    for _ in range(count):
        angle, wave = random.uniform(0, np.pi), random.uniform(0.6, 0.9)
        stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * wave)
        colours = random.uniform(20, 90), random.uniform(110, 160), random.uniform(140, 190)
        made.append(np.stack([c + 60 * stripes for c in colours], axis=2))
    return np.clip(np.array(made), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Made:
    """A network before it has the output and after, and its int8 file's answers."""

    before: Any
    after: Any
    model: bytes


ROWS = np.arange(0, 240, 2)


@pytest.fixture(scope="module")
def made(pretrained: Path) -> Made:
    from build_host.compression.dermoscopic import with_dermoscopic_output
    from build_host.compression.quantization import to_int8
    from build_host.compression.whitening import with_whitened_features
    from build_host.keras import keras
    from build_host.training.architectures import with_class_activation_map
    from build_host.training.mobilenet import load_imagenet, slim_mobilenet_v2

    keras.utils.set_random_seed(2)
    network = slim_mobilenet_v2((SIDE, SIDE, 3))
    load_imagenet(network, pretrained)
    images = dermoscopic_pictures(240)
    # Those that are not training images must not be looked at.
    images[1::2] = photographs(9, 120)
    before = with_whitened_features(with_class_activation_map(network), images, ROWS, SPEC)
    after = with_dermoscopic_output(before, images, ROWS, photographs(1, 100), SPEC, seed=3)
    return Made(before, after, to_int8(after, images[ROWS[:60]], SPEC))


def answers(made: Made, pictures: Pictures) -> list[NetworkOutput]:
    """Return what the device makes of the int8 file."""
    saliency = Saliency(method="class-activation-map")
    bundle = draft("drawn", "0.1.0", SPEC, saliency, made.model, NO_LIMITS, PROVENANCE)
    network = Network(bundle, bundle.manifest.live)
    return [network.run(picture) for picture in pictures]


def test_two_kinds_of_pictures_are_told_apart(made: Made) -> None:
    taken = made.after(scale_pixels(dermoscopic_pictures(296)[240:], SPEC))[-1].numpy()
    others = made.after(scale_pixels(photographs(2, 40), SPEC))[-1].numpy()
    assert taken.shape == (56, 1)
    # By far most: the network itself was drawn at random.
    assert (taken > 0.0).mean() > 0.9
    assert (others < 0.0).mean() > 0.9


def test_other_outputs_stay_as_they_are_and_in_their_places(made: Made) -> None:
    pictures = scale_pixels(dermoscopic_pictures(8), SPEC)
    before, after = made.before(pictures), made.after(pictures)
    assert len(after) == len(before) + 1 == 4
    for one, other in zip(before, after, strict=False):
        np.testing.assert_array_equal(one, other)


def test_int8_file_tells_them_apart_too_and_its_output_is_found(made: Made) -> None:
    from build_host.compression.quantization import describe_tensors

    outputs = describe_tensors(made.model)[1]
    assert outputs.dermoscopic is not None
    assert (outputs.dermoscopic.shape, outputs.dermoscopic.dtype) == ((1,), "int8")
    assert outputs.logits.shape == (7,)
    assert outputs.whitened is not None
    assert len(outputs.whitened.shape) == 1
    assert outputs.class_activation_map is not None
    places = [
        o.index
        for o in (
            outputs.logits, outputs.class_activation_map, outputs.whitened, outputs.dermoscopic,
        )
    ]  # fmt: skip
    assert sorted(places) == [0, 1, 2, 3]
    pictures = dermoscopic_pictures(280)[240:]
    taken = [a.dermoscopic for a in answers(made, pictures)]
    others = [a.dermoscopic for a in answers(made, photographs(2, 40))]
    assert None not in taken + others
    assert np.mean(np.less.outer(others, taken)) > 0.97
    wanted = made.after(scale_pixels(pictures, SPEC))[-1].numpy()[:, 0]
    assert np.corrcoef(taken, wanted)[0, 1] > 0.9


def test_network_without_features_stays_as_it_is() -> None:
    from build_host.compression.dermoscopic import with_dermoscopic_output
    from build_host.training.architectures import paper_network

    model = paper_network((28, 28, 3))
    nothing = np.zeros((2, 28, 28, 3), np.uint8)
    assert with_dermoscopic_output(model, nothing, np.arange(2), nothing, PAPER, 0) is model


def test_network_stays_as_it_is_where_there_are_no_photographs(made: Made) -> None:
    from build_host.compression.dermoscopic import with_dermoscopic_output

    none = np.zeros((0, SIDE, SIDE, 3), np.uint8)
    images = dermoscopic_pictures(4)
    assert with_dermoscopic_output(made.before, images, np.arange(4), none, SPEC, 0) is made.before


def test_network_without_the_output_says_nothing_of_it(made: Made) -> None:
    from build_host.compression.quantization import describe_tensors, to_int8

    plain = to_int8(made.before, dermoscopic_pictures(10), SPEC)
    assert describe_tensors(plain)[1].dermoscopic is None
