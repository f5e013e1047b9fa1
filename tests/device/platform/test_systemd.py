import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.app import CLOSING_SECONDS
from device.cli import main
from device.exit_status import ExitStatus
from device.fault_screen import TRY_AGAIN
from device.instrument import LATE_SECONDS, RECORDS_SECONDS
from device.platform.sdl_drivers import INVISIBLE
from device.platform.signals import NOTICE_SECONDS
from device.platform.systemd import Notifier
from device.runtime.health import ALLOWANCES, Part
from device.status.reader import SERVICE_FOLDER
from tests.device.manager import Manager

UNITS = sorted((Path(__file__).parents[3] / "systemd").glob("*.service"))
WITH_A_SCREEN = [u for u in UNITS if u.name != "dermascope-data-check.service"]
EXPOSURE_AT_MOST = 20  # tenths of systemd's own score, where 100 is the worst


@pytest.fixture(params=["file", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "file" else f"@{tmp_path}/notify"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(address: str, manager: Manager) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})


def test_each_message_is_one_datagram_of_the_protocol(notifier: Notifier, manager: Manager) -> None:
    notifier.ready()
    notifier.status("No camera:\nplug it in")
    notifier.alive()
    notifier.stopping()
    assert manager.heard() == [
        "READY=1", "STATUS=No camera: plug it in", "WATCHDOG=1", "STOPPING=1",
    ]  # fmt: skip
    assert notifier.watchdog_seconds == 30.0


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    notifier = Notifier(environment)
    notifier.ready()
    notifier.alive()
    assert notifier.watchdog_seconds is None


def test_a_manager_that_does_not_listen_does_not_hold_the_screen_up(
    notifier: Notifier, manager: Manager
) -> None:
    for _ in range(20):
        notifier.alive()
    assert manager.heard()


