import os
from pathlib import Path

import pytest

from device.text import name_of, printable, printable_path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"lesion.jpg", "lesion.jpg"),
        ("café.jpg".encode(), "café.jpg"),
        (b"caf\xe9.jpg", r"caf\xe9.jpg"),
        (b"\xc3\xa9\xff\xc3.jpg", r"é\xff\xc3.jpg"),
        (b"two\nlines.jpg", "two\nlines.jpg"),
    ],
)
def test_name_is_text_that_leads_back_to_its_file(name: bytes, told: str) -> None:
    assert name_of(os.fsdecode(name)) == told
    assert name_of(Path(os.fsdecode(name))) == told
    assert told.encode()


def test_name_that_is_no_files_is_text_too() -> None:
    assert name_of("half \ud800") == "half \ud800"
    assert printable_path("half \ud800") == r"half \ud800"


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("Núñez, María", "Núñez, María"),
        ("two\nlines", r"two\nlines"),
        ("red \x1b[31m", r"red \x1b[31m"),
        ("byte \udce9", r"byte \xe9"),
        ("line\u2028separator", r"line\u2028separator"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(words: str, printed: str) -> None:
    assert printable(words) == printed
    assert printable(words).isprintable()
