"""How the running instrument is: gathered, written, read, and asked for over a port."""

import http.client
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from device import __version__
from device.cli import main
from device.errors import ConfigError, StatusError
from device.exit_status import ExitStatus
from device.faults import Fault
from device.frame import Frame, SourceKind
from device.instrument import unreachable_status
from device.latest import Latest
from device.platform.clock import Clock
from device.runtime.health import Health, Part
from device.status.publisher import Publisher, telling
from device.status.reader import read_status
from device.status.report import STATUS_FILE, Status, as_lines, as_prometheus
from device.status.server import ListeningAddress, StatusServer, listening_address
from tests.device.clocks import ManualClock
from tests.device.commands import Capture
from tests.device.scripted import until

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
WHOLE = Status(
    version="1.0",
    model='multicentre "a\\b"',
    at=NOON,
    started=NOON - timedelta(hours=5),
    uptime_seconds=18_000.0,
    frame_age_seconds=0.1,
    findings=7200,
    findings_per_hour=1440.4,
    parts={"camera": "working", "model": "waiting"},
    last_error="The camera was unplugged; plug it in again.",
    last_error_age_seconds=300.0,
    temperature=51.5,
    disk_free_bytes=2_000_000_000,
    disk_bytes=32_000_000_000,
)


class Desk:
    """A publisher, and what it publishes of."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.health = Health(self.clock)
        self.frames: Latest[Frame] = Latest(self.clock)
        self.findings = 0
        self.publisher = Publisher(
            "multicentre 1.0.1", self.health, self.frames, lambda: self.findings, self.clock,
            folder, folder / "run",
        )  # fmt: skip

    def frame(self) -> None:
        pixels = np.zeros((8, 8, 3), np.uint8)
        now = self.clock.monotonic()
        self.frames.put(Frame(pixels, NOON, 1, "camera", SourceKind.CAMERA, instant=now))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_ages_and_counts_are_told(desk: Desk) -> None:
    assert desk.publisher.gather().frame_age_seconds is None
    desk.frame()
    desk.clock.seconds += 7.0
    desk.findings = 12
    status = desk.publisher.gather()
    assert (status.version, status.model) == (__version__, "multicentre 1.0.1")
    assert (status.frame_age_seconds, status.uptime_seconds, status.findings) == (7.0, 7.0, 12)


def test_findings_an_hour_are_those_of_the_last_hour(desk: Desk) -> None:
    for _ in range(120):
        desk.clock.seconds += 60.0
        desk.findings += 10
        desk.publisher.gather()
    assert desk.publisher.gather().findings_per_hour == 600.0
    for _ in range(61):
        desk.clock.seconds += 60.0
        status = desk.publisher.gather()
    assert status.findings_per_hour == 0.0
    assert status.findings == 1200


def test_last_error_stays_with_its_age_and_without_what_may_name_a_file(desk: Desk) -> None:
    fault = Fault("the picture is {n} wide", "set it", "/home/ann/lesion.jpg", "Ann", {"n": 3})
    desk.health.failed(Part.CAMERA, fault)
    assert desk.publisher.gather().last_error == "the picture is 3 wide; set it"
    desk.health.worked(Part.CAMERA)
    desk.clock.seconds += 30.0
    status = desk.publisher.gather()
    assert (status.last_error_age_seconds, status.parts["camera"]) == (30.0, "working")
    told = msgspec.json.encode(status).decode()
    assert "lesion.jpg" not in told
    assert "Ann" not in told


def test_what_is_written_is_read_while_it_is_fresh(desk: Desk, tmp_path: Path) -> None:
    desk.publisher.tell()
    here = {"RUNTIME_DIRECTORY": str(tmp_path / "run")}
    read = read_status(desk.clock, here, tmp_path / "none")
    assert read == desk.publisher.newest
    assert read.disk_bytes > read.disk_free_bytes > 0
    desk.clock.seconds += 61.0
    with pytest.raises(StatusError, match="has said nothing for 61 s"):
        read_status(desk.clock, here, tmp_path / "none")


def test_service_is_asked_before_a_program_of_ones_own(desk: Desk, tmp_path: Path) -> None:
    desk.publisher.tell()
    (tmp_path / "service").mkdir()
    at = desk.clock.now()
    served = msgspec.structs.replace(WHOLE, at=at)
    (tmp_path / "service" / STATUS_FILE).write_bytes(msgspec.json.encode(served))
    here = {"RUNTIME_DIRECTORY": str(tmp_path / "run")}
    assert read_status(desk.clock, here, tmp_path / "service") == served


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_where_none_runs_that_is_said(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / STATUS_FILE).write_bytes(content)
    with pytest.raises(StatusError, match="no instrument runs on this machine"):
        read_status(Clock(), {}, tmp_path)


def test_folder_that_cannot_be_written_holds_nothing_up(tmp_path: Path) -> None:
    desk = Desk(Path("/proc/self"))
    desk.publisher.tell()
    assert desk.publisher.newest
    desk.publisher.forget()


def test_instrument_that_ended_is_told_of_no_more(desk: Desk, tmp_path: Path) -> None:
    with telling(desk.publisher, None, Clock()):
        until((tmp_path / "run" / STATUS_FILE).exists)
    assert not (tmp_path / "run" / STATUS_FILE).exists()


@pytest.mark.parametrize("form", [[], ["--json"], ["--prometheus"]])
def test_command_prints_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, form: list[str]
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    now = msgspec.structs.replace(WHOLE, at=Clock().now())
    (tmp_path / STATUS_FILE).write_bytes(msgspec.json.encode(now))
    assert main(["status", *form]) == ExitStatus.OK
    out = capsys.readouterr().out
    if "--json" in form:
        assert msgspec.json.decode(out, type=Status) == now
    elif form:
        assert out == as_prometheus(now)
    else:
        assert "last frame:   0 s ago\n" in out
        assert "up for:       5.0 h\n" in out
        assert "disk:         2.0 of 32.0 GB free\n" in out


def test_command_without_an_instrument_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    assert main(["status"]) == ExitStatus.BAD_INPUT
    assert "no instrument runs" in capsys.readouterr().err


SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? [0-9.e+]+')


def test_metrics_are_in_the_format_that_prometheus_reads() -> None:
    names = []
    for line in as_prometheus(WHOLE).splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP|TYPE) [a-z_]+ .+", line)
        else:
            assert SAMPLE.fullmatch(line), line
            names.append(re.split(r"[{ ]", line)[0])
    assert "dermascope_temperature_celsius" in names
    assert r'model="multicentre \"a\\b\""' in as_prometheus(WHOLE)


def test_what_is_not_known_is_left_out() -> None:
    unknown = msgspec.structs.replace(
        WHOLE, temperature=None, frame_age_seconds=None, last_error="", last_error_age_seconds=None
    )
    assert "celsius" not in as_prometheus(unknown)
    assert "frame_age" not in as_prometheus(unknown)
    told = dict(as_lines(unknown))
    assert told["last frame"] == "none yet"
    assert not {"temperature", "last error"} & set(told)


@pytest.fixture
def server() -> Iterator[StatusServer]:
    server = StatusServer(("127.0.0.1", 0), lambda: WHOLE)
    yield server
    server.close()


def asked(server: StatusServer, method: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*server.address[:2], timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_page_and_metrics_can_be_read_and_nothing_else(server: StatusServer) -> None:
    status, text = asked(server, "GET", "/")
    assert (status, "model: multicentre" in text) == (200, True)
    assert asked(server, "GET", "/metrics") == (200, as_prometheus(WHOLE))
    for path in ("/records", "/../etc/passwd", "/?a=b"):
        assert asked(server, "GET", path)[0] == 404
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert asked(server, method, "/")[0] == 501


def test_page_of_an_instrument_that_starts_says_so() -> None:
    server = StatusServer(("127.0.0.1", 0), lambda: None)
    assert asked(server, "GET", "/metrics")[0] == 503
    server.close()


def test_someone_who_says_nothing_keeps_nobody_else_from_asking(server: StatusServer) -> None:
    with socket.create_connection(server.address[:2]):
        assert asked(server, "GET", "/")[0] == 200


def test_port_that_is_taken_is_told(server: StatusServer) -> None:
    with pytest.raises(ConfigError, match=r"cannot be had .*choose another port"):
        StatusServer(("127.0.0.1", server.address[1]), lambda: None)


@pytest.mark.parametrize(
    ("setting", "address"),
    [("localhost:9127", ("127.0.0.1", 9127)), ("127.0.0.2:80", ("127.0.0.2", 80)),
     ("lo:9127", ("127.0.0.1", 9127))],
)  # fmt: skip
def test_loopback_and_a_named_interface_are_listened_on(
    setting: str, address: tuple[str, int]
) -> None:
    assert listening_address(setting).resolved() == address


@pytest.mark.parametrize(
    "setting",
    ["9127", ":9127", "0.0.0.0:9127", "192.168.1.2:9127", "localhost", "localhost:0",
     "localhost:65536", "[::]:9127", "local host:9127"],
)  # fmt: skip
def test_every_interface_at_once_is_never_listened_on(setting: str) -> None:
    with pytest.raises(ConfigError, match="status_address"):
        listening_address(setting)


def test_interface_without_an_address_keeps_nothing_from_starting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.status.server._AGAIN_SECONDS", 0.02)
    address = listening_address("nosuch0:9127")
    (notice,) = unreachable_status(address)
    assert "there is no interface nosuch0 with an address" in notice.text
    assert unreachable_status(None) == unreachable_status(listening_address("lo:9127")) == []
    later = LateAddress("lo", 0)
    with telling(desk.publisher, later, Clock()):
        until(lambda: any(t.name == "status server" for t in threading.enumerate()))
    assert later.asked == 3


class LateAddress(ListeningAddress):
    """An interface that has no address when it is asked for the first times."""

    asked = 0

    def resolved(self) -> tuple[str, int]:
        self.asked += 1
        if self.asked < 3:
            raise ConfigError("status_address: there is no interface")
        return super().resolved()


def test_threads_end_with_the_instrument(desk: Desk) -> None:
    with telling(desk.publisher, ListeningAddress("127.0.0.1", 0), Clock()):
        until(lambda: any(t.name == "status server" for t in threading.enumerate()))
    until(lambda: not any(t.name == "status server" for t in threading.enumerate()))
