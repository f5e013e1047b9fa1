"""The program in ``/opt/dermascope``, as a virtual environment of the instrument's own Python."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from build_host.image.commands import ToolError, run
from build_host.image.recipe import FOLDER
from build_host.image.tools import Tools

TREE: Final = FOLDER.parent.parent
PREFIX: Final = Path("opt/dermascope")
PYTHON: Final = "3.13"
SITE: Final = PREFIX / f"lib/python{PYTHON}/site-packages"

_PLATFORMS: Final = tuple(
    f"--platform=manylinux{version}_aarch64" for version in ("_2_28", "_2_27", "_2_17", "2014")
)
_LOCKED: Final = ("requirements/device.txt", "build_host/image/hardware.txt")
_SHIPPED: Final = ("device", "models")
_START: Final = """\
#!/opt/dermascope/bin/python
import sys

from device.cli import main

sys.exit(main())
"""
_ENVIRONMENT: Final = f"""\
home = /usr/bin
include-system-site-packages = true
version = {PYTHON}
executable = /usr/bin/python{PYTHON}
"""


def download_wheels(cache: Path, tree: Path = TREE) -> Path:
    """Return a folder with the locked wheels for aarch64, each checked by its hash.

    Raises
    ------
    build_host.image.commands.ToolError
        If one cannot be had, or is not what was locked.
    """
    locked = [tree / name for name in _LOCKED]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in locked)).hexdigest()[:16]
    folder = cache / f"wheels-{digest}"
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        for path in locked:
            run([*_pip("download"), f"--dest={part}", *_wheels(path)])
        part.replace(folder)
    return folder


def install_program(root: Path, wheels: Path, tools: Tools, tree: Path = TREE) -> None:
    """Install the program and what it needs into a root, from the downloaded wheels alone.

    Parameters
    ----------
    root
        Of the instrument.
    wheels
        What `download_wheels` returned.
    tools
        Their Python is the instrument's, and compiles for it.

    Raises
    ------
    build_host.image.commands.ToolError
        If a wheel is missing or not what was locked.
    """
    prefix, site = root / PREFIX, root / SITE
    shutil.rmtree(prefix, ignore_errors=True)
    for name in _LOCKED:
        offline = ["--no-index", f"--find-links={wheels}", "--no-compile", f"--target={site}"]
        # pip asks the Python that it runs on; the wheels were chosen for the instrument's.
        run([*_pip("install"), "--ignore-requires-python", *offline, *_wheels(tree / name)])
    # Scripts begin with the path of the Python that installed them.
    shutil.rmtree(site / "bin", ignore_errors=True)
    stubs = FOLDER / "camera"
    shutil.copytree(stubs, site, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in tracked_files(tree):
        goes = site / name if name.startswith("device/") else prefix / "share/dermascope" / name
        goes.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / name, goes)
    (prefix / "pyvenv.cfg").write_text(_ENVIRONMENT)
    folder = prefix / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(f"/usr/bin/python{PYTHON}")
    start = folder / "dermascope"
    start.write_text(_START)
    start.chmod(0o755)
    for name in ("README.md", "LICENSE", "NOTICE"):
        shutil.copyfile(tree / name, prefix / name)
    tools.run(
        # One after another: what was compiled before it shows in the bytes of a file.
        ["python3", "-m", "compileall", "-q", "-j1", "--invalidation-mode=unchecked-hash",
         "-s", str(root), str(site)],
        [root],
        {"PYTHONHASHSEED": "0"},
    )  # fmt: skip


def tracked_files(tree: Path = TREE) -> list[str]:
    """Return what of the program git knows, so that nothing else lands on a card.

    Raises
    ------
    build_host.image.commands.ToolError
        If the tree is no clone.
    """
    said = run(["git", "-C", str(tree), "ls-files", "-z", "--", *_SHIPPED])
    names = [name for name in said.split("\0") if name and (tree / name).is_file()]
    if not names:
        raise ToolError(f"{tree}: holds no program; build from a clone of the repository")
    return names


def commit(tree: Path = TREE) -> str:
    """Return the commit that the tree is at, with ``-dirty`` where files differ from it."""
    head = run(["git", "-C", str(tree), "rev-parse", "HEAD"]).strip()
    changed = subprocess.run(
        ["git", "-C", str(tree), "diff", "--quiet", "HEAD"], check=False
    ).returncode
    return f"{head}-dirty" if changed else head


def commit_time(tree: Path = TREE) -> int:
    """Return when the commit was made, seconds since 1970."""
    return int(run(["git", "-C", str(tree), "log", "-1", "--format=%ct"]))


def _pip(command: str) -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", command]


def _wheels(requirements: Path) -> list[str]:
    return [
        "--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp",
        f"--python-version={PYTHON}", *_PLATFORMS, f"--requirement={requirements}",
    ]  # fmt: skip
