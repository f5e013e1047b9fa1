import os
import string
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.appearance import Rotation, Theme
from device.config import (
    CONFIG_VARIABLE,
    DEFAULT_MODEL,
    PROJECT_KEY,
    SYSTEM_CONFIG,
    Config,
    load_config,
    model_folder,
    records_folder,
)
from device.errors import ConfigError
from device.language import Language
from device.paths import shipped_models


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A file to be written over and over."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "config.toml"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "config.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.skipif(SYSTEM_CONFIG.exists(), reason="this machine is an instrument")
def test_without_a_file_there_are_defaults() -> None:
    assert load_config() == Config()


def test_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")) == Config()


def test_defaults_trust_the_project_and_need_no_camera() -> None:
    assert Config().trusted_keys == (PROJECT_KEY,)
    assert Config().source == "demo"


def test_every_setting_has_a_default_and_is_documented() -> None:
    for field in msgspec.structs.fields(Config):
        assert not field.required
        assert field.name in (Config.__doc__ or "")


def test_file_sets_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    key = "ab" * 32
    config = load_config(
        write(
            tmp_path,
            f'model = "/models/a"\ntrusted_keys = ["{key}"]\nthreads = 4\n'
            'source = "replay:/photos"\ncamera_size = [1920, 1080]\n'
            "width = 800\nheight = 480\nfullscreen = true\n"
            'rotation = 270\nlanguage = "es"\ntheme = "light"\n'
            'shutter_pin = 17\npedal_key = "page down"\n',
        )
    )
    assert config == Config(
        model="/models/a",
        trusted_keys=(key,),
        threads=4,
        source="replay:/photos",
        camera_size=(1920, 1080),
        shutter_pin=17,
        pedal_key="page down",
        width=800,
        height=480,
        fullscreen=True,
        rotation=Rotation.THREE_QUARTERS,
        language=Language.SPANISH,
        theme=Theme.LIGHT,
    )
    assert load_config(write(tmp_path, "threads = 2")) == Config(threads=2)


@pytest.mark.parametrize(("width", "height"), [(600, 1024), (480, 640), (640, 480)])
def test_screen_may_stand_upright(tmp_path: Path, width: int, height: int) -> None:
    config = load_config(write(tmp_path, f"width = {width}\nheight = {height}"))
    assert (config.width, config.height) == (width, height)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("colour = 1", "colour"),
        ("[section]\nmodel = 'x'", "section"),
        ("model = 1", "model"),
        ("threads = 0", "threads"),
        ("threads = 9", "threads"),
        ("threads = 1.5", "threads"),
        ("threads = '2'", "threads"),
        ("camera_size = [1280]", "camera_size"),
        ("camera_size = [239, 720]", "camera_size"),
        ("camera_size = [1280, 8193]", "camera_size"),
        ("width = 479", "width"),
        ("width = 639\nheight = 639", "width"),
        ("width = 7681", "width"),
        ("height = 479", "height"),
        ("height = 7681", "height"),
        ("fullscreen = 1", "fullscreen"),
        ("language = 'fr'", "language"),
        ("theme = 'blue'", "theme"),
        ("rotation = 45", "rotation"),
        ("rotation = '90'", "rotation"),
        ("rotation = 360", "rotation"),
        ("shutter_pin = -1", "shutter_pin"),
        ("shutter_pin = 28", "shutter_pin"),
        ("shutter_pin = '17'", "shutter_pin"),
        ("pedal_key = 1", "pedal_key"),
        (f"pedal_key = '{'k' * 25}'", "pedal_key"),
        ("pedal_key = 'ñ'", "pedal_key"),
        ("records_share = 0", "records_share"),
        ("records_share = 101", "records_share"),
        ("trusted_keys = 'ab'", "trusted_keys"),
        ("trusted_keys = ['ab']", "trusted_keys"),
        (f"trusted_keys = ['{'AB' * 32}']", "trusted_keys"),
        (f"trusted_keys = ['{'ab' * 33}']", "trusted_keys"),
    ],
)
def test_unknown_or_impossible_setting_is_named(tmp_path: Path, line: str, named: str) -> None:
    assert named in refusal(write(tmp_path, line))


