"""The settings that go onto cards: checked on the desk, for one card or for a table of them."""

from pathlib import Path

from build_host.files import write_file
from device.errors import ConfigError
from device.provisioning.devices import provisions_of_table
from device.provisioning.file import FILE_NAME, check_provision


def checked_settings(path: Path) -> Path:
    """Return a provisioning file in which nothing is wrong.

    Raises
    ------
    device.errors.ConfigError
        If it is missing or anything in it is wrong: with line, key and what is expected.
    """
    problems = check_provision(path)
    if problems:
        raise ConfigError(f"{path}: " + "; ".join(str(problem) for problem in problems))
    return path


def write_settings(table: Path, common: Path | None, folder: Path) -> list[Path]:
    """Write the provisioning file of each device of a table into a folder of its name.

    Parameters
    ----------
    table
        CSV: a row for each device.
    common
        A provisioning file that holds for all of them.

    Returns
    -------
    list
        The files, each to be copied to the first partition of its card.

    Raises
    ------
    device.errors.ConfigError
        If the table or a device's settings are wrong.
    """
    written = []
    for name, text in provisions_of_table(table, common).items():
        path = folder / name / FILE_NAME
        write_file(path, text.encode())
        # It may hold a password.
        path.chmod(0o600)
        written.append(path)
    return written
