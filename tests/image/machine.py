"""An instrument with nothing but a screen, a pointer, a keyboard and a power switch, emulated."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from build_host.image.tools import Tools
from device.screen.layout import arrange
from device.screen.pages.base import page_class
from device.screen.registry import PageName
from tests.image import firmware
from tests.image.card import Card

SIZE = (800, 480)
READY = r"Started .*dermascope\.service"
_AXIS = 32767
_SLOW_UNITS = ("dermascope", "dermascope-data-check")
_PATIENCE = " ".join(
    f"systemd.set_credential_binary=systemd.unit-dropin.{unit}.service:{drop_in}"
    for unit in _SLOW_UNITS
    for drop_in in [b64encode(b"[Service]\nTimeoutStartSec=1h\nWatchdogSec=20min\n").decode()]
)
"""An emulated machine is slow: its time is never what is tested."""


def stick(files: Sequence[Path], tools: Tools) -> Path:
    """Return the image of a USB stick with files on it, which are moved there."""
    folder = files[0].parent
    image = folder / "stick.img"
    kibibytes = sum(path.stat().st_size for path in files) >> 10
    size = str(kibibytes + 34816)
    tools.run(["mkfs.vfat", "-F", "32", "-n", "STICK", "-C", str(image), size], [folder])
    for path in files:
        tools.run(["mcopy", "-i", str(image), str(path), "::/"], [folder])
        path.unlink()
    return image


def plugged(image: Path) -> list[str]:
    """Return the emulator's arguments for a stick that is plugged in."""
    return [
        "-device", "qemu-xhci",
        "-drive", f"file={image},format=raw,if=none,id=memory,readonly=on",
        "-device", "usb-storage,drive=memory,id=stick",
    ]  # fmt: skip


class SilentError(AssertionError):
    """The machine did not say in time what was waited for."""


