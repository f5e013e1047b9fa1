from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from build_host.bundle.draft import draft
from build_host.calibration.fits import NO_LIMITS
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, resize_to_input, scale_pixels
from device.inference.network import Network
from device.models.network_spec import Outputs, Saliency
from tests.build_host import drawn
from tests.build_host.conftest import PROVENANCE

pytestmark = pytest.mark.tensorflow

SIDE = 64
SPEC = InputSpec(height=SIDE, width=SIDE, geometry="center-square", scale=1 / 127.5, offset=-1.0)
PAPER = InputSpec(height=28, width=28, geometry="full-frame")
ROWS = np.arange(0, 160, 2)
Pictures = NDArray[np.uint8]


def pictures(first: int, count: int) -> Pictures:
    """Return drawn lesions, as many of each diagnosis."""
    pairs = [(CODES[n % 7], n) for n in range(first, first + count)]
    return np.stack([resize_to_input(np.asarray(drawn.picture(*pair)), SPEC) for pair in pairs])


def cosines(vectors: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return how much the directions of each two agree."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(directions @ directions.T)


@dataclass(frozen=True)
class Made:
    """A network before it has the output and after, and its int8 file."""

    before: Any
    after: Any
    model: bytes


@pytest.fixture(scope="module")
def made() -> Made:
    from build_host.compression.embedding import with_embedding
    from build_host.compression.quantization import to_int8
    from build_host.compression.whitening import with_whitened_features
    from build_host.keras import keras
    from build_host.training.architectures import with_class_activation_map
    from build_host.training.mobilenet import slim_mobilenet_v2

    keras.utils.set_random_seed(2)
    network = slim_mobilenet_v2((SIDE, SIDE, 3), head=96)
    images = pictures(0, 160)
    # As training leaves the batch statistics.
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.3
    for start in range(0, 160, 40):
        network(scale_pixels(images[start : start + 40], SPEC), training=True)
    # What is no training image must not be looked at.
    images[1::2] = 255 * (np.arange(SIDE) % 2)[:, None].astype(np.uint8)
    before = with_whitened_features(with_class_activation_map(network), images, ROWS, SPEC)
    after = with_embedding(before, images, ROWS, SPEC, seed=3)
    return Made(before, after, to_int8(after, images[ROWS], SPEC))


def described(model: bytes) -> Outputs:
    from build_host.compression.quantization import describe_tensors

    return describe_tensors(model)[1]


def test_other_outputs_stay_as_they_are_and_in_their_places(made: Made) -> None:
    shown = scale_pixels(pictures(0, 8), SPEC)
    before, after = made.before(shown), made.after(shown)
    assert len(after) == len(before) + 1 == 4
    for one, other in zip(before, after, strict=False):
        np.testing.assert_array_equal(one, other)


def test_embedding_is_64_uncorrelated_numbers_that_vary_less_and_less(made: Made) -> None:
    values = made.after(scale_pixels(pictures(0, 160)[ROWS], SPEC))[-1].numpy()
    assert values.shape == (len(ROWS), 64)
    np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=1e-3 * np.abs(values).max())
    spread = values.var(axis=0)
    assert (np.diff(spread) <= 1e-4 * spread[0]).all()
    assert spread[0] > 2 * spread[10] > 0.0
    correlations = np.corrcoef(values[:, :20], rowvar=False) - np.eye(20)
    assert np.abs(correlations).max() < 0.01


def test_embedding_keeps_what_tells_the_features_apart(made: Made) -> None:
    from build_host.keras import keras

    shown = scale_pixels(pictures(0, 160)[ROWS], SPEC)
    head = made.after.get_layer("head-features").output
    features = keras.Model(made.after.input, head)(shown).numpy()
    assert features.shape == (len(ROWS), 96)
    embedding = made.after(shown)[-1].numpy()
    np.testing.assert_allclose(
        cosines(features - features.mean(axis=0)), cosines(embedding), atol=0.02
    )


def test_output_is_found_in_the_int8_file_whatever_its_place(made: Made) -> None:
    outputs = described(made.model)
    assert outputs.embedding is not None
    assert (outputs.embedding.shape, outputs.embedding.dtype) == ((64,), "int8")
    assert outputs.whitened is not None
    assert outputs.whitened.shape == (112,)
    assert outputs.class_activation_map is not None
    assert outputs.dermoscopic is None
    places = [
        o.index
        for o in (
            outputs.logits, outputs.class_activation_map, outputs.whitened, outputs.embedding,
        )
    ]  # fmt: skip
    assert sorted(places) == [0, 1, 2, 3]


def test_directions_in_the_int8_file_agree_with_the_float_network(made: Made) -> None:
    shown = pictures(160, 42)
    wanted = made.after(scale_pixels(shown, SPEC))[-1].numpy()
    bundle = draft(
        "drawn", "0.1.0", SPEC, Saliency(method="class-activation-map"), made.model, NO_LIMITS,
        PROVENANCE,
    )  # fmt: skip
    network = Network(bundle, bundle.manifest.live)
    answers = [network.run(picture).embedding for picture in shown]
    assert all(a is not None for a in answers)
    found = np.array(answers)
    assert found.shape == wanted.shape == (42, 64)
    own = (found * wanted).sum(axis=1)
    own /= np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    assert np.median(own) > 0.9
    # So that the neighbours are the same too.
    above = np.triu_indices(42, 1)
    assert np.corrcoef(cosines(found)[above], cosines(wanted)[above])[0, 1] > 0.8


def test_file_without_the_output_has_none(made: Made) -> None:
    from build_host.compression.quantization import to_int8

    assert described(to_int8(made.before, pictures(0, 10), SPEC)).embedding is None


def test_dermoscopic_output_and_embedding_are_told_apart(made: Made) -> None:
    from build_host.compression.dermoscopic import with_dermoscopic_output
    from build_host.compression.embedding import with_embedding
    from build_host.compression.quantization import to_int8

    images = pictures(0, 40)
    rows = np.arange(40)
    both = with_dermoscopic_output(made.before, images, rows, 255 - images, SPEC, seed=3)
    outputs = described(to_int8(with_embedding(both, images, rows, SPEC, 3), images[:10], SPEC))
    shapes = {
        name: tensor.shape
        for name in ("logits", "whitened", "dermoscopic", "embedding")
        if (tensor := getattr(outputs, name)) is not None
    }
    assert shapes == {"logits": (7,), "whitened": (112,), "dermoscopic": (1,), "embedding": (64,)}


def test_networks_without_a_head_or_with_a_small_one_are_unchanged() -> None:
    from build_host.compression.embedding import with_embedding
    from build_host.training.architectures import paper_network
    from build_host.training.mobilenet import slim_mobilenet_v2

    images = pictures(0, 4)
    rows = np.arange(4)
    headless = slim_mobilenet_v2((SIDE, SIDE, 3))
    assert with_embedding(headless, images, rows, SPEC, 0) is headless
    small = slim_mobilenet_v2((SIDE, SIDE, 3), head=32)
    assert with_embedding(small, images, rows, SPEC, 0) is small
    paper = paper_network((28, 28, 3))
    assert with_embedding(paper, np.zeros((4, 28, 28, 3), np.uint8), rows, PAPER, 0) is paper