@pytest.fixture
def installed(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a unit as installed, with programs that are there."""

    def install(unit: Path) -> Path:
        for other in UNITS:
            content = re.sub(r"/opt/dermascope/bin/\w+", sys.executable, other.read_text())
            content = content.replace("file:/opt/dermascope/README.md", "file:/dev/null")
            (tmp_path / other.name).write_text(content)
        return tmp_path / unit.name

    return install


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_unit_is_understood_without_a_word(installed: Callable[[Path], Path], unit: Path) -> None:
    path = installed(unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True, text=True, check=False, cwd=path.parent,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{path.parent}:"},
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_unit_is_locked_in(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_AT_MOST}",
         str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_unit_gives_the_watchdog_more_time_than_the_live_view_may_take_for_a_step() -> None:
    unit = next(u for u in UNITS if u.name == "dermascope.service").read_text()
    assert "Type=notify\n" in unit
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)
    # The recorder may take longer for a worn card: until then the screen resets the timer.
    allowances = [seconds for part, seconds in ALLOWANCES.items() if part is not Part.RECORDER]
    assert int(seconds) > max(allowances)
    assert "OnFailure=dermascope-fault.service\n" in unit


def test_unit_of_the_instrument_starts_where_lgpio_may_make_its_pipe() -> None:
    unit = next(u for u in UNITS if u.name == "dermascope.service").read_text()
    assert "PrivateTmp=yes\n" in unit
    assert "WorkingDirectory=/tmp\n" in unit
    assert "Environment=LG_WD=/tmp\n" in unit


def text(name: str) -> str:
    return next(u for u in UNITS if u.name == name).read_text()


def asked_of_systemctl(unit: str, status: int, folder: Path) -> list[str]:
    """Return what a unit's last command asks of systemctl after a program's exit status."""
    (after,) = re.findall(r"^ExecStopPost=\+/bin/sh -c '(.*)'$", text(unit), re.MULTILINE)
    told = folder / "told"
    systemctl = folder / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    systemctl.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", after.replace("$$", "$").replace("%n", unit)],
        env={"PATH": f"{folder}:/usr/bin:/bin", "EXIT_STATUS": str(status)},
        check=False,
    )
    assert done.returncode == 0
    return told.read_text().splitlines() if told.exists() else []


@pytest.mark.parametrize("status", list(ExitStatus))
def test_unit_of_the_instrument_meets_what_was_asked_of_the_screen(
    tmp_path: Path, status: ExitStatus
) -> None:
    unit = text("dermascope.service")
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert command.endswith(" run --appliance")
    assert f"SuccessExitStatus={ExitStatus.RESTART} {ExitStatus.POWER_OFF}\n" in unit
    assert f"RestartForceExitStatus={ExitStatus.RESTART}\n" in unit
    assert f"RestartPreventExitStatus={ExitStatus.CANNOT_START}\n" in unit
    # A restart that was asked for does not count as one that failed.
    asked = {
        ExitStatus.RESTART: ["reset-failed dermascope.service"],
        ExitStatus.POWER_OFF: ["--no-block poweroff"],
    }
    assert asked_of_systemctl("dermascope.service", status, tmp_path) == asked.get(status, [])


@pytest.mark.parametrize("status", [0, 1, TRY_AGAIN])
def test_unit_of_the_trouble_screen_starts_the_instrument_again(
    tmp_path: Path, status: int
) -> None:
    assert f"SuccessExitStatus={TRY_AGAIN}\n" in text("dermascope-fault.service")
    again = ["reset-failed dermascope.service", "--no-block start dermascope.service"]
    asked = asked_of_systemctl("dermascope-fault.service", status, tmp_path)
    assert asked == (again if status == TRY_AGAIN else [])


@pytest.mark.parametrize("unit", WITH_A_SCREEN, ids=lambda u: u.name)
def test_unit_has_a_screen_and_keys_of_its_own_and_leaves_no_core(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    (drivers,) = [x for x in lines if x.startswith("Environment=SDL_VIDEODRIVER=")]
    assert not set(INVISIBLE).intersection(drivers.rpartition("=")[2].split(","))
    assert {"StandardInput=tty", "TTYPath=/dev/tty1", "LimitCORE=0"} <= set(lines)
    assert any(x.startswith("Conflicts=") and "getty@tty1.service" in x for x in lines)
    # The boot's splash holds the screen until then; graphics drivers say where memory lies.
    assert any(x.startswith("After=") and "plymouth-quit-wait.service" in x for x in lines)
    assert "SystemCallFilter=mbind" in lines
    # udev's messages about what is plugged in later reach the machine's own network alone.
    assert not any(x.startswith("PrivateNetwork=") for x in lines)
    assert {"RestrictAddressFamilies=AF_UNIX AF_NETLINK", "IPAddressDeny=any"} <= set(lines)


def test_program_waits_and_ends_within_what_the_unit_gives_it() -> None:
    unit = text("dermascope.service")
    (start,) = re.findall(r"^TimeoutStartSec=(\d+)$", unit, re.MULTILINE)
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(start) > LATE_SECONDS + RECORDS_SECONDS
    assert int(stop) > NOTICE_SECONDS + CLOSING_SECONDS


def test_disk_is_checked_before_the_instrument_and_moves_nothing() -> None:
    check, unit = text("dermascope-data-check.service"), text("dermascope.service")
    assert "Before=dermascope.service\n" in check
    # Wanted, not required: what is wrong with a disk keeps nobody from seeing a lesion.
    assert "Wants=dermascope-data-check.service\n" in unit
    assert "Requires=" not in unit
    # Two units of one folder, of which one has a user for each start, would move it to and fro.
    assert "StateDirectory=dermascope\n" in unit
    assert not re.search(r"^(StateDirectory|DynamicUser|User)=", check, re.MULTILINE)
    assert "Environment=STATE_DIRECTORY=/var/lib/dermascope\n" in check


def test_data_check_runs_what_the_program_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = re.findall(
        r"^ExecStart=/opt/dermascope/bin/dermascope (.*)$",
        text("dermascope-data-check.service"), re.MULTILINE,
    )  # fmt: skip
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert main(shlex.split(command)) == ExitStatus.OK


def groups(unit: str) -> set[str]:
    return {g for line in re.findall(r"^SupplementaryGroups=(.*)$", unit, re.MULTILINE)
            for g in line.split()}  # fmt: skip


def test_groups_that_the_units_name_are_made_where_a_system_lacks_them(tmp_path: Path) -> None:
    lines = (UNITS[0].parent / "dermascope.sysusers").read_text().splitlines()
    made = {line.split()[1] for line in lines if line.startswith("g ")}
    named = groups(text("dermascope.service"))
    assert named == {"video", "render", "input", "gpio"} == made
    # That one is the journal's own.
    assert groups(text("dermascope-fault.service")) - {"systemd-journal"} <= made
    rules = (UNITS[0].parent / "dermascope.rules").read_text()
    assert set(re.findall(r'GROUP="(\w+)"', rules)) <= made


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd is not installed")
def test_groups_are_understood_by_systemd(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = UNITS[0].parent / "dermascope.sysusers"
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "-"],
        input=file.read_text(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "etc" / "group").read_text()
    assert {line.split(":")[0] for line in made.splitlines()} >= {"video", "render", "gpio"}


def test_status_lies_where_it_is_looked_for() -> None:
    (name,) = re.findall(r"^RuntimeDirectory=(.*)$", text("dermascope.service"), re.MULTILINE)
    assert Path("/run") / name == SERVICE_FOLDER
