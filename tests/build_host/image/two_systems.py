"""A card with two systems whose scripts are run here, where partitions are folders."""

import subprocess
from pathlib import Path

from build_host.image.layout import SLOT_A, SLOT_B, autoboot
from build_host.image.recipe import OVERLAY

SCRIPTS = OVERLAY / "usr/lib/dermascope"
NAMES = ("card.sh", "slot", "update", "confirm", "stick")


class CardWithTwoSystems:
    """The scripts of a card, where partitions are folders and mounting is nothing.

    Commands of the system are stand-ins; ``tool`` replaces one of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.choice = folder / "selector/autoboot.txt"
        self._tools = folder / "tools"
        self.memory, self.run, self.share = folder / "memory", folder / "run", folder / "share"
        for path in (self.choice.parent, self._tools, self.memory, self.run, self.share):
            path.mkdir()
        (self.share / "version").write_text("1.2.0\n")
        self.choice.write_bytes(autoboot(SLOT_A, SLOT_B))
        for name in ("mount", "umount", "mountpoint", "sync", "rmdir", "sleep", "rauc"):
            self.tool(name, f'echo "{name} $*" >> "{folder}/said"')
        self.tool("findmnt", "echo /dev/mmcblk0p5")
        self.tool("mktemp", f'mkdir -p "{folder}/boot"; echo "{folder}/boot"')
        self.tool("systemctl", f'echo "systemctl $*" >> "{folder}/said"; [ "$1" != is-failed ]')
        (folder / "boot").mkdir()
        for name in "AB":
            (folder / f"boot/cmdline.{name}").write_text(f"rauc.slot={name}\n")
        places = {
            "/boot/firmware": self.choice.parent,
            "/usr/lib/dermascope": folder,
            "/proc/cmdline": folder / "cmdline",
            "/proc/device-tree/model": folder / "model",
            "/dev/vcio": folder / "vcio",
            "/sys/module/": f"{folder}/modules/",
            "/var/lib/dermascope-system": self.memory,
            "/usr/share/dermascope": self.share,
            "/run/": f"{self.run}/",
            "/opt/dermascope/bin/": f"{self._tools}/",
        }
        for name in NAMES:
            text = (SCRIPTS / name).read_text()
            for there, here in places.items():
                text = text.replace(there, str(here))
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.start("A")

    def tool(self, name: str, script: str) -> None:
        path = self._tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self, slot: str) -> None:
        (self._folder / "cmdline").write_text(f"quiet rauc.slot={slot} panic=10\n")

    def slot(self, *words: str) -> str:
        return self.script("slot", *words).stdout.strip()

    def script(self, *words: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a script, which ends with the status, or with any where it is None."""
        done = subprocess.run(
            ["sh", str(self._folder / words[0]), *words[1:]],
            env={"PATH": f"{self._tools}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert status in {done.returncode, None}, done.stderr
        return done

    @property
    def said(self) -> str:
        """Which commands of the system were given, one a line."""
        path = self._folder / "said"
        return path.read_text() if path.exists() else ""

    @property
    def command_line(self) -> str:
        """Of the system that was installed."""
        return (self._folder / "boot/cmdline.txt").read_text()

    @property
    def starts(self) -> bytes:
        """Return the first partition that the firmware is told of, and that of a trial."""
        lines = self.choice.read_bytes().splitlines()
        return b"".join(line[-1:] for line in lines if line.startswith(b"boot_partition="))
