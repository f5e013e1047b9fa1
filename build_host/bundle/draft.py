"""Drafting a bundle: the manifest of a model that is not signed yet."""

import hashlib
import importlib.metadata
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from build_host.bundle.classes import classes_of
from build_host.calibration.case_mixes import CASE_MIXES, fit_case_mix, fit_likelihood
from build_host.calibration.fits import (
    fit_abstention,
    fit_calibration,
    fit_conformal,
    fit_operating_points,
)
from build_host.calibration.test_time_augmentation import choose_averaging
from build_host.datasets.dataset import Dataset
from build_host.datasets.sources import SOURCES, SourceName, licences
from build_host.datasets.split import SPLIT_RULE
from build_host.evaluation.inference import network_outputs
from device import __version__
from device.imaging.preprocessing import InputSpec
from device.imaging.quality import QualityLimits
from device.models.bundle import Bundle
from device.models.manifest import MODEL_FILE, Manifest, Provenance
from device.models.network_spec import Abstention, Calibration, Conformal, NetworkSpec, Saliency

_ON_THE_MEAN: Final = ", the mean of eight flips and rotations"
"""Ends the description of the images that a network for captured pictures is fitted on."""

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
        classes=classes_of(SOURCES.keys() & set(provenance.sources)),
        live=live,
        quality=quality,
        provenance=provenance,
        metrics={},
    )
    return Bundle(Path(name), manifest, {manifest.live.file: model}, "")


def calibrate_draft(bundle: Bundle, validation: Dataset, captured: bool = False) -> Bundle:
    """Return a bundle with everything that is fitted on the validation folds.

    Parameters
    ----------
    validation
        The validation folds. With several sources, or where the bundle has case mixes already,
        the network is calibrated for each of `build_host.calibration.case_mixes.CASE_MIXES`; else
        for that of its only source.
    captured
        The only network is for captured pictures: the mean over eight views is calibrated, as it is
        where that was so before. Of two networks each is calibrated for its own pictures.
    """
    manifest = bundle.manifest
    before = fitted_on_the_mean(manifest.live)
    captured = (captured or before) and manifest.captured is None
    several = len(validation.sources) > 1 or manifest.live.case_mixes
    fit = _fitted_on_sources if several else _fitted_on_one_source
    live = fit(_of_one_network(bundle, manifest.live), validation, captured)
    own = manifest.captured and fit(_of_one_network(bundle, manifest.captured), validation, True)
    mix = live.case_mixes[0].name if live.case_mixes else ""
    fitted = msgspec.structs.replace(manifest, live=live, captured=own, case_mix=mix)
    return replace(bundle, manifest=fitted)


def fitted_on_the_mean(network: NetworkSpec) -> bool:
    """Tell whether a network's thresholds are those of captured pictures.

    A network that is run over the views may have been fitted in one pass all the same, if the
    mean was only found to be better than that.
    """
    return network.conformal.fitted_on.endswith(_ON_THE_MEAN)


def _of_one_network(bundle: Bundle, network: NetworkSpec) -> Bundle:
    """Return a bundle with one of its networks alone, as the live one."""
    manifest = msgspec.structs.replace(
        bundle.manifest, live=network, captured=None, similar_cases=None
    )
    return Bundle(bundle.folder, manifest, {network.file: bundle.models[network.file]}, "")


def _fitted_on_one_source(bundle: Bundle, validation: Dataset, captured: bool) -> NetworkSpec:
    outputs = network_outputs(bundle, validation, averaged=captured)
    logits = np.array([o.logits for o in outputs])
    labels, on = validation.labels, f"{validation.sources[0] or 'HAM10000'} fold 4"
    on += _ON_THE_MEAN if captured else ""
    calibration = fit_calibration(logits, labels, on)
    before = bundle.manifest.live.abstention
    return msgspec.structs.replace(
        bundle.manifest.live,
        calibration=calibration,
        operating_points=fit_operating_points(logits, labels, calibration, fitted_on=on),
        conformal=fit_conformal(logits, labels, calibration, fitted_on=on),
        # What is no matter of probabilities is refused as before.
        abstention=msgspec.structs.replace(
            fit_abstention(outputs, labels, calibration, fitted_on=on),
            not_dermoscopic_below=before.not_dermoscopic_below,
            unstable_below=before.unstable_below,
        ),
        test_time_augmentation=(
            "dihedral" if captured else choose_averaging(bundle, validation, logits, calibration)
        ),
        case_mixes=(),
    )


def _fitted_on_sources(bundle: Bundle, validation: Dataset, captured: bool) -> NetworkSpec:
    outputs = network_outputs(bundle, validation, averaged=captured)
    logits = np.array([o.logits for o in outputs])
    labels, sources = validation.labels, validation.source_indices
    likelihood = fit_likelihood(logits, labels, sources)
    on = f"fold 4 of {', '.join(validation.sources)}" + (_ON_THE_MEAN if captured else "")
    mixes = tuple(
        fit_case_mix(name, shares, outputs, labels, sources, validation.lesions, likelihood, on)
        for name, shares in CASE_MIXES.items()
    )
    return msgspec.structs.replace(
        bundle.manifest.live,
        case_mixes=mixes,
        test_time_augmentation=(
            "dihedral"
            if captured
            else choose_averaging(bundle, validation, logits, mixes[0].calibration)
        ),
    ).with_case_mix(mixes[0])


def provenance(
    dataset: Dataset,
    seed: int,
    run_digest: str,
    sources: tuple[SourceName, ...] = ("ham10000",),
    further: tuple[str, ...] = (),
) -> Provenance:
    """Return the provenance of a model trained here and now.

    Parameters
    ----------
    run_digest
        Of the run's settings.
    sources
        What it was trained and calibrated on.
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
        licence=licences(sources),
        further=further,
        sources=sources,
    )


def _revision() -> str:
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return found.stdout.strip()
