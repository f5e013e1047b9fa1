"""The status over a port: read-only, off unless it is set, on loopback or one named interface."""

import fcntl
import http.server
import ipaddress
import logging
import re
import socket
import struct
import threading
from collections.abc import Callable
from threading import Event
from typing import Final, NamedTuple

from device.errors import ConfigError
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.status.report import Status, as_lines, as_prometheus

_SIOCGIFADDR: Final = 0x8915
_IFNAMSIZ: Final = 16
_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 5.0
_PAGE: Final = "text/plain; charset=utf-8"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_SETTING: Final = re.compile(r"(?P<where>[^:\s]+):(?P<port>\d{1,5})")

_log = logging.getLogger(__name__)


class ListeningAddress(NamedTuple):
    """Where the status is told: an address of loopback, or whatever one an interface has."""

    where: str
    port: int

    def resolved(self) -> tuple[str, int]:
        """Return the address as it is now.

        Raises
        ------
        device.errors.ConfigError
            If the interface has none.
        """
        try:
            ipaddress.ip_address(self.where)
        except ValueError:
            return _address_of(self.where), self.port
        return self.where, self.port


def listening_address(setting: str) -> ListeningAddress:
    """Return the address that a setting means; of an interface it is not looked for.

    Parameters
    ----------
    setting
        ``127.0.0.1:PORT``, ``localhost:PORT``, or ``INTERFACE:PORT`` (``eth0:9127``).

    Raises
    ------
    device.errors.ConfigError
        If it is neither. Never all interfaces at once.
    """
    match = _SETTING.fullmatch(setting)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigError(
            f"status_address: {setting!r} is no address; write localhost:PORT or INTERFACE:PORT"
        )
    where, port = match["where"], int(match["port"])
    if where == "localhost":
        return ListeningAddress("127.0.0.1", port)
    try:
        address = ipaddress.ip_address(where)
    except ValueError:
        return ListeningAddress(where, port)
    if not address.is_loopback or address.version != 4:
        raise ConfigError(
            f"status_address: {where} is not of loopback; name the interface instead (eth0:{port})"
        )
    return ListeningAddress(str(address), port)


def _address_of(interface: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("=256s", interface.encode()[: _IFNAMSIZ - 1])
        try:
            answer = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, request)
        except OSError:
            raise ConfigError(
                f"status_address: there is no interface {interface} with an address; name one, or "
                "localhost"
            ) from None
    return socket.inet_ntoa(answer[20:24])


class StatusServer:
    """Answers GET of ``/`` with words and of ``/metrics`` for Prometheus; anything else is refused.

    Parameters
    ----------
    address
        Where to listen.
    newest
        Returns the status.

    Raises
    ------
    device.errors.ConfigError
        If the port cannot be had.
    """

    def __init__(self, address: tuple[str, int], newest: Callable[[], Status | None]) -> None:
        handler = type("Handler", (_Handler,), {"newest": staticmethod(newest)})
        try:
            self._server = http.server.ThreadingHTTPServer(address, handler)
        except OSError as error:
            raise ConfigError(
                f"status_address: {address[0]}:{address[1]} cannot be had ({error.strerror}); "
                "choose another port"
            ) from None
        self.address = self._server.server_address
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="status server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening. May be called more than once."""
        self._server.shutdown()
        self._server.server_close()


def keep_telling(
    address: ListeningAddress, newest: Callable[[], Status | None], clock: Clock, stop: Event
) -> None:
    """Tell the status over a port until `stop` is set; try again where that cannot be had yet.

    An instrument waits for no network.
    """
    server: StatusServer | None = None
    said = ""
    while True:
        try:
            if server is None:
                server = StatusServer(address.resolved(), newest)
        except ConfigError as error:
            if str(error) != said:
                said = str(error)
                log_expected(_log, error)
        if clock.wait(stop, _AGAIN_SECONDS):
            break
    if server is not None:
        server.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request. It reads nothing but the first line and the headers."""

    timeout = _SECONDS
    server_version = "dermascope"
    sys_version = ""
    newest: Callable[[], Status | None]

    def do_GET(self) -> None:
        """Answer."""
        status = type(self).newest()
        if self.path not in ("/", "/metrics"):
            self._answer(404, _PAGE, "there is / and /metrics\n")
        elif status is None:
            self._answer(503, _PAGE, "the instrument is starting\n")
        elif self.path == "/metrics":
            self._answer(200, _METRICS, as_prometheus(status))
        else:
            words = "".join(f"{name}: {value}\n" for name, value in as_lines(status))
            self._answer(200, _PAGE, words)

    def _answer(self, code: int, kind: str, words: str) -> None:
        content = words.encode()
        self.send_response(code)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the journal is not for who asked."""
