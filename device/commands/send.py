"""``dermascope send``."""

import argparse

from device.commands.kept import kept_examinations
from device.commands.options import Add
from device.commands.standard_error import print_error
from device.config import load_config
from device.errors import ConfigError
from device.exit_status import ExitStatus
from device.platform.clock import Clock


def add_send(add: Add) -> None:
    """Add it to the command line."""
    add(
        "send",
        send,
        "Send what is kept to the targets in the settings, as far as they lack it.",
    )


def send(options: argparse.Namespace, clock: Clock) -> int:
    """Queue what is kept, send what waits, and tell what still does."""
    from device.interop.outbox import Outbox
    from device.interop.sending import send_due
    from device.interop.targets import connections, queue
    from device.paths import state_folder

    config = load_config(options.config)
    targets = connections(config.exchange)
    if not targets:
        raise ConfigError("nothing is sent, as the settings name no target; see docs/interop.md")
    waits = 0
    with kept_examinations(config, clock, "network") as kept, Outbox(state_folder()) as outbox:
        queue(outbox, kept.archive, config.exchange, clock.now())
        outbox.retry(clock.now())
        send_due(outbox, targets, kept.find, clock.now, kept.archive.note_sent)
        for name in targets:
            waiting = list(outbox.waiting(name))
            waits += len(waiting)
            print(f"{name}: waiting: {len(waiting)}.")
            # Each reason once: of a target that cannot be reached there is one for all.
            for said in dict.fromkeys(w.fault.text for w in waiting if w.fault):
                print_error(said)
    return ExitStatus.BAD_INPUT if waits else kept.status
