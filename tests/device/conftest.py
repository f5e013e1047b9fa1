import logging
from collections.abc import Iterator

import pygame
import pytest

from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle
from device.screen.display import close_screen, open_offscreen
from tests.device.bundles import calling
from tests.device.clinic import SIZE, Clinic


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Take back what the program sets up for its whole process."""
    logger = logging.getLogger("device")
    handlers, level = logger.handlers, logger.level
    yield
    logger.handlers = handlers
    logger.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def clinic(bundle: Bundle) -> Iterator[Clinic]:
    """Return one in which a call is made of every picture, and no diagnosis excluded."""
    screen = open_offscreen(SIZE)
    pygame.event.clear()
    yield Clinic(Analyzer(calling(bundle)), screen)
    close_screen()
