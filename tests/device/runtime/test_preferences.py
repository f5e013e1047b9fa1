import threading
from pathlib import Path

from device.preferences import Preferences, load_preferences
from device.runtime.preferences import Choices

PORTUGUESE = Preferences(language="pt", opacity=0.3)


def test_newest_choice_is_written_even_at_the_very_end(tmp_path: Path) -> None:
    choices = Choices(tmp_path)
    choices.keep(Preferences(language="es"))
    choices.keep(PORTUGUESE)
    stop = threading.Event()
    stop.set()
    choices.run(stop)
    assert load_preferences(tmp_path, Preferences()) == PORTUGUESE
    assert choices.trouble == ""


def test_choice_that_cannot_be_kept_is_told_until_one_can(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    choices = Choices(tmp_path / "taken")
    (tmp_path / "taken").write_text("a file where the folder should be")
    choices.keep(PORTUGUESE)
    choices.run(stop)
    assert choices.trouble
    (tmp_path / "taken").unlink()
    choices.keep(PORTUGUESE)
    choices.run(stop)
    assert choices.trouble == ""
    assert load_preferences(tmp_path / "taken", Preferences()) == PORTUGUESE


def test_choice_without_a_folder_is_forgotten() -> None:
    choices = Choices(None)
    choices.keep(PORTUGUESE)
    stop = threading.Event()
    stop.set()
    choices.run(stop)
    assert choices.trouble == ""
