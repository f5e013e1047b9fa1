import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import RecordError
from device.records.database import DATABASE_FILE, open_database


class WithoutCipher:
    """A connection of an SQLite that passes over what it does not know, as it does with a key."""

    def __init__(self, plain: object) -> None:
        self._plain = plain

    def execute(self, statement: str, *values: object) -> object:
        if "cipher" in statement or "key =" in statement:
            statement = "SELECT 1 WHERE 0"
        return self._plain.execute(statement, *values)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._plain, name)


def test_nothing_is_kept_where_it_could_not_be_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlcipher3 import dbapi2

    connect = dbapi2.connect
    monkeypatch.setattr(dbapi2, "connect", lambda *a, **k: WithoutCipher(connect(*a, **k)))
    path = tmp_path / DATABASE_FILE
    with pytest.raises(RecordError, match="nothing is kept unencrypted"):
        open_database(path, bytes(32))
    assert path.read_bytes() == b""


@pytest.mark.tensorflow
def test_another_sqlite_in_the_program_is_noticed(tmp_path: Path) -> None:
    # TensorFlow lends its own to whatever is loaded after it.
    program = (
        "import sys, tensorflow\nfrom pathlib import Path\n"
        "from device.errors import RecordError\n"
        "from device.records.database import open_database\n"
        "try:\n    open_database(Path(sys.argv[1]), bytes(32))\n"
        "except RecordError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / DATABASE_FILE)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "nothing is kept unencrypted" in done.stdout
