"""Cuts the power, as far as files go, at any moment of a traced run, and looks at what is left.

The program runs once under strace. Its calls are then played back up to some moment into files of
which, as a disk may, only what was flushed is certain: of the writes since, each is there, or torn,
or not; of the names made and removed in a folder since, the first few hold. What the program had
acknowledged by then must be there (`tests.device.records.kill`).
"""

import json
import random
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from device.records.encrypted_archive import EncryptedArchive
from tests.device.records.kill import Trials
from tests.device.records.kill_deeds import CHEAP, Known, use

_CALLS = (
    "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,unlink,mkdir,rmdir,writev,pwritev,"
    "renameat2,unlinkat"
)
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")
_SECTOR = 512
_OUTPUT = 1


@dataclass
class File:
    """What a file holds for certain, and what was written to it since it was flushed."""

    certain: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)
    end: int = 0

    def write(self, content: bytes, place: int | None) -> None:
        """Write at a place, or where the last write ended."""
        place = self.end if place is None else place
        self.since.append((place, content))
        self.end = place + len(content)

    def flush(self) -> None:
        """Make all of it certain."""
        content = bytearray(self.certain)
        for change in self.since:
            _change(content, *change)
        self.certain, self.since = bytes(content), []

    def left(self, chance: random.Random) -> bytes:
        """Return what a cut leaves."""
        content = bytearray(self.certain)
        for place, written in self.since:
            fate = chance.random()
            if fate < 0.4:
                _change(content, place, written)
            elif fate < 0.6 and written:
                torn = chance.randrange(len(written)) // _SECTOR * _SECTOR
                _change(content, place, written[:torn])
        return bytes(content)


class Disk:
    """A folder as it is on the disk while a trace of calls is played back.

    Parameters
    ----------
    root
        Of the folder that the trace is of.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: dict[Path, File | None] = {}
        self.certain: dict[Path, File | None] = {root.parent: None}
        self.since: defaultdict[Path, list[dict[Path, File | bool | None]]] = defaultdict(list)
        self.told: list[list[str]] = []

    def play(self, line: str) -> None:
        """Play a line of the trace."""
        match = _LINE.match(line)
        if match is None or int(match[3]) < 0:
            return
        call, arguments = match[1], match[2]
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
        descriptor = _DESCRIPTOR.match(arguments)
        if call == "write" and descriptor and int(descriptor[1]) == _OUTPUT:
            self.told.append(json.loads(texts[0]))
            return
        named = descriptor[2].replace("\\x", "") if descriptor else ""
        path = Path(bytes.fromhex(named).decode() if descriptor else texts[0].decode())
        if call == "openat":
            path = Path(texts[0].decode())
        if path != self.root.parent and not path.is_relative_to(self.root):
            return
        self._do(call, path, arguments, texts)

    def _do(self, call: str, path: Path, arguments: str, texts: list[bytes]) -> None:
        match call:
            case "openat":
                if "O_CREAT" in arguments and path not in self.names:
                    self._name({path: File()})
                assert "O_TRUNC" not in arguments
            case "write":
                self._file(path).write(texts[0], None)
            case "pwrite64":
                self._file(path).write(texts[0], int(arguments.rpartition(",")[2]))
            case "ftruncate":
                self._file(path).since.append((int(arguments.rpartition(",")[2]), None))
            case "fsync":
                self._flush(path)
            case "rename":
                self._name({path: False, Path(texts[1].decode()): self.names[path]})
            case "unlink" | "rmdir":
                self._name({path: False})
            case "mkdir":
                self._name({path: None})
            case _:
                raise AssertionError(f"a call that is not played back: {call}")

    def _flush(self, path: Path) -> None:
        if (file := self.names.get(path)) is not None:
            file.flush()
        else:
            for change in self.since.pop(path, []):
                _rename(self.certain, change)

    def _file(self, path: Path) -> File:
        file = self.names[path]
        assert file is not None
        return file

    def _name(self, change: dict[Path, File | bool | None]) -> None:
        _rename(self.names, change)
        self.since[next(iter(change)).parent].append(change)

    def cut(self, folder: Path, chance: random.Random) -> None:
        """Write what a cut of the power leaves to a folder."""
        names = dict(self.certain)
        for changes in self.since.values():
            for change in changes[: chance.randint(0, len(changes))]:
                _rename(names, change)
        shutil.rmtree(folder, ignore_errors=True)
        for path, file in sorted(names.items()):
            if path == self.root.parent or path.parent not in names:
                continue
            copy = folder / path.relative_to(self.root)
            if file is None:
                copy.mkdir(mode=0o700, parents=True)
            else:
                copy.write_bytes(file.left(chance))


def trace(folder: Path, seed: int) -> Iterator[str]:
    """Yield the calls of a run that makes an archive, changes it and ends."""
    log = folder / "trace.log"
    subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "10000000", "-e", f"trace={_CALLS}", "-o", str(log),
         sys.executable, "-m", "tests.device.records.power_cut", str(folder / "traced"), str(seed)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with log.open(encoding="ascii") as lines:
        yield from lines


def cut_at_any_moment(folder: Path, seed: int, share: float) -> int:
    """Cut a run at a share of its moments, look at what is left, and return how many they were.

    Raises
    ------
    AssertionError
        If something acknowledged is lost, or half there.
    """
    chance = random.Random(seed)
    disk, cuts = Disk(folder / "traced"), 0
    for line in list(trace(folder, seed)):
        disk.play(line)
        if chance.random() < share:
            cuts += 1
            disk.cut(folder / "used", chance)
            Trials.of_what_is_left(folder, disk.told)
    return cuts


def _change(content: bytearray, place: int, written: bytes | None) -> None:
    if written is None:
        del content[place:]
        content.extend(bytes(place - len(content)))
        return
    content.extend(bytes(max(0, place - len(content))))
    content[place : place + len(written)] = written


def _rename(names: dict[Path, File | None], change: dict[Path, File | bool | None]) -> None:
    for path, file in change.items():
        if file is False:
            names.pop(path, None)
        else:
            assert file is not True
            names[path] = file


def main() -> None:
    """Run what is traced: changes to a new archive, acknowledged on standard output."""

    def tell(*words: object) -> None:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()

    use(EncryptedArchive(Path(sys.argv[1]), pin_cost=CHEAP), Known(), int(sys.argv[2]), 14, tell)


if __name__ == "__main__":
    main()
