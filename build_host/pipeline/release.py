"""From a run to the signed bundle that ships, and back."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from build_host.bundle.draft import fitted_on_the_mean
from build_host.bundle.edge_tpu import READINESS_FILE, readiness
from build_host.bundle.sign import read_key, write_bundle
from build_host.errors import DataError
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import Ablation, LeaveOneOut, Peer
from build_host.files import write_file
from build_host.pipeline.workspace import forget_figures, open_draft, write_draft
from build_host.reporting.model_card import (
    ablation_section,
    leave_one_out_section,
    peers_section,
)
from build_host.results import read_result, to_json
from build_host.run_folder import RunFolder
from device.errors import ConfigError
from device.models.bundle import MANIFEST_FILE, Bundle, load_bundle
from device.models.manifest import CAPTURED_FILE, MODEL_FILE, Manifest


@dataclass(frozen=True, slots=True)
class Attachment:
    """A further result that a run may hold, that its bundle keeps and its card describes.

    Attributes
    ----------
    file
        Returns its path in a run's folder.
    kind
        Its type.
    section
        Returns the card's section on it, as Markdown.
    first
        Whether that stands before all else that was measured.
    """

    file: Callable[[RunFolder], Path]
    kind: Any
    section: Callable[[Any], str]
    first: bool = False


ABLATION: Final = Attachment(lambda folder: folder.ablation, Ablation, ablation_section)
LEAVE_ONE_OUT: Final = Attachment(
    lambda folder: folder.leave_one_out, LeaveOneOut, leave_one_out_section, first=True
)
PEERS: Final = Attachment(lambda folder: folder.peers, list[Peer], peers_section)


def open_run_or_bundle(folder: Path, trusted_keys: Iterable[str]) -> Bundle:
    """Return the bundle in a folder, or the unsigned one of a run.

    Raises
    ------
    device.errors.DermascopeError
        If the bundle is incomplete or not trusted, or the run is not compressed yet.
    """
    if is_bundle(folder):
        return load_bundle(folder, trusted_keys)
    return open_draft(RunFolder(folder))


def is_bundle(folder: Path) -> bool:
    """Tell whether a folder holds a bundle, rather than a run."""
    return (folder / MANIFEST_FILE).is_file()


def reopen(
    folder: Path,
    out: Path,
    trusted_keys: Iterable[str],
    attachments: Sequence[Attachment],
    version: str | None = None,
) -> RunFolder:
    """Return a run made of a bundle, to calibrate, measure or sign it again.

    Parameters
    ----------
    out
        The folder of all runs.
    attachments
        What a bundle may keep.
    version
        Of the new bundle, if it is to differ.

    Raises
    ------
    device.errors.BundleError
        If the bundle is incomplete or signed by a key that is not trusted.
    device.errors.ConfigError
        If the version is not one.
    """
    bundle = load_bundle(folder, trusted_keys)
    if version:
        changed = msgspec.to_builtins(bundle.manifest) | {"version": version}
        try:
            manifest = msgspec.convert(changed, Manifest)
        except msgspec.ValidationError as error:
            raise ConfigError(f"--version {version}: {error}") from None
        bundle = replace(bundle, manifest=manifest)
    run = RunFolder(out / f"{bundle.manifest.name}-{bundle.manifest.live.sha256[:8]}")
    write_draft(run, bundle)
    for path in (run.metrics, *(attachment.file(run) for attachment in attachments)):
        if (folder / path.name).is_file():
            write_file(path, (folder / path.name).read_bytes())
        else:
            # An earlier run of the same network may have left one.
            path.unlink(missing_ok=True)
    return run


def join(live: RunFolder, captured: RunFolder, out: Path, name: str, version: str) -> RunFolder:
    """Return a run with the networks of two others: one for the live view, one for captures.

    What was measured of an earlier joining of that name and version is forgotten.

    Parameters
    ----------
    live, captured
        Compressed runs; the second as one for captured pictures.
    out
        The folder of all runs.
    name, version
        Of the bundle.

    Raises
    ------
    build_host.errors.DataError
        If one is not compressed yet, or the second not as one for captured pictures.
    device.errors.ConfigError
        If the name or the version is not one, or the two are not calibrated for the same case
        mixes.
    """
    first, second = open_draft(live), open_draft(captured)
    network = second.manifest.live
    if not fitted_on_the_mean(network):
        raise DataError(
            f"{captured.path}: is not calibrated for captured pictures; run: dermascope-build "
            f"calibrate {captured.path} --captured"
        )
    own = first.manifest.provenance
    further = (
        *own.further,
        f"for captured pictures, {second.manifest.name} (run "
        f"{second.manifest.provenance.run_digest[:16]})",
    )
    changed = msgspec.to_builtins(first.manifest) | {
        "name": name,
        "version": version,
        "captured": msgspec.to_builtins(network) | {"file": CAPTURED_FILE},
        "similar_cases": msgspec.to_builtins(second.manifest.similar_cases),
        "provenance": msgspec.to_builtins(own) | {"further": further},
    }
    try:
        manifest = msgspec.convert(changed, Manifest)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{live.path} and {captured.path} do not fit: {error}") from None
    models = {MODEL_FILE: first.live_model, CAPTURED_FILE: second.live_model}
    run = RunFolder(out / f"{name}-{version}")
    write_draft(run, Bundle(run.path, manifest, models, "", second.similar_cases))
    # The folder may hold what was measured of an earlier joining, under other thresholds.
    forget_figures(run)
    if live.float_model.is_file():
        write_file(run.float_model, live.float_model.read_bytes())
    else:
        run.float_model.unlink(missing_ok=True)
    return run


def files_of(bundle: Bundle) -> dict[str, bytes]:
    """Return every file that a bundle's manifest names, by name."""
    files = dict(bundle.models)
    if bundle.manifest.similar_cases:
        files[bundle.manifest.similar_cases.file] = bundle.similar_cases
    return files


