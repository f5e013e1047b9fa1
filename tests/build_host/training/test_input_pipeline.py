from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.image_cache import resized_images
from build_host.datasets.split import split_by_lesion
from build_host.training.config import AugmentationConfig, FitConfig
from device.diagnoses import CODES
from device.frame import frame_now
from device.imaging.image_file import read_image
from device.imaging.preprocessing import InputSpec, resize_to_input, scale_pixels
from device.inference.analyzer import Analyzer
from device.inference.network import Network, quantize
from device.inference.runtimes import Interpreter, installed_runtime
from device.models.bundle import load_bundle
from tests.build_host.conftest import Stage

pytestmark = pytest.mark.tensorflow

SPEC = InputSpec(height=5, width=6, geometry="full-frame", scale=0.0123, offset=-0.7)


def shown(data) -> tuple[np.ndarray, np.ndarray]:
    pixels, one_hot = zip(*data.as_numpy_iterator(), strict=True)
    return np.concatenate(pixels), np.concatenate(one_hot)


def prior_of_one(
    config: FitConfig, labels: NDArray[np.int64], indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the priors of the only source."""
    from build_host.training.input_pipeline import epoch_priors

    (prior,) = epoch_priors(config, labels, np.zeros(len(labels), np.int64), indices)
    return prior


@st.composite
def labelled(draw) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a dataset, and a training part of it that holds every diagnosis."""
    more = draw(st.lists(st.integers(0, 6), min_size=7, max_size=60))
    # Two of each, so that every diagnosis can stand on both sides.
    labels = np.array([*range(7), *range(7), *more], dtype=np.int64)
    chosen = draw(st.sets(st.integers(14, len(labels) - 1)))
    return labels, np.array(sorted({*range(7), *chosen}), dtype=np.int64)


@given(labelled(), st.integers(0, 2**31 - 1), st.integers(0, 5))
@settings(max_examples=40)
def test_oversampling_repeats_training_images_until_diagnoses_are_even(made, seed, epoch) -> None:
    from build_host.training.input_pipeline import epoch_indices

    labels, train = made
    config = FitConfig(balance="random-oversample")
    result = epoch_indices(config, labels, train, seed, epoch)
    assert result.dtype == np.int64
    assert set(result) == set(train)
    commonest = max(Counter(labels[train].tolist()).values())
    assert Counter(labels[result].tolist()) == dict.fromkeys(range(7), commonest)
    np.testing.assert_array_equal(result, epoch_indices(config, labels, train, seed, epoch))
    np.testing.assert_allclose(prior_of_one(config, labels, train), np.full(7, 1 / 7))


@given(labelled(), st.integers(0, 2**31 - 1))
@settings(max_examples=20)
def test_without_balancing_every_image_is_shown_once(made, seed) -> None:
    from build_host.training.input_pipeline import epoch_indices

    labels, train = made
    config = FitConfig(balance="none")
    np.testing.assert_array_equal(epoch_indices(config, labels, train, seed), train)
    shares = np.bincount(labels[train], minlength=7) / len(train)
    np.testing.assert_allclose(prior_of_one(config, labels, train), shares)


@given(labelled(), st.integers(0, 2**31 - 1), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=20)
def test_balancing_by_a_power_draws_from_the_training_part_alone(made, seed, power) -> None:
    from build_host.training.input_pipeline import epoch_indices

    labels, train = made
    config = FitConfig(balance="power", balance_power=power)
    result = epoch_indices(config, labels, train, seed, 2)
    assert len(result) == len(train)
    assert set(result) <= set(train)
    np.testing.assert_array_equal(result, epoch_indices(config, labels, train, seed, 2))
    counts = np.bincount(labels[train], minlength=7).astype(float)
    np.testing.assert_allclose(
        prior_of_one(config, labels, train), counts**power / (counts**power).sum()
    )


def test_balancing_by_a_power_shows_each_diagnosis_as_often_as_its_prior_says() -> None:
    from build_host.training.input_pipeline import epoch_indices

    labels = np.repeat(np.arange(7), [4000, 100, 100, 100, 100, 100, 900])
    config = FitConfig(balance="power", balance_power=0.5)
    drawn = [epoch_indices(config, labels, np.arange(len(labels)), 1, epoch) for epoch in range(4)]
    assert not np.array_equal(drawn[0], drawn[1])
    shares = np.bincount(labels[np.concatenate(drawn)], minlength=7) / (4 * len(labels))
    np.testing.assert_allclose(
        shares, prior_of_one(config, labels, np.arange(len(labels))), atol=0.01
    )


@st.composite
def of_sources(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and sources of a dataset, and a training part of it."""
    count = draw(st.integers(8, 60))
    labels = draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
    sources = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    train = draw(st.sets(st.integers(0, count - 1), min_size=1))
    return np.array(labels), np.array([*sources[:-1], 2]), np.array(sorted(train))


@given(of_sources(), st.sampled_from(["random-oversample", "power", "none"]))
@settings(max_examples=60)
def test_every_source_has_priors_of_its_own_that_sum_to_one(made, balance) -> None:
    from build_host.training.input_pipeline import epoch_priors

    labels, sources, train = made
    priors = epoch_priors(FitConfig(balance=balance), labels, sources, train)
    assert priors.shape == (3, 7)
    assert priors.dtype == np.float64
    np.testing.assert_allclose(priors.sum(axis=1), 1.0)
    # Their logarithms are told to the network.
    assert priors.min() > 0.0
    # What does not train does not count.
    others = np.setdiff1d(np.arange(len(labels)), train)
    changed = labels.copy()
    changed[others] = (changed[others] + 1) % 7
    np.testing.assert_array_equal(
        epoch_priors(FitConfig(balance=balance), changed, sources, train), priors
    )


def test_a_diagnosis_that_a_source_lacks_counts_for_half_an_image() -> None:
    from build_host.training.input_pipeline import epoch_priors

    # The last two images do not train, and the third source has no other.
    labels = np.repeat([0, 1, 4, 2, 4, 5, 6], [6, 2, 12, 1, 3, 1, 1])
    sources = np.repeat([0, 0, 0, 1, 1, 1, 2], [6, 2, 12, 1, 3, 1, 1])
    priors = epoch_priors(FitConfig(balance="none"), labels, sources, np.arange(len(labels) - 2))
    one = np.array([6, 2, 0.5, 0.5, 12, 0.5, 0.5])
    other = np.array([0.5, 0.5, 1, 0.5, 3, 0.5, 0.5])
    np.testing.assert_allclose(priors, [one / one.sum(), other / other.sum(), np.full(7, 1 / 7)])


@pytest.mark.parametrize("balance", ["random-oversample", "power", "none"])
def test_an_epoch_shows_each_diagnosis_of_a_source_as_often_as_its_prior_says(
    balance: str,
) -> None:
    from build_host.training.input_pipeline import epoch_indices, epoch_priors

    counts = np.array([[300, 40, 40, 20, 900, 10, 100], [60, 40, 10, 20, 100, 40, 300]])
    labels = np.tile(np.arange(7), 2).repeat(counts.ravel())
    sources = np.array([0, 1]).repeat(counts.sum(axis=1))
    config = FitConfig(balance=balance, balance_power=0.5)
    rows = np.arange(len(labels))
    shown = np.concatenate([epoch_indices(config, labels, rows, seed, seed) for seed in range(4)])
    priors = epoch_priors(config, labels, sources, rows)
    for source in (0, 1):
        own = labels[shown[sources[shown] == source]]
        np.testing.assert_allclose(
            np.bincount(own, minlength=7) / len(own), priors[source], atol=0.02
        )
    assert np.abs(priors[0] - priors[1]).max() > 0.1


def test_the_seed_decides_which_images_are_repeated() -> None:
    from build_host.training.input_pipeline import epoch_indices

    labels = np.array([0] * 40 + [1] * 20)
    some = [epoch_indices(FitConfig(), labels, np.arange(60), seed) for seed in (1, 2)]
    assert not np.array_equal(np.sort(some[0]), np.sort(some[1]))


def test_no_image_of_a_validation_or_test_lesion_is_ever_shown(ham10000: Path) -> None:
    from build_host.training.input_pipeline import epoch_indices

    dataset = read_ham10000(ham10000)
    split = split_by_lesion(dataset)
    held_out = {dataset.records[i].lesion_id for i in (*split.validation, *split.test)}
    for balance in ("random-oversample", "power", "none"):
        config = FitConfig(balance=balance)
        result = epoch_indices(config, dataset.labels, split.train, 3)
        assert not held_out & {dataset.records[i].lesion_id for i in result}
    oversampled = epoch_indices(FitConfig(), dataset.labels, split.train, 3)
    assert set(oversampled) == set(split.train)
    assert len(oversampled) > len(split.train)


@given(
    st.integers(1, 30),
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(0, 2**31 - 1)),
    st.integers(0, 2**31 - 1),
)
@settings(max_examples=12)
def test_batches_show_exactly_the_asked_rows(count, batch, shuffle_seed, seed) -> None:
    from build_host.training.input_pipeline import batches, steps_per_epoch

    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (20, 5, 6, 3), np.uint8)
    labels = random.integers(0, 7, 20)
    rows = random.integers(0, 20, count)
    data = batches(images, labels, rows, SPEC, batch, shuffle_seed)
    sizes = [len(pixels) for pixels, _ in data.as_numpy_iterator()]
    assert len(sizes) == steps_per_epoch(FitConfig(batch=batch), count)
    assert sum(sizes) == count
    assert set(sizes[:-1]) <= {batch}
    pixels, one_hot = shown(data)
    # The asked order where there is no shuffling; the same multitude in any case.
    expected = [(scale_pixels(images[r], SPEC).tobytes(), int(labels[r])) for r in rows]
    found = [(p.tobytes(), int(o.argmax())) for p, o in zip(pixels, one_hot, strict=True)]
    assert Counter(found) == Counter(expected)
    if shuffle_seed is None:
        assert found == expected
    np.testing.assert_array_equal(one_hot.sum(axis=1), 1.0)


def test_the_shuffle_seed_decides_the_order() -> None:
    from build_host.training.input_pipeline import batches

    images = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((1, 5, 6, 3), np.uint8)
    labels = np.zeros(50, np.int64)

    def order(seed: int | None) -> list[float]:
        data = batches(images, labels, np.arange(50), SPEC, 16, seed)
        return shown(data)[0][:, 0, 0, 0].tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != order(None)


@pytest.mark.parametrize(
    ("augmented", "taught"), [(False, False), (True, False), (True, True)], ids=str
)
def test_an_adjustment_stands_behind_the_target_of_its_image(augmented: bool, taught: bool) -> None:
    from build_host.training.augmentation import draw_parameters
    from build_host.training.input_pipeline import DistillationEpoch, batches

    spec = InputSpec(height=5, width=6, geometry="full-frame", scale=1.0)
    images = np.arange(0, 200, 10, np.uint8)[:, None, None, None] * np.ones((1, 5, 6, 3), np.uint8)
    labels = np.arange(20) % 7
    rows = np.random.default_rng(1).permutation(20)[:13]
    # Of each row: where it stands in `rows`, seven times over.
    adjustment = np.repeat(np.arange(13, dtype=np.float32)[:, None], 7, axis=1) - np.arange(
        7, dtype=np.float32
    )
    plain = AugmentationConfig(
        brightness=0.0, contrast=0.0, saturation=0.0, colour=0.0, cutout_probability=0.0, noise=0.0
    )
    soft = np.random.default_rng(2).dirichlet(np.ones(7), 13).astype(np.float32)
    epoch = DistillationEpoch(draw_parameters(plain, 13, [4]), soft) if taught else None
    data = batches(
        images, labels, rows, spec, 4, 3, plain if augmented else None, epoch,
        adjustment=adjustment,
    )  # fmt: skip
    pixels, given = shown(data)
    assert given.shape == (13, 14)
    assert given.dtype == np.float32
    order = np.round(pixels.mean(axis=(1, 2, 3)) / 10).astype(int)
    assert sorted(order) == sorted(rows)
    assert order.tolist() != rows.tolist()
    places = [rows.tolist().index(row) for row in order]
    np.testing.assert_array_equal(given[:, 7:], adjustment[places])
    np.testing.assert_array_equal(
        given[:, :7], soft[places] if taught else np.eye(7)[labels[order]]
    )


def test_mixed_pictures_are_given_the_mean_of_their_adjustments() -> None:
    from build_host.training.input_pipeline import batches

    spec = InputSpec(height=5, width=6, geometry="full-frame")
    images = np.zeros((8, 5, 6, 3), np.uint8)
    labels = np.zeros(8, np.int64)
    labels[::2] = 1
    # Each says which of the two diagnoses its image has.
    adjustment = np.eye(7, dtype=np.float32)[labels] * 3.0
    data = batches(
        images, labels, np.arange(8), spec, 8, 5, AugmentationConfig(), mixup=0.5,
        adjustment=adjustment,
    )  # fmt: skip
    _, given = shown(data)
    np.testing.assert_allclose(given[:, 7:], 3.0 * given[:, :7], atol=1e-6)
    assert ((given[:, 0] > 0.01) & (given[:, 1] > 0.01)).any()


@pytest.mark.parametrize("geometry", ["full-frame", "center-square"])
@pytest.mark.parametrize(("factor", "offset"), [(1 / 255, 0.0), (1 / 127.5, -1.0), (1.0, 0.0)])
def test_training_sees_the_very_bits_that_the_device_makes(
    ham10000: Path, tmp_path: Path, geometry: str, factor: float, offset: float
) -> None:
    from build_host.training.input_pipeline import batches

    spec = InputSpec(height=28, width=36, geometry=geometry, scale=factor, offset=offset)
    dataset = read_ham10000(ham10000).subset(np.array([0, 50, 100, 175]))
    images = resized_images(dataset, spec, tmp_path, quiet=True)
    pixels, one_hot = shown(batches(images, dataset.labels, np.arange(4), spec, 3))
    for seen, label, record in zip(pixels, one_hot, dataset.records, strict=True):
        path = next(ham10000.glob(f"*/{record.image_id}.jpg"))
        frame = frame_now(read_image(path), 0, "file")
        device = scale_pixels(resize_to_input(frame.pixels, spec), spec)
        assert seen.dtype == device.dtype == np.float32
        assert seen.tobytes() == device.tobytes()
        assert CODES[label.argmax()] == record.dx


class RecordingRuntime:
    """The installed runtime; keeps what its interpreters are given."""

    name = "recording"

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def load(self, model: bytes, threads: int) -> Interpreter:
        interpreter = installed_runtime().load(model, threads)
        set_tensor = interpreter.set_tensor

        def recorded(index: int, value: NDArray[Any]) -> None:
            self.given.append(value.tobytes())
            set_tensor(index, value)

        interpreter.set_tensor = recorded  # type: ignore[method-assign]
        return interpreter


def test_training_evaluation_and_instrument_agree_to_the_bit(
    ham10000: Path, tmp_path: Path, bundled: Stage, trusted_key: str
) -> None:
    from build_host.evaluation.inference import network_output
    from build_host.training.input_pipeline import batches

    bundle = load_bundle(bundled.folder, [trusted_key])
    manifest = bundle.manifest
    dataset = read_ham10000(ham10000).subset(np.array([1, 60, 120, 170]))
    images = resized_images(dataset, manifest.live.input, tmp_path, quiet=True)
    trained_on, _ = shown(batches(images, dataset.labels, np.arange(4), manifest.live.input, 2))
    runtime = RecordingRuntime()
    analyzer = Analyzer(bundle, runtime=runtime)
    network = Network(bundle, bundle.manifest.live, runtime=runtime)
    # What each network is tried with when it is opened.
    runtime.given.clear()

    for seen, record in zip(trained_on, dataset.records, strict=True):
        path = next(ham10000.glob(f"*/{record.image_id}.jpg"))
        in_training = quantize(seen, manifest.live.input_tensor).tobytes()
        # The instrument: a frame off a source.
        analyzer.analyze(frame_now(read_image(path), 0, "file"))
        assert runtime.given[-1] == in_training
        # Calibration and evaluation: a record of the dataset.
        network_output(network, manifest.live.input, dataset.read(record))
        assert runtime.given[-1] == in_training
        assert len(runtime.given) == 2
        runtime.given.clear()
        # In steps, by the public functions.
        made = quantize(
            scale_pixels(
                resize_to_input(read_image(path), manifest.live.input), manifest.live.input
            ),
            manifest.live.input_tensor,
        )
        assert made.tobytes() == in_training


def test_red_is_the_first_channel_all_the_way(tmp_path: Path) -> None:
    from build_host.training.input_pipeline import batches

    path = tmp_path / "red.jpg"
    Image.new("RGB", (60, 45), (255, 0, 0)).save(path, quality=100, subsampling=0)
    spec = InputSpec(height=8, width=8, geometry="full-frame")
    image = resize_to_input(read_image(path), spec)[None]
    pixels, _ = shown(batches(image, np.zeros(1, np.int64), np.zeros(1, np.int64), spec, 1))
    # JPEG turns pure red into (254, 0, 0).
    np.testing.assert_allclose(pixels[0], np.broadcast_to([1.0, 0.0, 0.0], (8, 8, 3)), atol=0.01)
