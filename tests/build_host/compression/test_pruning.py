import numpy as np
import pytest

from build_host.compression.config import PruningConfig, RewindingConfig

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def network():
    from build_host.keras import keras

    keras.utils.set_random_seed(1)
    image = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(32, activation="relu", name="second")(x)
    return keras.Model(image, keras.layers.Dense(7, name="logits")(x))


@pytest.fixture
def examples():
    random = np.random.default_rng(0)
    truth = np.eye(7, dtype=np.float32)[random.integers(0, 7, 64)]
    return random.random((64, 12, 12, 3), np.float32), truth


def fitted(model, examples, callbacks=(), epochs=4):
    from build_host.keras import keras

    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    model.fit(*examples, batch_size=16, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def test_pruning_reaches_its_sparsity_in_every_layer_and_leaves_the_original(
    network, examples
) -> None:
    from build_host.compression import pruning

    before = [w.copy() for w in network.get_weights()]
    config = PruningConfig(
        initial_sparsity=0.5, final_sparsity=0.9, begin_step=0, end_step=10, frequency=1
    )
    wrapped = fitted(pruning.prunable(network, config), examples, [pruning.pruning_callback()])
    shares = pruning.sparsity(pruning.stripped(wrapped))
    assert set(shares) == {"first", "second", "logits", "all"}
    assert all(share == pytest.approx(0.9, abs=0.02) for share in shares.values())
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_smallest_of_a_layer_become_zero_and_no_other_weight_changes(network, share) -> None:
    from build_host.compression.pruning import prune_smallest

    before = {layer.name: layer.get_weights() for layer in network.layers}
    prune_smallest(network.get_layer("second"), share)
    for layer in network.layers:
        if layer.name != "second":
            for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
                np.testing.assert_array_equal(old, new)
    old, new = before["second"][0], network.get_layer("second").get_weights()[0]
    gone = new == 0.0
    # The largest of each of the 32 channels stays.
    assert gone.sum() == min(round(share * old.size), old.size - 32)
    assert (~gone).any(axis=0).all()
    np.testing.assert_array_equal(new[~gone], old[~gone])
    if 0.0 < share < 1.0:
        assert np.abs(old[gone]).max() <= np.abs(old[~gone]).min()


def test_quantization_aware_training_keeps_zeros_only_where_asked(network, examples) -> None:
    from build_host.compression import pruning, quantization
    from device.imaging.preprocessing import InputSpec

    config = PruningConfig(
        initial_sparsity=0.5, final_sparsity=0.9, begin_step=0, end_step=10, frequency=1
    )
    wrapped = pruning.prunable(network, config)
    pruned = pruning.stripped(fitted(wrapped, examples, [pruning.pruning_callback()]))
    spec = InputSpec(height=12, width=12, geometry="full-frame")
    images = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3)).astype(np.uint8)
    zeros = {}
    for keep in (True, False):
        aware = fitted(quantization.quantization_aware(pruned, preserve_sparsity=keep), examples)
        zeros[keep] = largest_kernel_zeros(quantization.to_int8(aware, images, spec))
    assert zeros[True] > 0.85
    assert zeros[False] < zeros[True] - 0.2


def largest_kernel_zeros(model: bytes) -> float:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    details = [d for d in interpreter.get_tensor_details() if d["dtype"] == np.int8]
    kernels = []
    for d in details:
        try:
            kernels.append(interpreter.get_tensor(d["index"]))
        except ValueError:  # an activation has no value yet
            continue
    weights = max((k for k in kernels if k.ndim == 2), key=lambda k: k.size)
    return float((weights == weights.flat[np.argmin(np.abs(weights))]).mean())


def test_clusters_share_values_and_zeros_stay(network, examples) -> None:
    from build_host.compression import clustering, pruning

    masks = pruning.prune_masks(
        network, [np.ones(k.shape, bool) for k in pruning.kernels(network)], 0.5
    )
    for kernel, mask in zip(pruning.kernels(network), masks, strict=True):
        kernel.assign(kernel * mask)
    wrapped = fitted(clustering.clustered(network, 4, preserve_sparsity=True), examples)
    result = clustering.stripped(wrapped)
    for kernel in pruning.kernels(result):
        values = kernel.numpy()
        if values.size >= 200:
            assert len(np.unique(values)) <= 5
            assert (values == 0).mean() >= 0.45


def test_masks_hold_weights_at_zero_through_training(network, examples) -> None:
    from build_host.compression import pruning

    whole = [np.ones(k.shape, bool) for k in pruning.kernels(network)]
    masks = pruning.prune_masks(network, whole, 0.25)
    for mask in masks:
        assert mask.mean() == pytest.approx(0.25, abs=0.01)
    kept = [
        np.abs(k.numpy())[m].min() for k, m in zip(pruning.kernels(network), masks, strict=True)
    ]
    gone = [
        np.abs(k.numpy())[~m].max() for k, m in zip(pruning.kernels(network), masks, strict=True)
    ]
    assert all(a >= b for a, b in zip(kept, gone, strict=True))
    fitted(network, examples, [pruning.PruningMasks(network, masks)])
    for kernel, mask in zip(pruning.kernels(network), masks, strict=True):
        assert not kernel.numpy()[~mask].any()
        assert kernel.numpy()[mask].all()


def test_what_is_removed_stays_removed_in_the_next_round(network) -> None:
    from build_host.compression import pruning

    masks = [np.ones(k.shape, bool) for k in pruning.kernels(network)]
    config = RewindingConfig(rounds=3, final_sparsity=0.9)
    for number in (1, 2, 3):
        share = pruning.share_kept(config, number)
        smaller = pruning.prune_masks(network, masks, share)
        assert all((old | ~new).all() for old, new in zip(masks, smaller, strict=True))
        masks = smaller
    assert pruning.share_kept(config, 3) == pytest.approx(0.1)
    assert pruning.share_kept(config, 1) == pytest.approx(0.1 ** (1 / 3))
