"""An update of the system: both partitions of a slot, in a file that RAUC verifies."""

import shutil
from pathlib import Path

from build_host.image.tools import Tools
from build_host.image.update_key import certificate_of


def update_manifest(compatible: str, version: str) -> str:
    """Return RAUC's manifest of an update."""
    return "\n".join(
        (
            "[update]",
            f"compatible={compatible}",
            f"version={version}",
            "",
            "[bundle]",
            "format=verity",
            "",
            "[image.rootfs]",
            "filename=root.img",
            "",
            "[image.boot]",
            "filename=boot.img",
            "",
        )
    )


def make_update(
    root: Path, boot: Path, update: Path, key: Path, compatible: str, version: str, tools: Tools
) -> None:
    """Write a signed update.

    Parameters
    ----------
    root, boot
        File systems of the new system.
    update
        The file to write, ``dermascope-update.raucb`` on a stick.
    key
        Private key, with its certificate beside it.
    compatible
        The kind of machine that it is for.

    Raises
    ------
    build_host.image.commands.ToolError
        If it cannot be made.
    """
    content = update.with_suffix(".content")
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir(parents=True)
    shutil.copyfile(root, content / "root.img")
    shutil.copyfile(boot, content / "boot.img")
    (content / "manifest.raucm").write_text(update_manifest(compatible, version))
    update.unlink(missing_ok=True)
    signing = [f"--cert={certificate_of(key)}", f"--key={key}"]
    # The root is compressed already.
    quickly = "--mksquashfs-args=-comp zstd -Xcompression-level 1"
    tools.run(
        ["rauc", *signing, "bundle", quickly, str(content), str(update)],
        [update.parent, key.parent],
    )
    shutil.rmtree(content)
