"""No text of the program's own may be cut short on the smallest screen, in any language."""

from dataclasses import replace

import msgspec
import pytest
from pygame import Surface

from device.diagnoses import CODES, Code
from device.inference.recommendation import GROUPS, Recommendation, band_figure
from device.language import LANGUAGES, Language
from device.models.manifest import Interval, Manifest
from device.screen.pages.about import FIGURES, PRACTICES
from device.screen.pages.compare import CompareView
from device.screen.pages.settings import SettingsView
from device.screen.renderer import Renderer
from device.screen.view import LiveView, PageView, Picture
from device.screen.wording import INSTRUCTIONS, Wording
from tests.device.models.case_mixes import SHARES
from tests.device.screen.findings import make_finding
from tests.device.screen.states import COMPARE, HILL, LIVE, NOON, SKIN, STATES

SIZES = [(800, 480), (1024, 600), (480, 800), (600, 1024)]


def with_leading(code: Code) -> list[PageView]:
    finding = make_finding(code, 0.992, prediction_set=(code, *[c for c in CODES if c != code]))
    return [
        replace(LIVE, finding=finding, overlay_wanted=True, explained=code),
        replace(LIVE, finding=finding, overlay=HILL, overlay_wanted=True, explained=code),
        replace(LIVE, finding=finding, overlay=0 * HILL, overlay_wanted=True, explained=code),
        replace(COMPARE, earlier=Picture(NOON, SKIN, finding), present=Picture(None, SKIN, None)),
    ]


def every_view() -> list[PageView]:
    views: list[PageView] = list(STATES.values())
    for code in CODES:
        views += with_leading(code)
    for reason in INSTRUCTIONS:
        poor = make_finding(shortcomings=(reason,))
        views += [
            replace(LIVE, finding=poor),
            CompareView(Picture(NOON, SKIN, poor), Picture(NOON, SKIN, None), 12, 12),
        ]
    views.append(
        replace(
            LIVE, finding=make_finding("bcc", 0.5, abstention="uncertain", prediction_set=("bcc",))
        )
    )
    views.append(SettingsView(replace(LIVE, opacity=1.0)))
    views.append(LiveView(SKIN, make_finding(), 99.0))
    return views


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_nothing_is_cut_short(
    manifest: Manifest, drawn: list[str], size: tuple[int, int], language: str
) -> None:
    renderer, surface = Renderer(size, manifest), Surface(size)
    for view in every_view():
        renderer.draw(surface, replace(view, language=language))
    # The beginnings of a key and of an identifier are shown on purpose.
    cut = {words for words in drawn if words.endswith("…") and "d17d3dc7" not in words}
    assert cut <= {"P-0047 …"}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("practice", sorted(PRACTICES))
def test_practice_is_told_in_full(
    mixed: Manifest, drawn: list[str], size: tuple[int, int], language: str, practice: str
) -> None:
    view = replace(STATES["about"], language=language)
    Renderer(size, mixed.with_case_mix(practice)).draw(Surface(size), view)
    assert not {words for words in drawn if words.endswith("…") and "d17d3dc7" not in words}


def with_bands(manifest: Manifest) -> Manifest:
    """Return a manifest that tells how often each recommendation is made."""
    bands = {
        band_figure(group, recommendation): Interval(value=0.004, low=0.0, high=1.0)
        for group in GROUPS
        for recommendation in Recommendation
    }
    return msgspec.structs.replace(manifest, metrics=manifest.metrics | bands)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_how_often_each_recommendation_is_made_is_told_in_full(
    manifest: Manifest, drawn: list[str], size: tuple[int, int], language: str
) -> None:
    view = replace(STATES["about"], language=language)
    told = with_bands(manifest)
    Renderer(size, told).draw(Surface(size), view)
    assert drawn.count("< 1 %") == len(GROUPS) * len(Recommendation)
    assert not {words for words in drawn if words.endswith("…") and "d17d3dc7" not in words}
    said = Wording(Language(language), told)
    for recommendation in Recommendation:
        assert said.recommended(recommendation) in drawn


def test_practices_that_are_told_are_those_that_a_bundle_can_be_read_for() -> None:
    assert set(PRACTICES) == set(SHARES)


def test_what_has_no_room_would_be_noticed(manifest: Manifest, drawn: list[str]) -> None:
    view = replace(STATES["progress"], progress=(10**40, 10**41))
    Renderer((800, 480), manifest).draw(Surface((800, 480)), view)
    assert any(words.endswith("…") for words in drawn)


def test_figures_shown_are_those_of_the_manifest(manifest: Manifest) -> None:
    assert set(FIGURES) <= set(manifest.metrics)
