"""An emulated Raspberry Pi's firmware is asked for a trial, by the image's very kernel."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from build_host.image.kernel_module import NAME, headers_root, kernel_version
from build_host.image.recipe import load_recipe
from build_host.image.tools import Tools, cache_folder, entered
from tests.image.conftest import BUILT
from tests.image.test_boot import START_SECONDS

ROOT = BUILT / "work/root"
RESTARTS = "reboot: Restarting system with command '0 tryboot'"
SET_REBOOT_FLAGS = "00038064"
"""What QEMU's stand-in for the firmware says that it does not know."""


def archive(files: dict[str, bytes]) -> bytes:
    """Return files as an archive that a kernel unpacks (cpio, newc)."""
    packed = b""
    for number, (name, content) in enumerate([*files.items(), ("TRAILER!!!", b"")], 1):
        path = name.encode() + b"\0"
        fields = (number, 0o100755, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        packed += b"070701" + b"".join(b"%08X" % field for field in fields) + path
        packed += bytes(-len(packed) % 4) + content
        packed += bytes(-len(packed) % 4)
    return packed


@pytest.mark.parametrize("module", [True, False])
def test_firmware_is_asked_for_a_trial_where_the_module_is(
    tools: Tools, tmp_path: Path, module: bool
) -> None:
    version = kernel_version(ROOT)
    headers = headers_root(version, load_recipe(), cache_folder(), tools)
    source = Path(__file__).with_name("restarts_for_a_trial.c")
    shutil.copy(source, tmp_path)
    flags = ["-static", "-nostdlib", "-ffreestanding", "-Os", "-o", str(tmp_path / "init")]
    compiler = ["aarch64-linux-gnu-gcc-14", *flags, str(tmp_path / source.name)]
    subprocess.run(entered(headers, compiler, [tmp_path]), check=True)
    files = {"init": (tmp_path / "init").read_bytes()}
    built = ROOT / f"usr/lib/modules/{version}/updates/{NAME}.ko"
    if module:
        files["module.ko"] = built.read_bytes()
    (tmp_path / "initramfs").write_bytes(archive(files))
    boot = BUILT / "work/boot-a.vfat"
    kernel, tree = tmp_path / "vmlinuz", tmp_path / "bcm2837-rpi-3-b.dtb"
    for path in (kernel, tree):
        copied = ["mcopy", "-n", "-o", "-i", str(boot), f"::/{path.name}", str(path)]
        tools.run(copied, [boot.parent, tmp_path])
    command = [
        "qemu-system-aarch64", "-machine", "raspi3b", "-display", "none", "-no-reboot",
        "-kernel", str(kernel), "-dtb", str(tree),
        "-initrd", str(tmp_path / "initramfs"), "-append", "console=ttyAMA0,115200 rdinit=/init",
        "-serial", f"file:{tmp_path / 'serial'}", "-d", "unimp", "-D", str(tmp_path / "log"),
    ]  # fmt: skip
    serial = tmp_path / "serial"
    with subprocess.Popen(tools.command(command, [tmp_path])) as machine:
        end = time.monotonic() + START_SECONDS
        said = ""
        try:
            # It goes off by a driver that is not loaded here: said is all that it does.
            while RESTARTS not in said:
                assert machine.poll() is None
                assert time.monotonic() < end
                time.sleep(0.5)
                said = serial.read_text("utf-8", "replace") if serial.exists() else ""
        finally:
            machine.kill()
    assert ("the firmware was asked for a trial" in said) == module
    assert (SET_REBOOT_FLAGS in (tmp_path / "log").read_text()) == module