@pytest.mark.parametrize(
    "content",
    [b"model", b"model = ", b"a = 1\na = 2", b"\xff\xfe", b"\0", b'model = "\xe9"', b"{}"],
    ids=["key", "no-value", "twice", "utf-16", "null", "latin-1", "json"],
)
def test_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    refusal(write(tmp_path, content))


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such settings file" in refusal(tmp_path / "missing.toml")


def test_folder_is_not_a_settings_file(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert "cannot be read (is no file)" in refusal(path)


def test_settings_of_any_size_take_no_memory(tmp_path: Path) -> None:
    os.truncate(write(tmp_path, "threads = 3"), 1 << 40)
    assert "cannot be read (is larger than" in refusal(tmp_path / "config.toml")


def test_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(write(tmp_path, "threads = 3")))
    assert load_config().threads == 3


def test_missing_file_that_the_variable_names_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "missing.toml"))
    with pytest.raises(ConfigError, match="no such settings file"):
        load_config()


def test_named_file_goes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "missing.toml"))
    assert load_config(write(tmp_path, "threads = 3")).threads == 3


@given(content=st.binary(max_size=100) | st.text(string.printable, max_size=100).map(str.encode))
def test_any_content_gives_settings_or_one_line(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    try:
        load_config(scratch)
    except ConfigError as error:
        assert str(error).startswith(f"{scratch}: ")
        assert len(str(error).splitlines()) == 1


def test_without_a_setting_the_model_is_the_default_of_those_shipped() -> None:
    assert model_folder(Config()) == shipped_models() / DEFAULT_MODEL
    assert (model_folder(Config()) / "manifest.json").is_file()


def test_model_of_the_settings_is_used() -> None:
    assert model_folder(Config(model="/models/a")) == Path("/models/a")


def test_model_may_lie_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_folder(Config(model="~/models/a")) == tmp_path / "models" / "a"


def test_examinations_lie_in_the_state_folder_or_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert records_folder(Config()) == tmp_path / "examinations"
    assert records_folder(Config(records_folder="/data/a")) == Path("/data/a")


def test_records_folder_is_absolute_or_in_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert records_folder(Config(records_folder="~/kept")) == tmp_path / "kept"
    with pytest.raises(ConfigError, match="records_folder: kept/here is not absolute"):
        records_folder(Config(records_folder="kept/here"))


def test_records_folder_that_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^records_folder: ") as caught:
        records_folder(Config(records_folder="~nobody-of-this-name/kept"))
    assert len(str(caught.value).splitlines()) == 1


def test_exchange_names_whom_the_instrument_sends_to(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[exchange]\ninstitution = "Clínica del Sur"\nimmersion = "alcohol"\n'
        '[[exchange.dicom]]\nname = "pacs"\nhost = "pacs.local"\ntitle = "PACS"\n'
        '[exchange.dicom.tls]\nauthority = "/etc/ca.pem"\n'
        '[[exchange.fhir]]\nname = "records"\nurl = "https://records.local/fhir"\n'
        'patients = "urn:oid:1.2.3"\n'
    )
    exchange = load_config(path).exchange
    (pacs,) = exchange.dicom
    assert (pacs.port, pacs.own_title, pacs.tls.authority) == (104, "DERMASCOPE", "/etc/ca.pem")
    assert exchange.fhir[0].url == "https://records.local/fhir"
    assert Config().exchange.dicom == Config().exchange.fhir == ()
    path.write_text(
        '[[exchange.dicom]]\nname = "a"\nhost = "h"\ntitle = "T"\n'
        '[[exchange.fhir]]\nname = "a"\nurl = "https://h/fhir"\npatients = "urn:oid:1.2.3"\n'
    )
    with pytest.raises(ConfigError, match="two targets have the same name"):
        load_config(path)