class Machine:
    """A machine that is switched on when it is made, and off when it is closed.

    Parameters
    ----------
    card
        What it starts from.
    folder
        Takes its sockets and ``serial.log``, to which each start appends.
    tools
        Hold the emulator.
    trial
        It was asked to try the other system once.
    extra
        More words of the kernel's command line.
    arguments
        More of the emulator's: another disk, a network.
    shared
        Folders that these name.
    """

    def __init__(
        self,
        card: Card,
        folder: Path,
        tools: Tools,
        *,
        trial: bool = False,
        extra: str = "",
        arguments: Sequence[str] = (),
        shared: Sequence[Path] = (),
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        start = firmware.choose(card, folder, trial=trial)
        self.partition = start.partition
        self.log = folder / "serial.log"
        self._from = self.log.stat().st_size if self.log.exists() else 0
        for name in ("qmp", "shell"):
            (folder / name).unlink(missing_ok=True)
        words = [start.command_line, _PATIENCE, "systemd.debug_shell=hvc0", extra]
        width, height = SIZE
        command = [
            "qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-smp", "2",
            "-m", "1536", "-accel", "tcg,thread=multi,tb-size=512", "-nodefaults",
            "-display", "none", "-no-reboot",
            "-kernel", str(start.kernel), "-initrd", str(start.initramfs),
            "-append", " ".join(words).strip(),
            "-drive", f"file={card.path},format=raw,if=none,id=card,cache=writeback",
            "-device", "virtio-blk-pci,drive=card",
            "-device", f"virtio-gpu-pci,xres={width},yres={height}",
            "-device", "virtio-tablet-pci", "-device", "virtio-keyboard-pci",
            "-device", "virtio-rng-pci",
            "-chardev", f"file,id=serial,path={self.log},append=on", "-serial", "chardev:serial",
            "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=shell",
            "-chardev", f"socket,id=shell,path={folder / 'shell'},server=on,wait=off",
            "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off",
            *arguments,
        ]  # fmt: skip
        with (folder / "qemu.log").open("ab") as complaints:
            self._process = subprocess.Popen(
                tools.command(command, [folder, card.path.parent, *shared]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
            )
        self._qmp = _connect(folder / "qmp", self._process)
        self._qmp_lines = self._qmp.makefile("r", encoding="utf-8")
        self._qmp_lines.readline()
        self._shell: socket.socket | None = None
        self.ask("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut_power()

    @property
    def said(self) -> str:
        """What came over the serial line since it was switched on."""
        with self.log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode("utf-8", "replace")

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """Wait until something was said over the serial line.

        Raises
        ------
        Silent
            If it was not said in time, or the machine has gone off; its last words are told.
        """
        end = time.monotonic() + seconds
        while True:
            running = self._process.poll() is None
            if match := re.search(pattern, self.said):
                return match
            if not running or time.monotonic() > end:
                last = "\n".join(self.said.splitlines()[-40:])
                raise SilentError(
                    f"{pattern!r} was not said ({'on' if running else 'off'}):\n{last}"
                )
            time.sleep(0.2)

    def wait_until_off(self, seconds: float) -> None:
        """Wait until it has gone off, or would start again."""
        self._process.wait(seconds)

    @property
    def asks_for_trial(self) -> bool:
        """Whether it went off to try the other system."""
        return firmware.TRYBOOT.search(self.said) is not None

    def cut_power(self) -> None:
        """Switch it off at once."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._qmp_lines.close()
        self._qmp.close()
        if self._shell:
            self._shell.close()

    def ask(self, command: str, **arguments: Any) -> Any:
        """Give the emulator a command and return its answer."""
        request = {"execute": command, "arguments": arguments}
        self._qmp.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(self._qmp_lines.readline())
            if "error" in answer:
                raise AssertionError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def screenshot(self, path: Path) -> Path:
        """Write what the screen shows as a PNG."""
        # The emulator sees the machine's own folder alone.
        drawn = self.folder / "screen.png"
        self.ask("screendump", filename=str(drawn), format="png")
        shutil.copyfile(drawn, path)
        return path

    def touch(self, x: float, y: float) -> None:
        """Touch the screen at a place, in pixels from the top left."""
        at = [
            {"type": "abs", "data": {"axis": axis, "value": round(value / size * _AXIS)}}
            for axis, value, size in (("x", x, SIZE[0]), ("y", y, SIZE[1]))
        ]
        self.ask("input-send-event", events=at)
        for down in (True, False):
            button = {"type": "btn", "data": {"button": "left", "down": down}}
            self.ask("input-send-event", events=[button])
            time.sleep(0.3)

    def touch_target(self, page: str, target: str) -> None:
        """Touch what stands on a page of the instrument, by the names that its program has."""
        layout = arrange(*SIZE)
        self.touch(*page_class(PageName(page)).places(layout)[target].center)

    def press(self, key: str) -> None:
        """Press a key, by its name as QEMU has it."""
        self.ask("send-key", keys=[{"type": "qcode", "data": key}])

    def root(self, command: str, seconds: float = 120.0) -> str:
        """Run a command in the machine as root, and return what it printed.

        The shell is the emulated machine's alone: the kernel's command line opens it.
        """
        if self._shell is None:
            self._shell = _connect(self.folder / "shell", self._process)
            # Neither colours nor what was typed.
            self._shell.sendall(b"stty -echo; exec env TERM=dumb PS1= PS2= SYSTEMD_PAGER= sh\n")
        mark = f"end-{time.monotonic_ns()}"
        self._shell.settimeout(1.0)
        # Written apart, so that the mark is not found in the command itself.
        self._shell.sendall(
            f"printf '%s%s\\n' begin- {mark[4:]}; {command}; "
            f"printf '%s%s %d\\n' end- {mark[4:]} $?\n".encode()
        )
        heard, end = "", time.monotonic() + seconds
        while not (match := re.search(rf"{mark} (\d+)\r?\n", heard)):
            if time.monotonic() > end:
                raise SilentError(f"{command!r} did not end:\n{heard[-2000:]}")
            try:
                heard += self._shell.recv(65536).decode("utf-8", "replace")
            except TimeoutError:
                continue
        return (
            heard[: match.start()].partition(f"begin-{mark[4:]}")[2].replace("\r", "").lstrip("\n")
        )


def _connect(path: Path, process: subprocess.Popen[bytes]) -> socket.socket:
    while True:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(str(path))
        except OSError:
            line.close()
            if process.poll() is not None:
                raise SilentError("the emulator does not start; see qemu.log") from None
            time.sleep(0.1)
        else:
            return line