def make_bundle(
    folder: RunFolder, models: Path, key_path: Path, attachments: Sequence[Attachment]
) -> Path:
    """Sign and write the bundle of a run below `models`, and return its folder.

    Parameters
    ----------
    attachments
        What the run may hold for its bundle; their sections come in this order.

    Raises
    ------
    build_host.errors.DataError
        If the run is not evaluated yet, or its model is newer than what was measured of it.
    device.errors.BundleError
        If there is no signing key.
    """
    draft = open_draft(folder)
    if not folder.metrics.is_file():
        raise DataError(f"{folder.path}: is not evaluated yet ({folder.metrics.name} is missing)")
    assessment = read_result(folder.metrics, Assessment)
    measured = {e.model_sha256 for e in assessment.evaluations}
    for network in draft.manifest.networks:
        if network.sha256 not in measured:
            raise DataError(
                f"{folder.path}: {network.file} is newer than its evaluation; evaluate it again"
            )
    figures = assessment.acted_upon.figures
    if folder.peers.is_file():
        first = read_result(folder.peers, list[Peer])[0]
        if first.model_sha256 != draft.manifest.live.sha256:
            raise DataError(
                f"{folder.peers}: is of an older {folder.model.name}; compare the models again"
            )
    manifest = msgspec.structs.replace(draft.manifest, metrics=figures)
    bundle = models / manifest.name
    kept = {attachment.file(folder): attachment for attachment in attachments}
    sections: dict[bool, list[str]] = {True: [], False: []}
    for path, attachment in kept.items():
        if path.is_file():
            section = attachment.section(read_result(path, attachment.kind))
            sections[attachment.first].append(section)
    key = read_key(key_path)
    write_bundle(
        bundle, manifest, files_of(draft), assessment, key, sections[False], sections[True]
    )
    ready = [readiness(name, model) for name, model in draft.models.items()]
    if not any(network.floating_point for network in ready):
        write_file(bundle / READINESS_FILE, to_json(ready))
    for path in kept:
        if path.is_file():
            write_file(bundle / path.name, path.read_bytes())
        else:
            (bundle / path.name).unlink(missing_ok=True)
    return bundle
