"""What a bundle's maker says of it beside the manifest, and the bundle as one file."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from build_host.files import write_file
from build_host.results import to_json
from device.errors import BundleError
from device.inference.known_answers import known_pictures
from device.inference.network import Network, quantize
from device.models.archive import SUFFIX, pack
from device.models.bundle import MANIFEST_FILE, Bundle
from device.models.network_spec import NetworkSpec
from device.models.release import RELEASE_FILE, RELEASE_SIGNATURE_FILE, Release


def write_release(
    bundle: Bundle,
    key: Ed25519PrivateKey,
    device_classes: Sequence[str] = (),
    compiled: Mapping[str, bytes] | None = None,
) -> Release:
    """Write what is said of a bundle into its folder, signed, and return it.

    Parameters
    ----------
    bundle
        As it was read from its folder.
    device_classes
        Kinds of device that it is for; empty for those it was for before, else for every kind.
    compiled
        By a network's SHA-256, what the Edge TPU's compiler made of it; by default what there is.

    Raises
    ------
    device.errors.BundleError
        If a kind of device is no name, or a network cannot be run.
    """
    before = bundle.release
    files = dict(bundle.compiled if compiled is None else compiled)
    named = {network: f"{_stem(bundle, network)}_edgetpu.tflite" for network in sorted(files)}
    manifest = (bundle.folder / MANIFEST_FILE).read_bytes()
    whole = [network for network in bundle.manifest.networks if _whole(network)]
    said = {
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        "device_classes": tuple(device_classes) or (before.device_classes if before else ()),
        "known_answers": {network.sha256: _answers(bundle, network) for network in whole},
        "compiled": named,
        "files": {named[n]: hashlib.sha256(content).hexdigest() for n, content in files.items()},
    }
    try:
        release = msgspec.convert(said, Release)
    except msgspec.ValidationError as error:
        raise BundleError(f"{bundle.folder}: {error}") from None
    for network, content in files.items():
        write_file(bundle.folder / named[network], content)
    content = to_json(release)
    write_file(bundle.folder / RELEASE_SIGNATURE_FILE, key.sign(content))
    write_file(bundle.folder / RELEASE_FILE, content)
    return release


def write_archive(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle as one file below a folder, and return the file."""
    files = {
        path.name: path.read_bytes() for path in sorted(bundle.folder.iterdir()) if path.is_file()
    }
    manifest = bundle.manifest
    path = folder / f"{manifest.name}-{manifest.version}{SUFFIX}"
    write_file(path, pack(files))
    return path


def _whole(spec: NetworkSpec) -> bool:
    """Return whether its logits are whole numbers: of others no two machines give the same."""
    return spec.outputs.logits.dtype == "int8"


def _stem(bundle: Bundle, sha256: str) -> str:
    return next(Path(n.file).stem for n in bundle.manifest.networks if n.sha256 == sha256)


def _answers(bundle: Bundle, spec: NetworkSpec) -> list[list[int]]:
    """Return the raw logits of the known pictures, as the tensor holds them."""
    network = Network(replace(bundle, release=None), spec)
    pictures = known_pictures(spec.input.height, spec.input.width)
    raw = [quantize(network.run(pixels).logits, spec.outputs.logits) for pixels in pictures]
    return [logits.tolist() for logits in raw]
