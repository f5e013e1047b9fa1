"""``dermascope-build reproduce``: every stage in turn, then the report and the bundle's run."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.bundling.drafting import calibrated, draft, provenance
from build_host.bundling.releasing import REPRODUCTION_FILE
from build_host.datasets.collection import Collection, ImageRecord
from build_host.datasets.split import Split, oversample_then_split, split_by_image
from build_host.datasets.tensors import read_examples, resized_images
from build_host.evaluation.artefact import logits_of, sizes, softmax
from build_host.evaluation.assessing import assess_first
from build_host.evaluation.metrics import METRICS, confusion, per_class, with_intervals
from build_host.reproduction import image_steps, peers
from build_host.reproduction.config import ReproductionConfig
from build_host.reproduction.pipeline import Context, once, open_context, timed
from build_host.reproduction.results import (
    Artefact,
    DataSummary,
    ImageStepEffect,
    ImageSteps,
    Oversampling,
    ProtocolResult,
    Results,
)
from build_host.results import write_result
from build_host.runs import DRAFT_FILE, leave_draft
from build_host.stages import measured_limits
from build_host.training.config import FitConfig
from build_host.training.history import read_history
from device.diagnoses import CODES
from device.models.bundle import METRICS_FILE, MODEL_FILE, Bundle

REPORT_FILE: Final = "report.html"
RUN_FOLDER: Final = "bundle"

_DETERMINISTIC: Final = (
    "Splits, oversampling, augmentation, initial weights and every drawn number follow from the "
    "seed. On one machine, with one number of threads, two runs give the same bytes as long as "
    "TensorFlow's threads share their work alike (a test trains twice and compares). In two full "
    "runs on one busy machine the base and its pruned and clustered files came out alike to the "
    "last digit shown; the oversampled protocol was 0.2 points apart, the dense control 0.5 and "
    "the small peers up to 4. Another processor or number of threads adds up in another order. "
    "Latency is measured anew in every run."
)


def reproduce(config: ReproductionConfig, data: Path, out: Path, console: Console) -> Path:
    """Run every stage that is not done yet, and return the folder with the report.

    Raises
    ------
    device.errors.DataError
        If the data is not whole or the disk has no room, before anything is computed.
    """
    context = open_context(config, data, out, console)
    results_path = context.out / METRICS_FILE
    bundle = context.out / RUN_FOLDER
    ends = (results_path, context.out / REPORT_FILE, bundle / DRAFT_FILE, bundle / MODEL_FILE)
    if all(path.is_file() for path in ends):
        console.print("Nothing to do: this configuration is finished.")
        return context.out
    shown = _oversampled(context)
    left = _Work(context, len(shown))

    def stage(title: str, name: str) -> Any:
        return timed(context, title, left.of(name), left.after(name))

    with stage("Data", "data"):
        data_summary = once(context, "data", DataSummary, lambda _: summarize(context.collection))
        oversampling = _oversampling(context, shown)
    with stage("Image steps", "image-steps"):
        steps = once(context, "image-steps", ImageSteps, lambda _: _image_steps(context))
    with stage("Three protocols", "protocols"):
        protocols = [
            once(context, f"protocol-{name}", ProtocolResult, _protocol(context, name))
            for name in PROTOCOLS
        ]
    from build_host.reproduction import compressing

    with stage("Base network", "base"):
        base = compressing.base(context)
    with stage("Compression", "compression"):
        # Networks are read back only where a file of theirs is still to be made or measured.
        rows = once(
            context,
            "compression",
            list[Artefact],
            lambda _: compressing.artefacts(context, compressing.models(context, base)),
        )
    with stage("Peers", "peers"):
        peer_rows = once(context, "peers", list[Artefact], lambda _: _peers(context))
    # A peer is another network; what ships is the paper's own.
    chosen = compressing.smallest_as_good(rows)
    rows = compressing.against_base([*rows, *peer_rows])
    with stage("Results", "results"):
        probabilities = _base_probabilities(context)
        labels = context.collection.labels[context.split.test]
        lesions = context.collection.lesions[context.split.test]
        results = Results(
            source="Cabrejos-Yalán & Rodriguez 2024, doi:10.18280/mmep.111112",
            run=config.digest,
            seed=config.seed,
            data=data_summary,
            oversampling=oversampling,
            image_steps=steps,
            protocols=protocols,
            base_history=read_history(context.folder("base")),
            base_figures=with_intervals(labels, probabilities, lesions, resamples=config.resamples),
            base_per_class=per_class(labels, probabilities, lesions, config.resamples),
            base_confusion=confusion(labels, probabilities),
            artefacts=rows,
            chosen=f"{chosen.name}, {chosen.kind}",
            deterministic=_DETERMINISTIC,
        )
        _write_run(context, results, compressing.file_of(context, chosen))
        from build_host.reproduction.report import write_report

        write_report(context, results, labels, probabilities)
        write_result(results_path, results)
    return context.out


class _Work:
    """How much each stage is, in images shown to the paper's network."""

    def __init__(self, context: Context, shown: int) -> None:
        from build_host.reproduction import compressing

        config = context.config
        steps = 1.0 + len(config.image_steps)
        self._parts = {
            "data": 0.0,
            "image-steps": steps * config.image_steps_fit.epochs * shown,
            "protocols": 3.7 * config.protocol_fit.epochs * shown,
            **compressing.work(context, shown),
            "peers": 2.0 * config.peer_fit.epochs * shown,
            "results": 0.0,
        }

    def of(self, stage: str) -> float:
        return self._parts[stage]

    def after(self, stage: str) -> float:
        names = list(self._parts)
        return sum(self._parts[n] for n in names[names.index(stage) + 1 :])


