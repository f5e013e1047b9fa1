"""Drafting a bundle: the manifest of a model that is not signed yet."""

import hashlib
import importlib.metadata
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from build_host.bundle.classes import CLASSES
from build_host.calibration.fits import (
    fit_abstention,
    fit_calibration,
    fit_conformal,
    fit_operating_points,
)
from build_host.calibration.test_time_augmentation import choose_averaging
from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import LICENCE
from build_host.datasets.split import SPLIT_RULE
from build_host.evaluation.inference import network_outputs
from device import __version__
from device.imaging.preprocessing import InputSpec
from device.imaging.quality import QualityLimits
from device.models.bundle import Bundle
from device.models.manifest import (
    MODEL_FILE,
    Abstention,
    Calibration,
    Conformal,
    Manifest,
    NetworkSpec,
    Provenance,
    Saliency,
)

_LIBRARIES: Final = ("tensorflow", "tf_keras", "numpy", "imbalanced-learn", "ai-edge-litert")


def draft(
    name: str,
    version: str,
    spec: InputSpec,
    saliency: Saliency,
    model: bytes,
    quality: QualityLimits,
    provenance: Provenance,
) -> Bundle:
    """Return an unsigned, uncalibrated bundle around a ``.tflite`` file.

    Parameters
    ----------
    model
        Its bytes.
    """
    from build_host.compression.quantization import describe_tensors

    input_tensor, outputs = describe_tensors(model)
    live = NetworkSpec(
        file=MODEL_FILE,
        sha256=hashlib.sha256(model).hexdigest(),
        input=spec,
        input_tensor=input_tensor,
        outputs=outputs,
        calibration=Calibration(temperature=1.0, bias=(0.0,) * 7, fitted_on=""),
        operating_points=(),
        conformal=Conformal(coverage=1.0, thresholds=(0.0,) * 7, fitted_on=""),
        abstention=Abstention(
            score="confidence", uncertain_below=0.0, unfamiliar_below=None, fitted_on=""
        ),
        saliency=saliency,
    )
    manifest = Manifest(
        name=name,
        version=version,
        classes=CLASSES,
        live=live,
        quality=quality,
        provenance=provenance,
        metrics={},
    )
    return Bundle(Path(name), manifest, {manifest.live.file: model}, "")


def calibrate_draft(bundle: Bundle, validation: Dataset) -> Bundle:
    """Return a bundle with everything that is fitted on the validation fold."""
    outputs = network_outputs(bundle, validation)
    logits = np.array([o.logits for o in outputs])
    labels = validation.labels
    calibration = fit_calibration(logits, labels)
    live = msgspec.structs.replace(
        bundle.manifest.live,
        calibration=calibration,
        operating_points=fit_operating_points(logits, labels, calibration),
        conformal=fit_conformal(logits, labels, calibration),
        abstention=fit_abstention(outputs, labels, calibration),
        test_time_augmentation=choose_averaging(bundle, validation, logits, calibration),
    )
    manifest = msgspec.structs.replace(bundle.manifest, live=live)
    return Bundle(bundle.folder, manifest, {manifest.live.file: bundle.live_model}, "")


def provenance(
    dataset: Dataset, seed: int, run_digest: str, further: tuple[str, ...] = ()
) -> Provenance:
    """Return the provenance of a model trained here and now.

    Parameters
    ----------
    run_digest
        Of the run's settings.
    further
        What went into training besides the dataset.
    """
    return Provenance(
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        split=SPLIT_RULE,
        seed=seed,
        code_revision=_revision(),
        run_digest=run_digest,
        libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
        created=datetime.now(UTC).date().isoformat(),
        licence=LICENCE,
        further=further,
    )


def _revision() -> str:
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "describe_tensors", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return found.stdout.strip()
