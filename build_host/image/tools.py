"""The tools that make and start images: Debian 13's, in a root of their own.

Debian 12's emulator crashes LiteRT, and every tool's version shows in what it makes: whatever the
machine, an image is made by the same tools.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from build_host.image.commands import ToolError, run

SUITE: Final = "trixie"
PACKAGES: Final = (
    "bmap-tools",
    "dosfstools",
    "e2fsprogs",
    "erofs-utils",
    "fdisk",
    "genimage",
    "mtools",
    "openssl",
    "python3",
    "qemu-system-arm",
    "qemu-user",
    "rauc",
    "squashfs-tools",
    "systemd",
    "xz-utils",
)

_BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
_FORMAT: Final = "dermascope-aarch64"
_MAGIC: Final = (
    r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
)
_ENTER: Final = """
root=$1
shift
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    shift
done
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$@"
"""


def cache_folder() -> Path:
    """Return where roots and wheels are kept between builds."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dermascope"


def entered(root: Path, command: Sequence[str], shared: Iterable[Path] = ()) -> list[str]:
    """Return a command that runs another in a root, and sees some folders where they are."""
    folders = [str(folder.resolve()) for folder in shared]
    return [
        "unshare", "--mount", "--propagation", "private",
        "sh", "-euc", _ENTER, "sh", str(root), *folders, "--", *command,
    ]  # fmt: skip


def build_root(
    folder: Path, mmdebstrap: Sequence[str], environment: Mapping[str, str] | None = None
) -> None:
    """Have mmdebstrap fill a folder, which is either whole or not there.

    Parameters
    ----------
    folder
        Where the root is to be.
    mmdebstrap
        Its options, then the suite; ``{}`` stands for the root, and what follows for archives.
    environment
        Added to this program's own.

    Raises
    ------
    build_host.image.commands.ToolError
        If this is not done as root, mmdebstrap is not installed, or it fails.
    """
    if os.geteuid() != 0:
        raise ToolError(f"{folder}: only root can make it; run the command as root (sudo)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    command = [str(part) if word == "{}" else word for word in mmdebstrap]
    run(
        [
            # What it mounts in the root ends with it, however it ends: else the next one would
            # find /proc and /dev in what it has to remove.
            "unshare",
            "--mount",
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--aptopt=APT::Install-Recommends false",
            *command,
        ],
        {**os.environ, **(environment or {})},
    )
    part.replace(folder)


class Tools:
    """Debian 13's tools, in a root that is made the first time.

    Parameters
    ----------
    cache
        Folder that the root is kept in.
    """

    def __init__(self, cache: Path) -> None:
        key = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:16]
        self.root = cache / f"tools-{key}"
        if not self.root.is_dir():
            build_root(
                self.root,
                ["--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, "{}"],
            )

    def command(self, command: Sequence[str], shared: Iterable[Path]) -> list[str]:
        """Return a command that runs one of the tools, and sees some folders where they are."""
        return entered(self.root, command, shared)

    def run(
        self,
        command: Sequence[str],
        shared: Iterable[Path],
        environment: Mapping[str, str] | None = None,
        accepted: Collection[int] = (0,),
    ) -> str:
        """Run one of the tools to its end and return what it printed.

        Parameters
        ----------
        accepted
            Exit statuses that are no failure.

        Raises
        ------
        build_host.image.commands.ToolError
            If it fails.
        """
        base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
        return run(self.command(command, shared), {**base, **(environment or {})}, accepted)

    def emulate(self) -> None:
        """Have the kernel run programs for aarch64 with these tools' emulator.

        Raises
        ------
        build_host.image.commands.ToolError
            If the kernel does not let it.
        """
        if os.uname().machine == "aarch64":
            return
        if not (_BINFMT / "register").exists():
            run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)])
        emulator = self.root / "usr/bin/qemu-aarch64"
        known = _BINFMT / _FORMAT
        if known.exists():
            if f"interpreter {emulator}\n" in known.read_text():
                return
            known.write_text("-1")
        # F: the emulator is opened now, and found from within every root.
        (_BINFMT / "register").write_text(f":{_FORMAT}:M::{_MAGIC}:{emulator}:PF")