def summarize(collection: Collection) -> DataSummary:
    """Return what is in a data set: counts, what is missing, lesions with several images."""
    records = collection.records
    lesions = Counter(r.lesion_id for r in records)
    columns: dict[str, Any] = {
        "dx": lambda r: r.dx,
        "dx_type": lambda r: r.dx_type or "unknown",
        "age": lambda r: "unknown" if r.age is None else f"{r.age:g}",
        "sex": lambda r: r.sex,
        "localization": lambda r: r.localization,
    }
    counts = {
        name: dict(Counter(of(r) for r in records).most_common()) for name, of in columns.items()
    }
    repeated = [n for n in lesions.values() if n > 1]
    return DataSummary(
        images=len(records),
        lesions=len(lesions),
        lesions_with_repeats=len(repeated),
        images_of_repeated_lesions=sum(repeated),
        counts=counts,
        missing={name: groups.get("unknown", 0) for name, groups in counts.items()},
    )


def _oversampled(context: Context) -> NDArray[np.int64]:
    from build_host.training.feed import shown_indices

    labels = context.collection.labels
    settings = context.config.protocol_fit
    return shown_indices(settings, labels, context.split.train, context.config.seed)


def _oversampling(context: Context, shown: NDArray[np.int64]) -> Oversampling:
    labels = context.collection.labels
    before = np.bincount(labels[context.split.train], minlength=len(CODES))
    after = np.bincount(labels[shown], minlength=len(CODES))
    return Oversampling(
        before=dict(zip(CODES, map(int, before), strict=True)),
        after=dict(zip(CODES, map(int, after), strict=True)),
    )


def _train(
    context: Context,
    folder: Path,
    model: Any,
    settings: FitConfig,
    collection: Collection,
    split: Split,
) -> Any:
    """Fit a network on a collection and return it."""
    from build_host.training.fitting import fit

    spec = context.config.input
    examples = read_examples(collection, split, spec, settings.frame_size, context.cache)
    fit(context.run(settings), model, examples, folder, context.console)
    return model


