"""Power that fails at any moment of an installation."""

import os
from pathlib import Path
from typing import Any

from tests.device.installation.models import Maker, install

CALLS = ("fsync", "rename", "replace", "chmod", "mkdir", "open")


def cut_after(calls: int, source: Path, maker: Maker, state: Path) -> bool:
    """Install in a process that ends at a call to the kernel, as power does; return if it did."""
    child = os.fork()
    if child == 0:
        left = calls

        def counting(real: Any) -> Any:
            def call(*given: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return real(*given, **named)

            return call

        for name in CALLS:
            setattr(os, name, counting(getattr(os, name)))
        try:
            install(source, maker, state)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 9
