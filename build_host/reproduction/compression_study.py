"""Section 3.4: every way of making the base network smaller, each file measured as it is."""

import gzip
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from build_host.bundle.draft import draft, provenance
from build_host.calibration.fits import NO_LIMITS
from build_host.compression import clustering, pruning, quantization
from build_host.evaluation.metrics import (
    METRICS,
    Metric,
    balanced_accuracy,
    with_intervals,
)
from build_host.evaluation.tflite_file import Sizes, latency_ratio, logits_of, sizes, softmax
from build_host.keras import keras
from build_host.reproduction.context import Context
from build_host.reproduction.results import Artefact
from build_host.training.architectures import paper_network
from build_host.training.config import FitConfig
from build_host.training.fit import fit
from device.inference.bundle import Bundle

_FIGURES: Final = ("accuracy", "balanced_accuracy", "macro_auc", "malignant_auc")


def melanoma_recall(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the share of melanomas that are called melanoma."""
    from device.diagnoses import CODES

    mel = CODES.index("mel")
    return float((probabilities[labels == mel].argmax(axis=1) == mel).mean())


TABLE_METRICS: Final[dict[str, Metric]] = {
    **{name: METRICS[name] for name in _FIGURES},
    "melanoma_recall": melanoma_recall,
}


@dataclass(frozen=True)
class Models:
    """The fitted networks that the files are made from."""

    base: Any
    dense_control: Any
    pruned: Any
    pruned_aware: Any
    clustered: Any
    pruned_clustered: Any
    rewound: Any


def base(context: Context) -> Any:
    """Return the base network, fitted."""
    return _fitted(context, "base", context.config.fit, _network)


def models(context: Context, base_model: Any) -> Models:
    """Return every compressed network, fitted or read from where an earlier run left it."""
    config = context.config
    long = msgspec.structs.replace(
        config.fine_tune, epochs=_epochs_of_pruning(context), keep="last"
    )
    short = config.adapt
    pruned = _fitted(
        context, "pruned", long,
        lambda: pruning.prunable(base_model, config.pruning),
        pruning.stripped, [pruning.pruning_callback()],
    )  # fmt: skip
    return Models(
        base=base_model,
        dense_control=_fitted(
            context, "dense-control", long, lambda: pruning.copy_of(base_model)
        ),
        pruned=pruned,
        pruned_aware=_fitted(
            context, "pruned-aware", short,
            lambda: quantization.quantization_aware(pruned, keep_zeros=True),
        ),
        clustered=_fitted(
            context, "clustered", short,
            lambda: clustering.clustered(base_model, config.clusters, keep_zeros=False),
            clustering.stripped,
        ),
        pruned_clustered=_fitted(
            context, "pruned-clustered", short,
            lambda: clustering.clustered(pruned, config.clusters, keep_zeros=True),
            clustering.stripped,
        ),
        rewound=_rewound(context),
    )  # fmt: skip


def work(context: Context, shown: int) -> dict[str, float]:
    """Return how much each training is, in images shown to the paper's network."""
    config = context.config
    long, short = _epochs_of_pruning(context), config.adapt.epochs
    rewinding = config.rewinding
    rounds = rewinding.rewind_epochs + rewinding.rounds * rewinding.epochs + config.fit.epochs
    return {
        "base": config.fit.epochs * shown,
        "compression": shown * (2.2 * long + 8 * short + rounds),
    }


def _epochs_of_pruning(context: Context) -> int:
    """Return how many epochs the schedule and the recovery after it last."""
    from build_host.training.input_pipeline import shown_indices, steps_per_epoch

    config = context.config
    labels = context.dataset.labels
    shown = shown_indices(config.fine_tune, labels, context.split.train, config.seed)
    steps = steps_per_epoch(config.fine_tune, len(shown))
    return -(-(config.pruning.end + config.pruning.recovery) // steps)


def _network() -> Any:
    return paper_network((28, 28, 3))


def _fitted(
    context: Context,
    stage: str,
    settings: FitConfig,
    make: Callable[[], Any],
    finish: Callable[[Any], Any] = lambda model: model,
    callbacks: list[Any] | None = None,
) -> Any:
    """Return a network fitted in a stage's folder, going on where it was stopped."""
    keras.utils.set_random_seed(context.config.seed)
    model = make()
    folder = context.folder(stage)
    fit(
        context.run(settings),
        model,
        context.examples(settings),
        folder,
        context.console,
        callbacks or [],
    )
    return finish(model)


def _rewound(context: Context) -> Any:
    """Return the network pruned round by round, its weights rewound before each."""
    config = context.config
    rewinding = config.rewinding
    start = context.folder("rewinding/start")
    # At a steady rate: what the weights return to is a beginning, not a finished network.
    early = msgspec.structs.replace(
        config.fit, epochs=rewinding.rewind_epochs, keep="last", schedule="plateau"
    )
    keras.utils.set_random_seed(config.seed)
    model = _network()
    fit(context.run(early), model, context.examples(early), start, context.console)
    initial = model.get_weights()
    whole = msgspec.structs.replace(config.fit, epochs=rewinding.epochs, keep="last")
    masks = [np.ones(k.shape, bool) for k in pruning.kernels(model)]
    for number in range(rewinding.rounds + 1):
        folder = context.folder(f"rewinding/round-{number}")
        model.set_weights(initial)
        for kernel, mask in zip(pruning.kernels(model), masks, strict=True):
            kernel.assign(kernel * mask)
        last = number == rewinding.rounds
        settings = config.fit if last else whole
        holder = pruning.Masks(model, masks)
        fit(
            context.run(settings), model, context.examples(settings), folder, context.console,
            [holder],
        )  # fmt: skip
        if not last:
            share = pruning.round_share(rewinding, number + 1)
            masks = pruning.smallest_removed(model, masks, share)
    return model


def artefacts(context: Context, fitted: Models) -> list[Artefact]:
    """Write every file and measure it; the order is the table's."""
    folder = context.folder("files")
    images = context.examples(context.config.fit).images
    random = np.random.default_rng(context.config.seed)
    chosen = np.sort(random.permutation(context.split.train)[: context.config.representative])
    representative = np.asarray(images[chosen])
    spec = context.config.input

    def int8(model: Any) -> bytes:
        return quantization.to_int8(model, representative, spec)

    plan: list[tuple[str, str, Any, Callable[[Any], bytes]]] = [
        ("base", "float32", fitted.base, quantization.to_float32),
        ("base", "float16", fitted.base, quantization.to_float16),
        ("base", "dynamic range", fitted.base, quantization.to_dynamic_range),
        ("base", "int8", fitted.base, int8),
        ("dense control", "float32", fitted.dense_control, quantization.to_float32),
        ("dense control", "int8", fitted.dense_control, int8),
        ("pruned", "float32", fitted.pruned, quantization.to_float32),
        ("pruned", "float16", fitted.pruned, quantization.to_float16),
        ("pruned", "int8", fitted.pruned, int8),
        ("pruned, quantization-aware", "int8", fitted.pruned_aware, int8),
        ("clustered", "float32", fitted.clustered, quantization.to_float32),
        ("clustered", "int8", fitted.clustered, int8),
        ("pruned, clustered", "float32", fitted.pruned_clustered, quantization.to_float32),
        ("pruned, clustered", "int8", fitted.pruned_clustered, int8),
        ("rewound", "float32", fitted.rewound, quantization.to_float32),
        ("rewound", "int8", fitted.rewound, int8),
    ]
    files: dict[tuple[str, str], bytes] = {}
    for name, kind, model, convert in plan:
        path = folder / f"{name} {kind}.tflite".replace(", ", "-").replace(" ", "-")
        context.console.print(f"{name}, {kind}")
        if not path.is_file():
            part = path.with_suffix(".part")
            part.write_bytes(convert(model))
            part.replace(path)
        files[name, kind] = path.read_bytes()
    measurer = Measurer(context, files["base", "float32"])
    # A network wrapped for quantization-aware training holds its kernels one layer deeper.
    zeros = {
        id(model): {} if model is fitted.pruned_aware else pruning.sparsity(model)
        for _, _, model, _ in plan
    }
    zeros[id(fitted.pruned_aware)] = zeros[id(fitted.pruned)]
    rows = [
        measurer.measure(name, kind, files[name, kind], zeros[id(model)])
        for name, kind, model, _ in plan
    ]
    with_optimizer = _h5(context, "base-with-optimizer", fitted.base, optimizer=True)
    without = _h5(context, "pruned", fitted.pruned, optimizer=False)
    found = {(r.name, r.kind): r for r in rows}
    keras_rows = [
        _as_keras_file("base", "h5 with optimizer", with_optimizer, found["base", "float32"]),
        _as_keras_file("pruned", "h5", without, found["pruned", "float32"]),
    ]
    return against_base([keras_rows[0], *rows[:6], keras_rows[1], *rows[6:]])


class Measurer:
    """Measures files on the validation and the test fold, against the base network's float file."""

    def __init__(self, context: Context, reference: bytes) -> None:
        self._context = context
        self._images = context.examples(context.config.fit).images
        self._reference = self._bundle(reference)

    def measure(self, name: str, kind: str, content: bytes, zeros: dict[str, float]) -> Artefact:
        """Return one row of the table."""
        bundle = self._bundle(content)
        split = self._context.split
        validation = softmax(logits_of(bundle, self._images, split.validation))
        test = softmax(logits_of(bundle, self._images, split.test))
        pixels = np.asarray(self._images[split.test[0]])
        return self.row(
            name, kind, sizes(content), validation, test, zeros,
            latency_ratio(bundle, self._reference, pixels),
        )  # fmt: skip

    def row(
        self,
        name: str,
        kind: str,
        size: Sizes,
        validation: NDArray[np.float64],
        test: NDArray[np.float64],
        zeros: dict[str, float],
        ratio: float,
    ) -> Artefact:
        """Return one row from predictions on the two folds."""
        dataset, split = self._context.dataset, self._context.split
        labels, lesions = dataset.labels, dataset.lesions
        return Artefact(
            name=name,
            kind=kind,
            size=size,
            figures=with_intervals(
                labels[split.test],
                test,
                lesions[split.test],
                TABLE_METRICS,
                self._context.config.resamples,
            ),
            validation_balanced_accuracy=balanced_accuracy(labels[split.validation], validation),
            efficiency=0.0,
            accuracy_loss=0.0,
            size_reduction=0.0,
            sparsity=zeros,
            latency_ratio=ratio,
        )

    def _bundle(self, content: bytes) -> Bundle:
        config = self._context.config
        origin = provenance(self._context.dataset, config.seed, config.digest)
        return draft(
            config.name, config.version, config.input, config.saliency, content, NO_LIMITS, origin
        )


def against_base(rows: list[Artefact]) -> list[Artefact]:
    """Return rows with what they lose and save against the first of them."""
    first = rows[0]
    whole = first.figures["accuracy"].value
    result = []
    for row in rows:
        accuracy = row.figures["accuracy"].value
        result.append(
            msgspec.structs.replace(
                row,
                efficiency=accuracy / (row.size.bytes / 2**20),
                accuracy_loss=whole - accuracy,
                size_reduction=1.0 - row.size.bytes / first.size.bytes,
            )
        )
    return result


def smallest_as_good(rows: list[Artefact], points: float = 0.01) -> Artefact:
    """Return the smallest int8 file whose balanced accuracy is within a point of the base's.

    Judged on the validation fold, so that the test fold decides nothing.
    """
    base_row = next(r for r in rows if (r.name, r.kind) == ("base", "float32"))
    floor = base_row.validation_balanced_accuracy - points
    good = [r for r in rows if r.kind == "int8" and r.validation_balanced_accuracy >= floor]
    return min(good or [base_row], key=lambda r: r.size.gzip_bytes)


def file_of(context: Context, row: Artefact) -> bytes:
    """Return the bytes of a row's ``.tflite`` file."""
    name = f"{row.name} {row.kind}.tflite".replace(", ", "-").replace(" ", "-")
    return (context.folder("files") / name).read_bytes()


def _h5(context: Context, name: str, model: Any, optimizer: bool) -> bytes:
    path: Path = context.folder("files") / f"{name}.h5"
    if not path.is_file():
        saved = pruning.copy_of(model)
        if optimizer:
            adam = keras.optimizers.Adam()
            adam.build(saved.trainable_variables)
            saved.compile(adam, keras.losses.CategoricalCrossentropy(from_logits=True))
        with warnings.catch_warnings():
            # The paper's own format; Keras has a newer one.
            warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
            saved.save(path, include_optimizer=optimizer)
    return path.read_bytes()


def _as_keras_file(name: str, kind: str, content: bytes, measured: Artefact) -> Artefact:
    """Return the row of a file that LiteRT cannot run: its size, and the figures of its twin."""
    return msgspec.structs.replace(
        measured,
        name=name,
        kind=kind,
        size=Sizes(len(content), len(gzip.compress(content, 9, mtime=0))),
        latency_ratio=0.0,
        measured_on=f"{measured.name}, {measured.kind}",
    )