def _predicted(
    context: Context, model: Any, images: NDArray[np.uint8], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what a fitted network says of some images through its own float file and LiteRT."""
    from build_host.compression.quantization import to_float32

    return softmax(logits_of(_bundle(context, to_float32(model)), images, rows))


def _bundle(context: Context, content: bytes) -> Bundle:
    from build_host.evaluation.calibrating import NO_LIMITS

    config = context.config
    origin = provenance(context.collection, config.seed, config.digest)
    return draft(
        config.name, config.version, config.input, config.saliency, content, NO_LIMITS, origin
    )


def _new_network(context: Context) -> Any:
    from build_host.keras import keras
    from build_host.training.architectures import paper_network

    keras.utils.set_random_seed(context.config.seed)
    return paper_network((context.config.input.height, context.config.input.width, 3))


def _image_steps(context: Context) -> ImageSteps:
    looked_at = context.collection.subset(context.split.train[:2000])
    clean = image_steps.cleanest(looked_at, context.config.references)
    effects = []
    labels, lesions = context.collection.labels, context.collection.lesions
    validation = context.split.validation
    for name in ("none", *context.config.image_steps):
        stepped = _stepped(context.collection, name, image_steps.STEPS[name])
        folder = context.folder(f"image-steps/{name.replace(' ', '-')}")
        settings = context.config.image_steps_fit
        model = _train(context, folder, _new_network(context), settings, stepped, context.split)
        images = resized_images(stepped, context.config.input, context.cache)
        figures = with_intervals(
            labels[validation],
            _predicted(context, model, images, validation),
            lesions[validation],
            {name: METRICS[name] for name in ("accuracy", "balanced_accuracy")},
            context.config.resamples,
        )
        effects.append(ImageStepEffect(step=name, **figures))
    return ImageSteps(image_steps.restorations(clean, context.config.seed), effects)


def _stepped(collection: Collection, name: str, step: image_steps.Step) -> Collection:
    """Return a collection whose images have gone through an image step."""

    def read(record: ImageRecord) -> NDArray[np.uint8]:
        return step(collection.read(record))

    return Collection(f"{collection.name}, {name}", collection.records, read)


PROTOCOLS: Final = ("oversample-then-split", "split-by-image", "lesion-disjoint")


def _protocol(context: Context, name: str) -> Any:
    def make(folder: Path) -> ProtocolResult:
        collection, seed = context.collection, context.config.seed
        settings = context.config.protocol_fit
        if name == "oversample-then-split":
            split = oversample_then_split(collection, seed)
            settings = msgspec.structs.replace(settings, balance="none")
        elif name == "split-by-image":
            split = split_by_image(collection, seed)
        else:
            split = context.split
        model = _train(context, folder, _new_network(context), settings, collection, split)
        images = context.examples(settings, split).images
        labels, lesions = collection.labels, collection.lesions
        probabilities = _predicted(context, model, images, split.test)
        names = ("accuracy", "balanced_accuracy", "macro_auc", "malignant_auc", "f1_weighted")
        seen = set(split.train.tolist())
        seen_lesions = set(lesions[split.train])
        return ProtocolResult(
            protocol=name,
            training_images=len(split.train),
            test_images=len(split.test),
            test_images_seen_in_training=sum(int(i) in seen for i in split.test),
            test_lesions_seen_in_training=sum(lesions[i] in seen_lesions for i in split.test),
            figures=with_intervals(
                labels[split.test],
                probabilities,
                lesions[split.test],
                {n: METRICS[n] for n in names},
                context.config.resamples,
            ),
            history=read_history(folder),
        )

    return make


def _peers(context: Context) -> list[Artefact]:
    import joblib

    from build_host.compression.quantization import to_int8
    from build_host.keras import keras
    from build_host.reproduction.compressing import Measurer

    config, split, collection = context.config, context.split, context.collection
    spec = config.input
    reference = (context.folder("files") / "base-float32.tflite").read_bytes()
    measurer = Measurer(context, reference)
    folder = context.folder("peers")
    cached = folder / "features.npy"
    if not cached.is_file():
        np.save(cached, peers.hand_made_features(collection))
    features = np.load(cached)
    machine = peers.fit_classical(
        features[split.train], collection.labels[split.train], config.seed
    )
    machine_path = folder / "classical.joblib"
    joblib.dump(machine, machine_path)
    rows = [
        measurer.row(
            "classical: ABCD and texture, SVM",
            "scikit-learn",
            sizes(machine_path.read_bytes()),
            peers.classical_probabilities(machine, features[split.validation]),
            peers.classical_probabilities(machine, features[split.test]),
            {},
            0.0,
        )
    ]
    images = context.examples(config.fit).images
    chosen = np.sort(np.random.default_rng(config.seed).permutation(split.train))
    representative = np.asarray(images[chosen[: config.representative]])
    shape = (spec.height, spec.width, 3)
    keras.utils.set_random_seed(config.seed)
    alexnet = _train(
        context, context.folder("peers/light-alexnet"), peers.light_alexnet(shape),
        config.peer_fit, collection, split,
    )  # fmt: skip
    members = [
        _train(
            context, context.folder(f"peers/small-{width}"), peers.small_network(shape, width),
            config.peer_fit, collection, split,
        )
        for width in config.ensemble
    ]  # fmt: skip
    for name, model in (
        ("light AlexNet", alexnet),
        (f"ensemble of {len(members)} small networks", peers.ensemble(members)),
    ):
        content = to_int8(model, representative, spec)
        rows.append(measurer.measure(name, "int8", content, {}))
    return rows


def _base_probabilities(context: Context) -> NDArray[np.float64]:
    """Return what the base network's float32 file says of the test fold."""
    images = context.examples(context.config.fit).images
    return softmax(logits_of(base_bundle(context), images, context.split.test))


def base_bundle(context: Context) -> Bundle:
    """Return the base network's float32 file, uncalibrated."""
    return _bundle(context, (context.folder("files") / "base-float32.tflite").read_bytes())


def _write_run(context: Context, results: Results, model: bytes) -> None:
    """Leave the chosen file as a run that ``dermascope-build bundle`` signs."""
    config, collection, split = context.config, context.collection, context.split
    folder = context.folder(RUN_FOLDER)
    training = np.random.default_rng(config.seed).permutation(split.train)
    bundle = draft(
        config.name,
        config.version,
        config.input,
        config.saliency,
        model,
        measured_limits(collection, training),
        provenance(collection, config.seed, config.digest),
    )
    bundle = calibrated(bundle, collection.subset(split.validation))
    assessment = assess_first(bundle, collection.subset(split.test), config.resamples)
    leave_draft(folder, bundle)
    write_result(folder / METRICS_FILE, assessment)
    write_result(folder / REPRODUCTION_FILE, results)
