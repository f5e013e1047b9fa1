"""Commands that make bundles of runs, and runs of bundles."""

import argparse
from pathlib import Path
from typing import Final

from rich.console import Console

from build_host.bundle.edge_tpu import COMPILER, compile_model, found_compiler, readiness
from build_host.bundle.keys import revoke_keys, rotate_key
from build_host.bundle.release import write_archive, write_release
from build_host.bundle.sign import (
    KEY_VARIABLE,
    create_key,
    default_key_path,
    public_key,
    read_key,
    sign_again,
)
from build_host.cli.options import (
    Add,
    out_option,
    run_argument,
    run_or_bundle_argument,
)
from build_host.pipeline import release
from build_host.regulatory.write import write_all
from build_host.reproduction.tables import REPRODUCTION
from build_host.run_folder import RunFolder
from device.config import load_config
from device.errors import BundleError
from device.models.bundle import load_bundle
from device.models.trust import KEY_LIST_FILE

_ATTACHMENTS: Final = (
    release.LEAVE_ONE_OUT, REPRODUCTION, release.ABLATION, release.PEERS,
)  # fmt: skip


def add_release_commands(add: Add) -> None:
    """Add them to the command line."""
    joined = add(
        "join", _join, "Join two compressed runs into one whose bundle has a network for the live "
        "view and a larger one for captured pictures.", out_option(),
    )  # fmt: skip
    joined.add_argument("live", type=Path, metavar="LIVE_RUN", help="run of the live view")
    joined.add_argument(
        "captured", type=Path, metavar="CAPTURED_RUN", help="run compressed with --captured"
    )
    joined.add_argument("--name", required=True, help="name of the bundle")
    joined.add_argument("--version", required=True, metavar="N.N.N", help="version of the bundle")

    bundle = add(
        "bundle", _bundle, "Sign an evaluated run with your key (see keygen) and write it as a "
        "bundle to DIR/NAME, replacing what is there.", run_argument(),
        more="NAME is the model's name in the run's settings.",
    )  # fmt: skip
    bundle.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        default=Path("models"),
        help="parent folder to write the bundle into (default: %(default)s)",
    )

    _add_archive(bundle)
    sign = add(
        "sign", _sign, "Verify a bundle with the keys that a device trusts, and sign it again with "
        "your own key (see keygen), so that a device need trust no other.",
        more="Trusted are the keys of the settings that $DERMASCOPE_CONFIG names, and your own.",
    )  # fmt: skip
    sign.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")
    _add_archive(sign)

    reopen = add(
        "reopen", _reopen, "Turn a bundle back into a run, to re-calibrate, re-evaluate or re-sign "
        "it.", out_option(),
    )  # fmt: skip
    reopen.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")
    reopen.add_argument(
        "--version", metavar="N.N.N", help="version of the new bundle (default: unchanged)"
    )

    add(
        "keygen", _keygen, "Create a signing key and print its public key.",
        more=f"The key is written to the file that ${KEY_VARIABLE} names (default: "
        "~/.config/dermascope/signing.key). An existing key is never overwritten.",
    )  # fmt: skip

    add(
        "edgetpu", _edgetpu, "Tell whether a model could run on Coral's Edge TPU, and compile it "
        "where edgetpu_compiler is installed.", run_or_bundle_argument(),
        more="Of a bundle, the compiled file is put beside the plain one and signed; a device uses "
        "it only where it has an Edge TPU that gives the known answers.",
    )  # fmt: skip
    key = add(
        "key", _key, "Put a new signing key in the place of the one in use, or revoke keys.",
        more="Either writes a signed list that devices follow: by `dermascope model trust FILE`, "
        "or because it lies in the folder of a bundle that is archived.",
    )  # fmt: skip
    key.add_argument("--rotate", action="store_true", help="make a new key; the old one is kept")
    key.add_argument(
        "--revoke", action="append", default=[], metavar="KEY",
        help="public key that devices are to trust no more; may be given several times",
    )  # fmt: skip
    key.add_argument(
        "--out", type=Path, metavar="FILE", default=Path(KEY_LIST_FILE),
        help="where the list is written; one that is there is not replaced (default: %(default)s)",
    )  # fmt: skip

    regulatory = add(
        "regulatory", _regulatory, "Renew what is generated of docs/regulatory: bill of materials, "
        "tables of risks, threats and foreign software.",
    )  # fmt: skip
    regulatory.add_argument(
        "--root", type=Path, metavar="DIR", default=Path(),
        help="root of the repository (default: here)",
    )  # fmt: skip


def _add_archive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--archive", type=Path, metavar="DIR", nargs="?", const=Path(),
        help="also write it as one file, NAME-VERSION.dermascope, to DIR (default: here), with its "
        "answers to fixed pictures, which devices compare with what they compute",
    )  # fmt: skip
    parser.add_argument(
        "--device-class", action="append", default=[], metavar="NAME",
        help="kind of device that the archive is for; may be given several times (default: all)",
    )  # fmt: skip


