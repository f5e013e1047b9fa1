"""Whoever mistypes a setting is told line, key and what is expected there."""

import pytest

from device.config import Config
from device.platform.toml_problems import line_of, toml_problems


def told(text: str) -> list[str]:
    return [str(problem) for problem in toml_problems(text, Config)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('langage = "es"', "langage: there is no such setting; did you mean language?"),
        ("zzz = 1", "zzz: there is no such setting"),
        ("threads = 99", "threads: expected a whole number from 1 to 8, not 99"),
        ("threads = '2'", "threads: expected a whole number from 1 to 8, not '2'"),
        ("fullscreen = 1", "fullscreen: expected true or false, not 1"),
        ("shutter_pin = 28", "shutter_pin: expected a whole number from 0 to 27, not 28"),
        ("rotation = 45", "rotation: expected one of 0, 90, 180, 270, not 45"),
        ("language = 'fr'", 'language: expected one of "en", "es", "pt", not \'fr\''),
        ("model = 3", 'model: expected text in quotes ("..."), not 3'),
        (
            "camera_size = [1280]",
            "camera_size: expected a list of 2: [a whole number from 240 to 8192, a whole number "
            "from 240 to 8192], not [1280]",
        ),
        (
            "trusted_keys = 'ab'",
            'trusted_keys: expected a list in brackets ([...]) of text in quotes ("...") of the '
            "form ^[0-9a-f]{64}$, not 'ab'",
        ),
        ("theme dark", "no TOML: expected '=' after a key in a key/value pair"),
        ("theme = dark", "no TOML: invalid value"),
    ],
)
def test_what_is_expected_is_said(line: str, reason: str) -> None:
    assert told(f"# of the clinic\n\n{line}\n") == [f"line 3: {reason}"]


@pytest.mark.parametrize("key", ["1", '"²"', '"3"', '"٣"'])
def test_key_that_looks_like_the_place_of_an_item_is_told_by_its_name(key: str) -> None:
    named = key.strip('"')
    assert told(f"[exchange]\n{key} = 2\n") == [
        f"line 2: exchange.{named}: there is no such setting"
    ]


def test_place_of_an_item_is_no_part_of_the_name() -> None:
    text = '[[exchange.dicom]]\nname = "a"\nhost = "b"\ntitle = "c"\nport = 0\n'
    assert told(text) == [
        "line 5: exchange.dicom.port: expected a whole number from 1 to 65535, not 0"
    ]


def test_file_that_is_nested_without_end_is_told() -> None:
    assert told(f"threads = {'[' * 100_000}") == ["is nested too deeply; no setting is"]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert [p.line for p in toml_problems("threads = 0\ntheme = 1\nrotation = 3", Config)] == [
        1, 2, 3,
    ]  # fmt: skip


def test_settings_that_do_not_go_together_are_told() -> None:
    (problem,) = told("width = 639\nheight = 639")
    assert problem.startswith("width and height: one of them must be 640 or more")


def test_file_that_ends_too_early_is_told_by_its_last_line() -> None:
    (problem,) = told('theme = "dark"\nmodel = """\nsomething')
    assert problem.startswith("line 3: no TOML: ")


def test_sound_file_has_no_problems() -> None:
    assert told('language = "es"\nthreads = 2\n') == []


TEXT = """\
name = "a"
[machine]
name = "b"
wifi.ssid = "c"
[machine.ssh]
name = "d"
[[peers]]
name = "e"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [(("name",), 1), (("machine", "name"), 3), (("machine", "wifi", "ssid"), 4),
     (("machine", "ssh", "name"), 6), (("machine", "other"), 2), (("peers", "name"), 8),
     (("nowhere",), None)],
)  # fmt: skip
def test_line_is_that_of_the_key_in_its_section(path: tuple[str, ...], line: int | None) -> None:
    assert line_of(TEXT, path) == line
