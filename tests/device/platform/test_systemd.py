import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.platform.systemd import ALLOWANCES, RESTART, SWITCH_OFF, Heartbeat, Notifier

UNITS = sorted((Path(__file__).parents[3] / "systemd").glob("*.service"))
EXPOSURE_AT_MOST = 20  # tenths of systemd's own score, where 100 is the worst


class Manager:
    """The service manager's end of the notify socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["file", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "file" else f"@{tmp_path}/notify"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager("\0" + address[1:] if address.startswith("@") else address)
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


def test_readiness_is_said_once_when_the_first_frame_is_drawn(
    notifier: Notifier, manager: Manager
) -> None:
    heart = Heartbeat(notifier, clock=Clock())
    assert manager.heard() == []
    heart.first_frame_drawn()
    heart.first_frame_drawn()
    assert manager.heard() == ["READY=1", "STATUS=Live"]


def test_watchdog_is_fed_while_every_thread_moves(notifier: Notifier, manager: Manager) -> None:
    clock = Clock()
    heart = Heartbeat(notifier, clock=clock)
    heard = 0
    for _ in range(60 * 30):
        clock.now += 1 / 30
        for part in ALLOWANCES:
            heart.mark(part)
        heart.beat()
        heard += len(manager.heard())
    # Often enough, and not at each of 1800 frames.
    assert 50 <= heard <= 70


@pytest.mark.parametrize("part", ALLOWANCES)
def test_one_thread_that_stands_still_starves_the_watchdog(
    notifier: Notifier, manager: Manager, part: str
) -> None:
    clock = Clock()
    heart = Heartbeat(notifier, clock=clock)
    last_fed = clock.now
    for _ in range(400):
        clock.now += 0.1
        for other in ALLOWANCES:
            if other != part:
                heart.mark(other)
        heart.beat()
        if "WATCHDOG=1" in (heard := manager.heard()):
            last_fed = clock.now
        elif any("STATUS" in message for message in heard):
            assert heard == [f"STATUS=No progress: {part}"]
    assert heart.stalled() == (part,)
    assert last_fed == pytest.approx(100.0 + ALLOWANCES[part], abs=1.2)
    heart.mark(part)
    clock.now += 1.1
    heart.beat()
    assert manager.heard() == ["STATUS=Live", "WATCHDOG=1"]


def test_thread_that_has_finished_is_not_waited_for(notifier: Notifier, manager: Manager) -> None:
    clock = Clock()
    heart = Heartbeat(notifier, clock=clock)
    heart.finished("capture")
    heart.mark("capture")
    clock.now += 100.0
    assert "capture" not in heart.stalled()
    for part in ("analysis", "screen"):
        heart.mark(part)
    heart.beat()
    assert manager.heard() == ["WATCHDOG=1"]


def test_watchdog_of_a_short_time_is_fed_twice_within_it(address: str, manager: Manager) -> None:
    clock = Clock()
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    heart = Heartbeat(notifier, clock=clock)
    for _ in range(100):
        clock.now += 0.01
        heart.mark("screen")
        heart.beat()
    assert len(manager.heard()) >= 2


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


def test_units_give_the_watchdog_more_time_than_any_thread_has() -> None:
    unit = next(u for u in UNITS if u.name == "dermascope.service").read_text()
    assert "Type=notify\n" in unit
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)
    assert int(seconds) > max(ALLOWANCES.values())
    assert "OnFailure=dermascope-fault.service\n" in unit


def test_unit_of_the_instrument_starts_where_lgpio_may_make_its_pipe() -> None:
    unit = next(u for u in UNITS if u.name == "dermascope.service").read_text()
    assert "PrivateTmp=yes\n" in unit
    assert "WorkingDirectory=/tmp\n" in unit
    assert "Environment=LG_WD=/tmp\n" in unit


@pytest.mark.parametrize("status", [0, 1, RESTART, SWITCH_OFF])
def test_unit_of_the_instrument_meets_what_was_asked_of_the_screen(
    tmp_path: Path, status: int
) -> None:
    unit = next(u for u in UNITS if u.name == "dermascope.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert command.endswith(" run --appliance")
    assert f"SuccessExitStatus={RESTART} {SWITCH_OFF}\n" in unit
    assert f"RestartForceExitStatus={RESTART}\n" in unit
    (after,) = re.findall(r"^ExecStopPost=\+/bin/sh -c '(.*)'$", unit, re.MULTILINE)
    told = tmp_path / "told"
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    systemctl.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", after.replace("$$", "$")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "EXIT_STATUS": str(status)},
        check=False,
    )
    assert done.returncode == 0
    assert told.exists() == (status == SWITCH_OFF)
    if told.exists():
        assert told.read_text() == "--no-block poweroff\n"
