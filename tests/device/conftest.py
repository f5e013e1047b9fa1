from collections.abc import Iterator

import pygame
import pytest

from device.inference.analyzer import Analyzer
from device.screen.display import close_screen, open_offscreen
from tests.device.clinic import SIZE, Clinic


@pytest.fixture
def clinic(analyzer: Analyzer) -> Iterator[Clinic]:
    screen = open_offscreen(SIZE)
    pygame.event.clear()
    yield Clinic(analyzer, screen)
    close_screen()
