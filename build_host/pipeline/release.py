"""From a run to the signed bundle that ships, and back."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from build_host.bundle.sign import read_key, write_bundle
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import Ablation, Peer
from build_host.files import write_file
from build_host.pipeline.workspace import open_draft, write_draft
from build_host.reporting.model_card import ablation_section, peers_section
from build_host.reproduction.results import Results
from build_host.reproduction.tables import card_sections
from build_host.results import read_result, write_result
from build_host.run_folder import RunFolder
from device.errors import ConfigError, DataError
from device.inference.bundle import MANIFEST_FILE, Bundle, load_bundle
from device.inference.manifest import Manifest


def _kept(folder: RunFolder) -> tuple[Path, ...]:
    """Return what a run may hold beside its own files, and its bundle keeps."""
    return folder.reproduction, folder.ablation, folder.peers


def open_bundle(folder: Path, trusted_keys: Iterable[str]) -> Bundle:
    """Return the bundle in a folder, or the unsigned one of a run.

    Raises
    ------
    device.errors.DermascopeError
        If the bundle is not whole or not trusted, or the run is not compressed yet.
    """
    if (folder / MANIFEST_FILE).is_file():
        return load_bundle(folder, trusted_keys)
    return open_draft(RunFolder(folder))


def reopen(
    folder: Path, out: Path, trusted_keys: Iterable[str], version: str | None = None
) -> RunFolder:
    """Return a run made of a bundle, to be calibrated, measured or signed again.

    Parameters
    ----------
    version
        Of the new bundle, where it is to differ.

    Raises
    ------
    device.errors.BundleError
        If the bundle is not whole or signed by a key that is not trusted.
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
        bundle = Bundle(folder, manifest, bundle.model, "")
    run = RunFolder(out / f"{bundle.manifest.name}-{bundle.manifest.model_sha256[:8]}")
    write_draft(run, bundle)
    for path in (run.metrics, *_kept(run)):
        if (folder / path.name).is_file():
            write_file(path, (folder / path.name).read_bytes())
    return run


def make_bundle(folder: RunFolder, models: Path, key_path: Path) -> Path:
    """Write and sign the bundle of the run in a folder below `models`, and return its own."""
    draft = open_draft(folder)
    if not folder.metrics.is_file():
        raise DataError(f"{folder.path}: is not evaluated yet ({folder.metrics.name} is missing)")
    assessment = read_result(folder.metrics, Assessment)
    evaluation = assessment.evaluations[0]
    if evaluation.model_sha256 != draft.manifest.model_sha256:
        raise DataError(
            f"{folder.path}: {folder.model.name} is newer than its evaluation; evaluate it again"
        )
    if folder.peers.is_file():
        first = read_result(folder.peers, list[Peer])[0]
        if first.model_sha256 != draft.manifest.model_sha256:
            raise DataError(
                f"{folder.peers}: is of an older {folder.model.name}; measure the peers again"
            )
    manifest = msgspec.structs.replace(draft.manifest, metrics=evaluation.figures)
    written = models / manifest.name
    write_bundle(written, manifest, draft.model, assessment, read_key(key_path), _sections(folder))
    for path in _kept(folder):
        if path.is_file():
            write_file(written / path.name, path.read_bytes())
        else:
            (written / path.name).unlink(missing_ok=True)
    return written


def _sections(folder: RunFolder) -> str:
    """Return what the card says of the files that a bundle keeps beside its own."""
    renderers: list[tuple[Path, Any, Callable[[Any], str]]] = [
        (folder.reproduction, Results, card_sections),
        (folder.ablation, Ablation, ablation_section),
        (folder.peers, list[Peer], peers_section),
    ]
    sections = [
        render(read_result(path, kind)) for path, kind, render in renderers if path.is_file()
    ]
    return "\n\n".join(section.strip() for section in sections)


def keep_ablation(folder: RunFolder, table: Ablation) -> None:
    """Leave a table of variants in a run's folder, for its bundle to keep."""
    write_result(folder.ablation, table)
