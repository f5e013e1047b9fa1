"""From a run to the signed bundle that ships, and back."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from build_host.bundle.sign import read_key, write_bundle
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import Ablation, Peer
from build_host.pipeline.workspace import leave_draft, open_draft
from build_host.reporting.model_card import ablation_section, peers_section
from build_host.reproduction.results import Results
from build_host.reproduction.tables import card_sections
from build_host.results import read_result, write_result
from device.errors import ConfigError, DataError
from device.inference.bundle import MANIFEST_FILE, METRICS_FILE, MODEL_FILE, Bundle, load_bundle
from device.inference.manifest import Manifest

REPRODUCTION_FILE: Final = "reproduction.json"
ABLATION_FILE: Final = "ablation.json"
PEERS_FILE: Final = "peers.json"
KEPT_FILES: Final = (REPRODUCTION_FILE, ABLATION_FILE, PEERS_FILE)
"""What a run may hold beside its own files, and its bundle keeps."""


def open_bundle(folder: Path, trusted_keys: Iterable[str]) -> Bundle:
    """Return the bundle in a folder, or the unsigned one of a run.

    Raises
    ------
    device.errors.DermascopeError
        If the bundle is not whole or not trusted, or the run is not compressed yet.
    """
    if (folder / MANIFEST_FILE).is_file():
        return load_bundle(folder, trusted_keys)
    return open_draft(folder)


def reopen(
    folder: Path, out: Path, trusted_keys: Iterable[str], version: str | None = None
) -> Path:
    """Return a run made of a bundle, to be calibrated, measured or signed anew.

    Parameters
    ----------
    version
        Of the new bundle, where it is to differ.

    Raises
    ------
    device.errors.BundleError
        If the bundle is not whole or signed by a key that is not trusted.
    """
    bundle = load_bundle(folder, trusted_keys)
    if version:
        told = msgspec.to_builtins(bundle.manifest) | {"version": version}
        try:
            manifest = msgspec.convert(told, Manifest)
        except msgspec.ValidationError as error:
            raise ConfigError(f"--version {version}: {error}") from None
        bundle = Bundle(folder, manifest, bundle.model, "")
    run = out / f"{bundle.manifest.name}-{bundle.manifest.model_sha256[:8]}"
    run.mkdir(parents=True, exist_ok=True)
    leave_draft(run, bundle)
    for name in (METRICS_FILE, *KEPT_FILES):
        if (folder / name).is_file():
            (run / name).write_bytes((folder / name).read_bytes())
    return run


def make_bundle(folder: Path, models: Path, key_path: Path) -> Path:
    """Write and sign the bundle of the run in a folder below `models`, and return its own."""
    draft = open_draft(folder)
    path = folder / METRICS_FILE
    if not path.is_file():
        raise DataError(f"{folder}: is not evaluated yet ({METRICS_FILE} is missing)")
    assessment = read_result(path, Assessment)
    evaluation = assessment.evaluations[0]
    if evaluation.model_sha256 != draft.manifest.model_sha256:
        raise DataError(f"{folder}: {MODEL_FILE} is newer than its evaluation; evaluate it again")
    peers = folder / PEERS_FILE
    if peers.is_file():
        first = read_result(peers, list[Peer])[0]
        if first.model_sha256 != draft.manifest.model_sha256:
            raise DataError(f"{peers}: is of an older {MODEL_FILE}; measure the peers again")
    manifest = msgspec.structs.replace(draft.manifest, metrics=evaluation.figures)
    written = models / manifest.name
    write_bundle(written, manifest, draft.model, assessment, read_key(key_path), _sections(folder))
    for name in KEPT_FILES:
        if (folder / name).is_file():
            (written / name).write_bytes((folder / name).read_bytes())
        else:
            (written / name).unlink(missing_ok=True)
    return written


def _sections(folder: Path) -> str:
    """Return what the card says of the files that a bundle keeps beside its own."""
    tellers: dict[str, tuple[Any, Callable[[Any], str]]] = {
        REPRODUCTION_FILE: (Results, card_sections),
        ABLATION_FILE: (Ablation, ablation_section),
        PEERS_FILE: (list[Peer], peers_section),
    }
    told = [
        tell(read_result(folder / name, kind))
        for name, (kind, tell) in tellers.items()
        if (folder / name).is_file()
    ]
    return "\n\n".join(section.strip() for section in told)


def keep_ablation(folder: Path, table: Ablation) -> None:
    """Leave a table of variants in a run's folder, for its bundle to keep."""
    write_result(folder / ABLATION_FILE, table)