def _archive(options: argparse.Namespace, folder: Path, console: Console) -> None:
    """Write the archive that the options ask for."""
    if options.archive is None:
        return
    key = read_key(default_key_path())
    own = public_key(key)
    write_release(load_bundle(folder, (own,)), key, options.device_class)
    path = write_archive(load_bundle(folder, (own,)), options.archive)
    console.print(f"Wrote {path}", soft_wrap=True)


def _edgetpu(options: argparse.Namespace, console: Console) -> int:
    key_path, folder = default_key_path(), options.run
    trusted = load_config().trusted_keys
    own = (public_key(read_key(key_path)),) if key_path.is_file() else ()
    bundle = release.open_run_or_bundle(folder, (*trusted, *own))
    ready = [readiness(name, model) for name, model in bundle.models.items()]
    for network in ready:
        told = "ready: one sub-graph" if network.ready else "not ready"
        mapped = f"{network.mapped} of {network.of} operations"
        console.print(f"{network.file}: {told}, {mapped}", soft_wrap=True)
        for words, names in (
            ("not supported", network.unsupported),
            ("floating point", network.floating_point[:5]),
            ("of no fixed size", network.dynamic[:5]),
        ):
            if names:
                console.print(f"  {words}: {', '.join(names)}", soft_wrap=True)
    compiler = found_compiler()
    if compiler is None or not release.is_bundle(folder):
        needed = f"{COMPILER} is not installed" if compiler is None else "a run has no signature"
        console.print(f"Nothing was compiled: {needed}.", soft_wrap=True)
        return 0
    if bundle.signed_by not in own:
        raise BundleError(
            f"{folder}: is not signed with your own key; run: dermascope-build sign {folder}"
        )
    compiled = {
        spec.sha256: compile_model(compiler, bundle.models[spec.file])
        for spec, network in zip(bundle.manifest.networks, ready, strict=True)
        if network.ready
    }
    write_release(bundle, read_key(key_path), compiled=compiled)
    console.print(f"Wrote {len(compiled)} compiled files into {folder}", soft_wrap=True)
    return 0


def _regulatory(options: argparse.Namespace, console: Console) -> int:
    for path in write_all(options.root):
        console.print(f"Wrote {path}", soft_wrap=True)
    return 0


def _key(options: argparse.Namespace, console: Console) -> int:
    path = default_key_path()
    if options.rotate:
        new, old = rotate_key(path, options.out, options.revoke)
        console.print(f"Public key, for a device's trusted_keys: {new}", soft_wrap=True)
        console.print(f"The old private key is in {old}.", soft_wrap=True)
    elif options.revoke:
        revoke_keys(path, options.out, options.revoke)
    else:
        raise BundleError("key: say --rotate, or --revoke KEY")
    console.print(f"Wrote {options.out}", soft_wrap=True)
    return 0


def _join(options: argparse.Namespace, console: Console) -> int:
    run = release.join(
        RunFolder(options.live),
        RunFolder(options.captured),
        options.out,
        options.name,
        options.version,
    )
    console.print(f"Run: {run.path}", soft_wrap=True)
    console.print(f"Next: dermascope-build quality-limits {run.path}", soft_wrap=True)
    return 0


def _bundle(options: argparse.Namespace, console: Console) -> int:
    run = RunFolder(options.run)
    folder = release.make_bundle(run, options.models, default_key_path(), _ATTACHMENTS)
    console.print(f"Wrote {folder}", soft_wrap=True)
    _archive(options, folder, console)
    return 0


def _sign(options: argparse.Namespace, console: Console) -> int:
    key = read_key(default_key_path())
    own = public_key(key)
    # What one signed oneself may be archived again, whatever this machine's settings trust.
    sign_again(options.bundle, (*load_config().trusted_keys, own), key)
    console.print(f"Signed {options.bundle} with {own}", soft_wrap=True)
    _archive(options, options.bundle, console)
    return 0


def _reopen(options: argparse.Namespace, console: Console) -> int:
    trusted = load_config().trusted_keys
    run = release.reopen(options.bundle, options.out, trusted, _ATTACHMENTS, options.version)
    console.print(f"Run: {run.path}", soft_wrap=True)
    console.print(f"Next: dermascope-build evaluate {run.path}", soft_wrap=True)
    return 0


def _keygen(_options: argparse.Namespace, console: Console) -> int:
    path = default_key_path()
    console.print(f"Public key, for a device's trusted_keys: {create_key(path)}", soft_wrap=True)
    console.print(f"The private key is in {path}; keep it out of every repository.", soft_wrap=True)
    return 0
