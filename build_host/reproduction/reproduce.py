"""``dermascope-build reproduce``: every stage in turn, then the report and the run to bundle."""

from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from build_host.bundle.draft import calibrate_draft, draft, provenance
from build_host.calibration.fits import percentile_quality_limits
from build_host.evaluation.assessment import assess_test_fold
from build_host.evaluation.metrics import confusion, per_class, with_intervals
from build_host.pipeline.workspace import write_draft
from build_host.reproduction.config import ReproductionConfig
from build_host.reproduction.context import Context, open_context, run_once, stage
from build_host.reproduction.data_summary import (
    oversampled_indices,
    summarize,
    summarize_oversampling,
)
from build_host.reproduction.image_enhancement import study_enhancements
from build_host.reproduction.measurement import relative_to_first, smallest_without_loss
from build_host.reproduction.networks import base_bundle, predict
from build_host.reproduction.protocols import PROTOCOLS, run_protocol
from build_host.reproduction.results import (
    DataSummary,
    EnhancementStudy,
    MeasuredFile,
    ProtocolResult,
    Results,
)
from build_host.results import write_result
from build_host.training.history import read_history

_DETERMINISTIC: Final = (
    "Splits, oversampling, augmentation, initial weights and every drawn number follow from the "
    "seed. On one machine, with one number of threads, two runs give the same bytes as long as "
    "TensorFlow's threads share their work alike (a test trains twice and compares). In two full "
    "runs on one busy machine the base and its pruned and clustered files came out alike to the "
    "last digit shown; the oversampled protocol was 0.2 points apart, the dense control 0.5 and "
    "the small peers up to 4. Another processor or number of threads adds up in another order. "
    "Latency is measured again in every run."
)


def reproduce(config: ReproductionConfig, data: Path, out: Path, console: Console) -> Context:
    """Run every stage that is not done yet, and return the context with the report's place.

    Raises
    ------
    build_host.errors.DataError
        If the data is incomplete or the disk too full, before anything is computed.
    """
    context = open_context(config, data, out, console)
    run = context.run_folder
    if all(p.is_file() for p in (context.results_file, context.report_file, run.draft, run.model)):
        console.print("Nothing to do: this configuration is finished.")
        return context
    oversampled = oversampled_indices(context)
    work = _Work(context, len(oversampled))
    with stage(context, "Data", *work.of("data")):
        data_summary = run_once(context, "data", DataSummary, lambda: summarize(context.dataset))
        oversampling = summarize_oversampling(context, oversampled)
    with stage(context, "Image enhancement", *work.of("image-enhancement")):
        enhancements = run_once(
            context, "image-enhancement", EnhancementStudy, lambda: study_enhancements(context)
        )
    with stage(context, "Three protocols", *work.of("protocols")):
        protocols = [_protocol(context, name) for name in PROTOCOLS]
    # These import TensorFlow, which takes seconds.
    from build_host.reproduction.baselines import measure_baselines
    from build_host.reproduction.compression_study import (
        measure_files,
        train_base,
        train_compressed,
    )
    from build_host.reproduction.report import write_report

    with stage(context, "Base network", *work.of("base")):
        base = train_base(context)
    with stage(context, "Compression", *work.of("compression")):
        # Networks are read back only where a file of theirs is still to be made or measured.
        rows = run_once(
            context,
            "compression",
            list[MeasuredFile],
            lambda: measure_files(context, train_compressed(context, base)),
        )
    with stage(context, "Baselines", *work.of("baselines")):
        baselines = run_once(
            context, "baselines", list[MeasuredFile], lambda: measure_baselines(context)
        )
    # Among the paper's own network's files: a baseline is another network.
    chosen = smallest_without_loss(rows)
    rows = relative_to_first([*rows, *baselines])
    with stage(context, "Results", *work.of("results")):
        images = context.examples(config.fit).images
        probabilities = predict(base_bundle(context), images, context.split.test)
        labels = context.dataset.labels[context.split.test]
        lesions = context.dataset.lesions[context.split.test]
        results = Results(
            source="Cabrejos-Yalán & Rodriguez 2024, doi:10.18280/mmep.111112",
            run=config.digest,
            seed=config.seed,
            data=data_summary,
            oversampling=oversampling,
            image_steps=enhancements,
            protocols=protocols,
            base_history=read_history(context.training_folder("base")),
            base_figures=with_intervals(labels, probabilities, lesions, resamples=config.resamples),
            base_per_class=per_class(labels, probabilities, lesions, config.resamples),
            base_confusion=confusion(labels, probabilities),
            artefacts=rows,
            chosen=f"{chosen.name}, {chosen.kind}",
            deterministic=_DETERMINISTIC,
        )
        _write_run(context, results, chosen)
        write_report(context, results, labels, probabilities)
        write_result(context.results_file, results)
    return context


def _protocol(context: Context, name: str) -> ProtocolResult:
    return run_once(
        context, f"protocol-{name}", ProtocolResult, lambda: run_protocol(context, name)
    )


class _Work:
    """The work of each stage, in images that the paper's network is trained on.

    Parameters
    ----------
    images
        Of one epoch of the oversampled training part.
    """

    def __init__(self, context: Context, images: int) -> None:
        from build_host.reproduction import compression_study

        config = context.config
        enhancements = 1.0 + len(config.enhancements)
        self._stages = {
            "data": 0.0,
            "image-enhancement": enhancements * config.enhancement_fit.epochs * images,
            "protocols": 3.7 * config.protocol_fit.epochs * images,
            **compression_study.work(context, images),
            "baselines": 2.0 * config.baseline_fit.epochs * images,
            "results": 0.0,
        }

    def of(self, stage: str) -> tuple[float, float]:
        """Return the work of a stage, and of all that follow it."""
        names = list(self._stages)
        left = sum(self._stages[n] for n in names[names.index(stage) + 1 :])
        return self._stages[stage], left


def _write_run(context: Context, results: Results, chosen: MeasuredFile) -> None:
    """Leave the chosen file as a run that ``dermascope-build bundle`` signs."""
    config, dataset, split = context.config, context.dataset, context.split
    shuffled = np.random.default_rng(config.seed).permutation(split.train)
    bundle = draft(
        config.name,
        config.version,
        config.input,
        config.saliency,
        context.tflite_file(chosen.name, chosen.kind).read_bytes(),
        percentile_quality_limits(dataset.subset(shuffled)),
        provenance(dataset, config.seed, config.digest),
    )
    bundle = calibrate_draft(bundle, dataset.subset(split.validation))
    folder = context.run_folder
    assessment = assess_test_fold(bundle, dataset.subset(split.test), config.resamples)
    write_draft(folder, bundle)
    write_result(folder.metrics, assessment)
    write_result(folder.reproduction, results)
