"""Section 3.4: every way of making the base network smaller, each file measured by itself."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from build_host.compression import clustering, pruning, quantization
from build_host.evaluation.tflite_file import file_size
from build_host.files import replacing, write_file
from build_host.keras import keras
from build_host.reproduction.context import Context
from build_host.reproduction.measurement import Measurer, relative_to_first
from build_host.reproduction.networks import build_seeded_network
from build_host.reproduction.results import MeasuredFile
from build_host.training.config import FitConfig
from build_host.training.fit import fit
from build_host.training.input_pipeline import epoch_indices, steps_per_epoch


@dataclass(frozen=True)
class Networks:
    """The trained networks that the files are made from."""

    base: Any
    dense_control: Any
    pruned: Any
    pruned_aware: Any
    clustered: Any
    pruned_clustered: Any
    rewound: Any


def train_base(context: Context) -> Any:
    """Return the base network, trained."""
    return _trained(context, "base", context.config.fit, lambda: build_seeded_network(context))


def train_compressed(context: Context, base: Any) -> Networks:
    """Return every compressed network, trained or read from where an earlier run left it."""
    config = context.config
    long = msgspec.structs.replace(config.fine_tune, epochs=_pruning_epochs(context), keep="last")
    short = config.short_fine_tune
    pruned = _trained(
        context, "pruned", long,
        lambda: pruning.prunable(base, config.pruning),
        pruning.stripped, [pruning.pruning_callback()],
    )  # fmt: skip
    return Networks(
        base=base,
        dense_control=_trained(context, "dense-control", long, lambda: pruning.copy_model(base)),
        pruned=pruned,
        pruned_aware=_trained(
            context, "pruned-aware", short,
            lambda: quantization.quantization_aware(pruned, preserve_sparsity=True),
        ),
        clustered=_trained(
            context, "clustered", short,
            lambda: clustering.clustered(base, config.clusters, preserve_sparsity=False),
            clustering.stripped,
        ),
        pruned_clustered=_trained(
            context, "pruned-clustered", short,
            lambda: clustering.clustered(pruned, config.clusters, preserve_sparsity=True),
            clustering.stripped,
        ),
        rewound=_rewound(context),
    )  # fmt: skip


def work(context: Context, images: int) -> dict[str, float]:
    """Return the work of each training, in images that the paper's network is trained on.

    Parameters
    ----------
    images
        Of one epoch.
    """
    config = context.config
    long, short = _pruning_epochs(context), config.short_fine_tune.epochs
    rewinding = config.rewinding
    rounds = rewinding.rewind_epochs + rewinding.rounds * rewinding.epochs + config.fit.epochs
    return {
        "base": config.fit.epochs * images,
        "compression": images * (2.2 * long + 8 * short + rounds),
    }


def _pruning_epochs(context: Context) -> int:
    """Return how many epochs the pruning schedule and the recovery after it last."""
    config = context.config
    labels = context.dataset.labels
    indices = epoch_indices(config.fine_tune, labels, context.split.train, config.seed)
    steps = steps_per_epoch(config.fine_tune, len(indices))
    return -(-(config.pruning.end_step + config.pruning.recovery_steps) // steps)


def _trained(
    context: Context,
    stage: str,
    settings: FitConfig,
    build: Callable[[], Any],
    finish: Callable[[Any], Any] = lambda model: model,
    callbacks: list[Any] | None = None,
) -> Any:
    """Return a network trained in a stage's folder, resuming where it was stopped."""
    keras.utils.set_random_seed(context.config.seed)
    model = build()
    fit(
        context.run_config(settings),
        model,
        context.examples(settings),
        context.training_folder(stage),
        context.console,
        callbacks or [],
    )
    return finish(model)


def _rewound(context: Context) -> Any:
    """Return the network pruned round by round, its weights rewound before each."""
    config = context.config
    rewinding = config.rewinding
    # At a constant rate: the weights are rewound to an early state, not to a finished network.
    early = msgspec.structs.replace(
        config.fit, epochs=rewinding.rewind_epochs, keep="last", schedule="plateau"
    )
    model = build_seeded_network(context)
    fit(
        context.run_config(early),
        model,
        context.examples(early),
        context.training_folder("rewinding/start"),
        context.console,
    )
    initial = model.get_weights()
    pruning_round = msgspec.structs.replace(config.fit, epochs=rewinding.epochs, keep="last")
    masks = [np.ones(k.shape, bool) for k in pruning.kernels(model)]
    for number in range(rewinding.rounds + 1):
        model.set_weights(initial)
        for kernel, mask in zip(pruning.kernels(model), masks, strict=True):
            kernel.assign(kernel * mask)
        last = number == rewinding.rounds
        settings = config.fit if last else pruning_round
        fit(
            context.run_config(settings),
            model,
            context.examples(settings),
            context.training_folder(f"rewinding/round-{number}"),
            context.console,
            [pruning.PruningMasks(model, masks)],
        )
        if not last:
            share = pruning.share_kept(rewinding, number + 1)
            masks = pruning.prune_masks(model, masks, share)
    return model


