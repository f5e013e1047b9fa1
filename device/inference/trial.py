"""The trial of a model on this very device, in a process of its own, where failing harms nothing.

It is verified once more, loaded, asked the known pictures and a few whole frames; how long it takes
and how much memory is measured.
"""

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import msgspec
import numpy as np

from device.errors import BundleError, DermascopeError
from device.frame import frame_now
from device.inference.analyzer import Analyzer
from device.inference.known_answers import known_pictures
from device.language import translatable
from device.models.bundle import load_bundle
from device.platform.child_process import same_modules

MOST_MS: Final = 2000.0
"""That the analysis of one frame may take; above it nobody waits for a finding."""

MOST_MIB: Final = 640
"""That the whole process may take; the smallest device has 1024."""

TAKE_ANOTHER: Final = translatable("take a model that this device can run")

_SECONDS: Final = 180.0
_FRAME: Final = (480, 640)
_MIB: Final = 1024


class Trial(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes
    ----------
    model
        Name and version.
    milliseconds
        Median time of the analysis of one frame, captured pictures' included.
    mebibytes
        The most memory that the process held.
    error
        Why it failed; empty where it did not.
    """

    model: str = ""
    milliseconds: float = 0.0
    mebibytes: int = 0
    error: str = ""


class _Task(msgspec.Struct, frozen=True):
    folder: str
    keys: tuple[str, ...]
    threads: int


def try_bundle(folder: Path, keys: Sequence[str], threads: int) -> Trial:
    """Return what came of the trial of a bundle.

    Raises
    ------
    device.errors.BundleError
        If it failed: it does not load, answers wrongly, takes too long or too much memory, or ends
        the process.
    """
    task = msgspec.json.encode(_Task(str(folder), tuple(keys), threads))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=task,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=same_modules(),
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BundleError(
            "the trial took longer than {seconds} s", action=TAKE_ANOTHER, seconds=round(_SECONDS)
        ) from None
    if done.returncode:
        raise BundleError(
            "the trial on this device failed",
            action=TAKE_ANOTHER,
            detail=f"ended by status {done.returncode}",
        )
    trial = msgspec.json.decode(done.stdout, type=Trial)
    if trial.error:
        raise BundleError(
            "the trial on this device failed", action=TAKE_ANOTHER, detail=trial.error
        )
    if trial.milliseconds > MOST_MS:
        raise BundleError(
            "the trial took {taken} ms a frame, and {allowed} ms are allowed",
            action=TAKE_ANOTHER,
            taken=round(trial.milliseconds),
            allowed=round(MOST_MS),
        )
    if trial.mebibytes > MOST_MIB:
        raise BundleError(
            "the trial took {taken} MiB of memory, and {allowed} MiB are allowed",
            action=TAKE_ANOTHER,
            taken=trial.mebibytes,
            allowed=MOST_MIB,
        )
    return trial


def main() -> None:
    """Do the trial that standard input asks for, and tell on standard output what came of it."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=_Task)
    try:
        trial = _try(Path(task.folder), task.keys, task.threads)
    except DermascopeError as error:
        trial = Trial(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(trial))


def _try(folder: Path, keys: tuple[str, ...], threads: int) -> Trial:
    bundle = load_bundle(folder, keys)
    analyzer = Analyzer(bundle, threads)
    taken = []
    for number, pixels in enumerate(known_pictures(*_FRAME)):
        frame = frame_now(pixels, number, "trial")
        for as_captured in (False, True):
            begin = perf_counter()
            finding = analyzer.analyze(frame, as_captured=as_captured)
            taken.append((perf_counter() - begin) * 1e3)
            if not np.isclose(sum(finding.probabilities), 1.0, atol=1e-3):
                raise BundleError("its probabilities do not sum to 1")
    most = _most_memory() // _MIB
    return Trial(bundle.manifest.model_id, median(taken), most)


def _most_memory() -> int:
    """Return the most memory that this program took, in KiB.

    What `getrusage` tells is never less than what the process took that started this one.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
