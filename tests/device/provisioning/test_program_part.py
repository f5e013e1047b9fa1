"""The program's part of a provisioning file, which all may read."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import Config, load_config
from device.errors import ConfigError
from device.platform.toml_writer import to_toml
from device.provisioning.program_part import program_part
from tests.fuzz.settings import SOUND

PHRASE = "a passphrase of the valley"


@pytest.mark.parametrize(
    "machine",
    [
        f'machine.ssh_keys = [\n  "{PHRASE}",\n]\nthreads = 2\n',
        f'machine = {{ssh_keys = ["{PHRASE}"]}}\nthreads = 2\n',
        f'threads = 2\n[ machine ]\nssh_keys = [\n"{PHRASE}"\n]\n[machine.wifi]\nssid = "a"\n',
        f'threads = 2\n["machine".wifi]\npassword = "{PHRASE}"\n',
        f'threads = 2\n[\'machine\']\nname = """\n[exchange]\n{PHRASE}"""\n',
        f'threads = 2\n# [machine.wifi]\n# password = "{PHRASE}"\n',
        f'threads = 2  # as in "{PHRASE}"\n',
    ],
)
def test_what_is_the_machines_is_left_out_however_it_is_written(
    machine: str, tmp_path: Path
) -> None:
    part = program_part(machine)
    assert PHRASE not in part
    assert refused(part, tmp_path) == ""
    assert load_config(tmp_path / "config.toml") == Config(threads=2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'threads = 2\n[machin.data]\npassphrase = "{PHRASE}"\n', "line 2: machin: there is no"),
        (f'threads = 2\npassphrase = "{PHRASE}"\n', "line 2: passphrase: there is no"),
        (f'threads = 2\n\nmachin.data.passphrase = "{PHRASE}"\n', "line 3: machin: there is no"),
        (f'threads = 2\nmachin = [\n"{PHRASE}"\n]\n', "line 2: machin: there is no"),
        (f'threads = 2\n[machine.wifi]\npassword = "{PHRASE}\n', "line 3: no TOML"),
        (f'["machine".wifi]\npassword = "{PHRASE}"\ntheme = dark\n', "line 3: no TOML"),
        (f'theme = dark\n[machine]\nname = """\n[a]\n{PHRASE}\n"""\n', "line 1: no TOML"),
        (f'theme = "dark"\nmodel = """\n{PHRASE}', "line 3: no TOML"),
        (f"theme = {'[' * 9999}\n'{PHRASE}'", "line 1: no TOML"),
        (f"exchange{'.a' * 2000} = '{PHRASE}'", "line 1: no TOML"),
    ],
)
def test_what_the_program_cannot_read_is_told_with_its_line_and_not_shown(
    text: str, told: str, tmp_path: Path
) -> None:
    part = program_part(text)
    assert PHRASE not in part
    assert told in refused(part, tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (
            '[machine]\nname = "a"\n\n[exchange]\ncontact = true\nimmersion = "oil"\n',
            6,
            "immersion",
        ),
        ('rotation = 0\n\n\nexchange = {contact = true, immersion = "oil"}\n', 4, "immersion"),
        (
            '[exchange.worklist]\nname = "a"\nhost = "b"\ntitle = "c"\nport = 0\n',
            5,
            "worklist.port",
        ),
        ('[[exchange.dicom]]\nname = "a"\nhost = "b"\ntitle = "c"\nport = 0\n', 1, "dicom.port"),
    ],
)
def test_each_setting_stays_on_its_line(text: str, line: int, key: str, tmp_path: Path) -> None:
    assert f"line {line}: exchange.{key}: expected" in refused(program_part(text), tmp_path)


def test_every_setting_of_the_program_is_kept() -> None:
    kept = tomllib.loads(program_part(to_toml(SOUND)))
    assert kept == {key: value for key, value in SOUND.items() if key != "machine"}


names = st.sampled_from(["threads", "exchange", "machine", "model", "machin", "a b", "²", ""])
values = st.recursive(
    st.text(max_size=8) | st.integers(-9, 9) | st.booleans(),
    lambda below: (
        st.dictionaries(st.text(max_size=3), below, max_size=3) | st.lists(below, max_size=3)
    ),
    max_leaves=8,
)


@given(values=st.dictionaries(names, values))
def test_what_is_kept_is_what_the_program_knows(values: dict[str, object]) -> None:
    kept = tomllib.loads(program_part(to_toml(values)))
    known = {"threads", "exchange", "model"}
    assert kept == {k: v if k in known else False for k, v in values.items() if k != "machine"}


def refused(part: str, folder: Path) -> str:
    """Return what the program says of it, or nothing where it takes it."""
    path = folder / "config.toml"
    path.write_text(part)
    try:
        load_config(path)
    except ConfigError as error:
        return str(error)
    return ""