def measure_files(context: Context, networks: Networks) -> list[MeasuredFile]:
    """Write every file and measure it; the order is the table's."""
    images = context.examples(context.config.fit).images
    random = np.random.default_rng(context.config.seed)
    chosen = np.sort(random.permutation(context.split.train)[: context.config.representative])
    representative = np.asarray(images[chosen])
    spec = context.config.input

    def to_int8(model: Any) -> bytes:
        return quantization.to_int8(model, representative, spec)

    plan: list[tuple[str, str, Any, Callable[[Any], bytes]]] = [
        ("base", "float32", networks.base, quantization.to_float32),
        ("base", "float16", networks.base, quantization.to_float16),
        ("base", "dynamic range", networks.base, quantization.to_dynamic_range),
        ("base", "int8", networks.base, to_int8),
        ("dense control", "float32", networks.dense_control, quantization.to_float32),
        ("dense control", "int8", networks.dense_control, to_int8),
        ("pruned", "float32", networks.pruned, quantization.to_float32),
        ("pruned", "float16", networks.pruned, quantization.to_float16),
        ("pruned", "int8", networks.pruned, to_int8),
        ("pruned, quantization-aware", "int8", networks.pruned_aware, to_int8),
        ("clustered", "float32", networks.clustered, quantization.to_float32),
        ("clustered", "int8", networks.clustered, to_int8),
        ("pruned, clustered", "float32", networks.pruned_clustered, quantization.to_float32),
        ("pruned, clustered", "int8", networks.pruned_clustered, to_int8),
        ("rewound", "float32", networks.rewound, quantization.to_float32),
        ("rewound", "int8", networks.rewound, to_int8),
    ]
    files: dict[tuple[str, str], bytes] = {}
    for name, kind, model, convert in plan:
        path = context.tflite_file(name, kind)
        context.console.print(f"{name}, {kind}")
        if not path.is_file():
            write_file(path, convert(model))
        files[name, kind] = path.read_bytes()
    measurer = Measurer(context, files["base", "float32"])
    # Quantization-aware training wraps a network's layers, and sparsity does not look inside.
    sparsity = {
        id(model): {} if model is networks.pruned_aware else pruning.sparsity(model)
        for _, _, model, _ in plan
    }
    sparsity[id(networks.pruned_aware)] = sparsity[id(networks.pruned)]
    rows = [
        measurer.measure(name, kind, files[name, kind], sparsity[id(model)])
        for name, kind, model, _ in plan
    ]
    with_optimizer = _keras_file(context, "base-with-optimizer", networks.base, optimizer=True)
    without = _keras_file(context, "pruned", networks.pruned, optimizer=False)
    found = {(r.name, r.kind): r for r in rows}
    keras_rows = [
        _keras_row("base", "h5 with optimizer", with_optimizer, found["base", "float32"]),
        _keras_row("pruned", "h5", without, found["pruned", "float32"]),
    ]
    return relative_to_first([keras_rows[0], *rows[:6], keras_rows[1], *rows[6:]])


def _keras_file(context: Context, name: str, model: Any, optimizer: bool) -> bytes:
    path = context.keras_file(name)
    if not path.is_file():
        saved = pruning.copy_model(model)
        if optimizer:
            adam = keras.optimizers.Adam()
            adam.build(saved.trainable_variables)
            saved.compile(adam, keras.losses.CategoricalCrossentropy(from_logits=True))
        with warnings.catch_warnings(), replacing(path) as part:
            # The paper's own format; Keras has a newer one.
            warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
            saved.save(part, include_optimizer=optimizer)
    return path.read_bytes()


def _keras_row(name: str, kind: str, content: bytes, twin: MeasuredFile) -> MeasuredFile:
    """Return the row of a file that LiteRT cannot run: its size, and the figures of its twin."""
    return msgspec.structs.replace(
        twin,
        name=name,
        kind=kind,
        size=file_size(content),
        latency_ratio=0.0,
        measured_on=f"{twin.name}, {twin.kind}",
    )
