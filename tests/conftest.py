import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image

# Before anything imports NumPy: products of small matrices gain nothing by threads that wait for
# one another, and on a busy machine lose most of their time by it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before anything imports TensorFlow, whose own SQLite would take the place of SQLCipher's.
import sqlcipher3  # noqa: F401

from device.capture.demo import SCENES, demo_frame
from device.config import CONFIG_VARIABLE, Config, model_folder
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle, load_bundle
from device.models.manifest import Manifest
from device.paths import MODELS_VARIABLE

# Before anything imports pygame: this file is read first.
os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"

# The same examples in every run: a gate must not be a lottery.
settings.register_profile("tests", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CONFIG_VARIABLE, MODELS_VARIABLE, "DERMASCOPE_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    config = Config()
    return load_bundle(model_folder(config), config.trusted_keys)


@pytest.fixture(scope="session")
def manifest(bundle: Bundle) -> Manifest:
    return bundle.manifest


@pytest.fixture(scope="session")
def analyzer(bundle: Bundle) -> Analyzer:
    return Analyzer(bundle)


@pytest.fixture(scope="session")
def occluding() -> Analyzer:
    """Return an analyzer of a network without a map of its own."""
    folder = model_folder(Config()).with_name("paper-28")
    return Analyzer(load_bundle(folder, Config().trusted_keys))


@pytest.fixture(scope="session")
def frames() -> tuple[Frame, ...]:
    """One frame of each scene of the demonstration."""
    return tuple(demo_frame(scene) for scene in SCENES)


@pytest.fixture
def photo(tmp_path: Path, frames: tuple[Frame, ...]) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(frames[0].pixels).save(path, quality=95)
    return path


@pytest.fixture
def no_privilege() -> Iterator[None]:
    """Root may open everything; for one test, be nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
