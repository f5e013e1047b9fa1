"""The service manager's end of the notify socket."""

import socket


class Manager:
    """Hears what the program tells systemd.

    Parameters
    ----------
    address
        Of the socket, as ``NOTIFY_SOCKET`` names it.
    """

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Return what came since this was asked last."""
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages
