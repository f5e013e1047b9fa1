"""Every attack, one after another, each in a process of its own: the tables of ``docs``.

``python -m tests.fuzz --count 100000``: so many files, and of what takes longer a share of that.
"""

import subprocess
import sys
from typing import Final

from tests.fuzz.disks import ALLOWED
from tests.fuzz.outcomes import options
from tests.fuzz.servers import SERVERS

ATTACKS: Final = {
    "Files": ("tests.fuzz.files", 1),
    "Signed manifests": ("tests.fuzz.manifests", 10),
    "Settings": ("tests.fuzz.settings", 5),
    "Records": ("tests.fuzz.records", 10),
    "Servers": ("tests.fuzz.servers", 100_000 // (10 * len(SERVERS))),
    "Kills": ("tests.device.records.kill", 50),
}
"""Which module attacks, and how many files there are for one of its attempts."""


def main() -> None:
    """Run all, and fail if one does."""
    told = options(__doc__, 100_000)
    for heading, (module, share) in ATTACKS.items():
        arguments = ["--count", str(max(1, told.count // share)), "--seed", str(told.seed)]
        _run(heading, module, *arguments)
    if ALLOWED:
        _run("Disks", "tests.fuzz.disks")
    else:
        sys.stdout.write("## Disks\n\nThey are mounted for this: run it as root.\n")


def _run(heading: str, module: str, *arguments: str) -> None:
    sys.stdout.write(f"## {heading}\n\n")
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
