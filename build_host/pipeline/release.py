"""From a run to the signed bundle that ships, and back."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from build_host.bundle.sign import read_key, write_bundle
from build_host.errors import DataError
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import Ablation, Peer
from build_host.files import write_file
from build_host.pipeline.workspace import open_draft, write_draft
from build_host.reporting.model_card import ablation_section, peers_section
from build_host.results import read_result
from build_host.run_folder import RunFolder
from device.errors import ConfigError
from device.models.bundle import MANIFEST_FILE, Bundle, load_bundle
from device.models.manifest import Manifest


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
    """

    file: Callable[[RunFolder], Path]
    kind: Any
    section: Callable[[Any], str]


ABLATION: Final = Attachment(lambda folder: folder.ablation, Ablation, ablation_section)
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
        bundle = Bundle(folder, manifest, {manifest.live.file: bundle.live_model}, "")
    run = RunFolder(out / f"{bundle.manifest.name}-{bundle.manifest.live.sha256[:8]}")
    write_draft(run, bundle)
    for path in (run.metrics, *(attachment.file(run) for attachment in attachments)):
        if (folder / path.name).is_file():
            write_file(path, (folder / path.name).read_bytes())
    return run


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
    evaluation = assessment.evaluations[0]
    if evaluation.model_sha256 != draft.manifest.live.sha256:
        raise DataError(
            f"{folder.path}: {folder.model.name} is newer than its evaluation; evaluate it again"
        )
    if folder.peers.is_file():
        first = read_result(folder.peers, list[Peer])[0]
        if first.model_sha256 != draft.manifest.live.sha256:
            raise DataError(
                f"{folder.peers}: is of an older {folder.model.name}; compare the models again"
            )
    manifest = msgspec.structs.replace(draft.manifest, metrics=evaluation.figures)
    bundle = models / manifest.name
    kept = {attachment.file(folder): attachment for attachment in attachments}
    sections = [
        attachment.section(read_result(path, attachment.kind))
        for path, attachment in kept.items()
        if path.is_file()
    ]
    write_bundle(bundle, manifest, draft.models, assessment, read_key(key_path), sections)
    for path in kept:
        if path.is_file():
            write_file(bundle / path.name, path.read_bytes())
        else:
            (bundle / path.name).unlink(missing_ok=True)
    return bundle
