"""The model on this machine: whether it is the signed one, computes rightly, and how fast."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import msgspec

from device.config import Config
from device.errors import BundleError
from device.inference.known_answers import known_pictures
from device.inference.network import Network, has_known_answers
from device.language import translatable
from device.models.bundle import Bundle
from device.models.chosen import open_bundle
from device.platform.regular_files import read_regular_file
from device.selftest.check import Check, Item, failed, passed, untested, warned

SLOWER: Final = 20.0
"""Times as long as on the machine that the bundle was measured on, a pass may take: a Raspberry
Pi's core takes five to eight times as long as a workstation's."""

SLOWEST_MS: Final = 250.0
"""With passes longer than this the live view's finding is always stale."""

_METRICS_FILE: Final = "metrics.json"
_METRICS_LIMIT: Final = 4 << 20
_PASSES: Final = 9
_INSTALL: Final = translatable("install the model again, or another one")


class _Speed(msgspec.Struct, frozen=True):
    model_ms: float


class _Metrics(msgspec.Struct, frozen=True):
    """As much of the bundle's ``metrics.json`` as is used."""

    speed: _Speed | None = None
    captured_speed: _Speed | None = None


def model_checks(config: Config, folder: Path | None = None) -> Iterator[Check]:
    """Return signature, known answers and time of a pass of the bundle in use.

    Parameters
    ----------
    folder
        The bundle's folder, where it is not the one of the settings.
    """
    try:
        bundle = open_bundle(config, folder)
    except BundleError as error:
        yield failed(Item.MODEL, "{error}", _INSTALL, error=str(error))
        return
    yield passed(
        Item.MODEL,
        translatable("{model}, its signature holds"),
        model=bundle.manifest.model_id,
    )
    try:
        networks = [Network(bundle, spec, config.threads) for spec in bundle.manifest.networks]
    except BundleError as error:
        yield failed(Item.ANSWERS, "{error}", translatable("use another device"), error=str(error))
        return
    yield _answers(bundle)
    yield _speed(networks, _expected(bundle))


def _answers(bundle: Bundle) -> Check:
    """Return whether there was something to compare with: `Network` itself refuses what differs."""
    if all(has_known_answers(bundle, spec) for spec in bundle.manifest.networks):
        return passed(Item.ANSWERS, translatable("as on the machine that it was built on"))
    return untested(
        Item.ANSWERS, translatable("it runs; of this model the right answers are not known here")
    )


def pass_milliseconds(network: Network) -> float:
    """Return the median time of a pass."""
    pictures = known_pictures(network.spec.input.height, network.spec.input.width)
    taken = []
    for number in range(_PASSES):
        begin = perf_counter()
        network.run(pictures[number % len(pictures)])
        taken.append((perf_counter() - begin) * 1e3)
    return median(taken)


def _expected(bundle: Bundle) -> list[float]:
    """Return what the bundle's own measurements say that each network takes; empty if nothing."""
    try:
        content = read_regular_file(bundle.folder / _METRICS_FILE, _METRICS_LIMIT)
        metrics = msgspec.json.decode(content, type=_Metrics)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    told = [metrics.speed, metrics.captured_speed][: len(bundle.manifest.networks)]
    return [speed.model_ms for speed in told if speed is not None]


def _speed(networks: list[Network], expected: list[float]) -> Check:
    taken = [pass_milliseconds(network) for network in networks]
    shown = ", ".join(f"{milliseconds:.1f} ms" for milliseconds in taken)
    advice = translatable("check temperature and power supply, or use a smaller model")
    if max(taken) > SLOWEST_MS:
        return failed(
            Item.SPEED, translatable("{taken}: too long for a live view"), advice, taken=shown
        )
    if len(expected) < len(networks):
        return passed(Item.SPEED, "{taken}", taken=shown)
    slower = max(own / told for own, told in zip(taken, expected, strict=True))
    times = f"{slower:.1f}"
    if slower > SLOWER:
        return warned(
            Item.SPEED,
            translatable("{taken}: {times} times as long as where it was measured"),
            advice,
            taken=shown,
            times=times,
        )
    return passed(
        Item.SPEED,
        translatable("{taken}: {times} times as long as where it was measured"),
        taken=shown,
        times=times,
    )
