import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.appearance import Theme
from device.errors import ScreenError
from device.language import Language
from device.preferences import Preferences, load_preferences, save_preferences

OTHERWISE = Preferences(language=Language.PORTUGUESE, theme=Theme.LIGHT, opacity=0.3)


@given(
    language=st.sampled_from(Language),
    theme=st.sampled_from(Theme),
    opacity=st.floats(0.1, 1.0),
    limits_read=st.booleans(),
)
def test_what_is_kept_is_what_was_chosen(
    tmp_path_factory: pytest.TempPathFactory,
    language: Language,
    theme: Theme,
    opacity: float,
    limits_read: bool,
) -> None:
    folder = tmp_path_factory.mktemp("state") / "new"
    chosen = Preferences(language=language, theme=theme, opacity=opacity, limits_read=limits_read)
    save_preferences(folder, chosen)
    assert load_preferences(folder, OTHERWISE) == chosen
    assert [p.name for p in folder.iterdir()] == ["screen.json"]


def test_what_an_older_program_kept_is_read(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_bytes(b'{"language": "es", "opacity": 0.4}')
    kept = load_preferences(tmp_path, OTHERWISE)
    assert kept == Preferences(language=Language.SPANISH, opacity=0.4)
    assert not kept.limits_read


def test_nothing_kept_gives_what_the_settings_say(tmp_path: Path) -> None:
    assert load_preferences(tmp_path / "none", OTHERWISE) == OTHERWISE


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"language": "xx"}', b'{"theme": "x"}', b'{"opacity": 0}',
     b'{"opacity": 1e9}', b'{"opacity": NaN}', b"[" * 10000,
     b'{"x": ' + b"[" * 2000 + b"]" * 2000 + b"}", b" " * 10000],
)  # fmt: skip
def test_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "screen.json").write_bytes(content)
    assert load_preferences(tmp_path, OTHERWISE) == OTHERWISE


def test_folder_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, no_privilege: None
) -> None:
    folder = Path("/proc/nobody/state")
    with pytest.raises(ScreenError, match="cannot be kept") as caught:
        save_preferences(folder, OTHERWISE)
    assert str(caught.value).startswith(f"{folder}: ")


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "screen.json")
    assert load_preferences(tmp_path, OTHERWISE) == OTHERWISE
