"""Findings and models as text on a terminal, and the overlay as a file."""

from collections import Counter
from pathlib import Path
from typing import Final

from PIL import Image
from rich.table import Table
from rich.text import Text

from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.errors import ImageError
from device.frame import Frame
from device.imaging.field_of_view import FieldOfView, Geometry
from device.imaging.overlay import blend_overlay
from device.imaging.preprocessing import model_region
from device.inference.finding import FindingRecord, SaliencyMap
from device.inference.recommendation import Recommendation
from device.models.bundle import Bundle
from device.models.manifest import Manifest
from device.models.network_spec import NetworkSpec
from device.platform.terminal import Terminal
from device.text import printable, printable_path

_BAR_CELLS: Final = 24

_RECOMMENDED: Final[dict[Recommendation, str]] = {
    Recommendation.REFER: "Excise or refer. ",
    Recommendation.NOT_EXCLUDED: "Malignancy is not excluded: follow up or refer. ",
    Recommendation.NO_SIGN: "No sign of malignancy. ",
}


def print_finding(record: FindingRecord, manifest: Manifest) -> None:
    """Print one finding as a table."""
    names = {c.code: c.names["en"] for c in manifest.classes}
    table = Table(
        title=Text(printable(record.image), no_wrap=True, overflow="ignore"),
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for heading, side in (("", "left"), ("", "left"), ("", "right"), ("", "left")):
        table.add_column(heading, justify="right" if side == "right" else "left")
    for code in SCREEN_ORDER:
        probability = record.probabilities[code]
        sign = "▲" if code in MALIGNANT else " "
        mark = "bold" if code == record.diagnosis and record.no_call is None else ""
        table.add_row(
            Text(f"{sign} {code}", mark),
            Text(names[code], mark),
            Text(f"{probability:.1%}", mark),
            Text("█" * round(probability * _BAR_CELLS)),
        )
    console = Terminal(highlight=False)
    console.print(table)
    console.print(Text(_conclusion(record, names)), soft_wrap=True)
    console.print()


def _conclusion(record: FindingRecord, names: dict[Code, str]) -> str:
    quality = record.quality
    seen = "sufficient" if quality.sufficient else ", ".join(quality.shortcomings)
    made = f"No call ({record.no_call})" if record.no_call else f"{names[record.diagnosis]} leads"
    # Of a call, the leading diagnosis is named already, as on the screen.
    others = [c for c in record.prediction_set if record.no_call or c != record.diagnosis]
    not_excluded = f"Not excluded: {', '.join(names[c] for c in others)}. " if others else ""
    counts = Counter(record.similar).most_common()
    alike = f"Of the {len(record.similar)} most similar lesions: " if counts else ""
    alike += ", ".join(f"{count} {names[code]}" for code, count in counts) + (
        ". " if counts else ""
    )
    recommended = _RECOMMENDED[record.recommendation] if record.recommendation else ""
    return (
        f"{recommended}{made}. Malignant group {record.malignancy:.1%}. {not_excluded}{alike}"
        f"Quality: {seen}. {record.model}, {record.timings_ms['total']:.1f} ms."
    )


def print_model(bundle: Bundle) -> None:
    """Print what a verified bundle is, and the figures of its card."""
    manifest = bundle.manifest
    table = Table("figure", "value", "95 % interval", title=manifest.model_id)
    for name, figure in manifest.metrics.items():
        table.add_row(
            name.replace("_", " "), f"{figure.value:.3f}", f"{figure.low:.3f} to {figure.high:.3f}"
        )
    console = Terminal(highlight=False)
    console.print(table)
    for line in (
        f"Signature and hash hold; signed by {bundle.signed_by[:16]}…",
        *(_network_line(bundle, network) for network in manifest.networks),
        f"{manifest.provenance.dataset}; {manifest.provenance.split}",
        f"Licence of the data: {manifest.provenance.licence}",
    ):
        console.print(Text(line), soft_wrap=True)


def _network_line(bundle: Bundle, network: NetworkSpec) -> str:
    spec, saliency = network.input, network.saliency
    return (
        f"{network.file}: input {spec.width} x {spec.height}, {spec.geometry}; "
        f"{len(bundle.models[network.file]):,} bytes; saliency by {saliency.method}, of a captured "
        f"picture by {saliency.captured_method or saliency.method}"
    )


def write_overlay(
    path: Path, frame: Frame, field: FieldOfView, saliency: SaliencyMap | None, geometry: Geometry
) -> None:
    """Write a frame with the saliency, where there is one, over the part that the model was shown.

    Raises
    ------
    device.errors.ImageError
        If the file cannot be written.
    """
    pixels = frame.pixels.copy()
    if saliency is not None:
        part = model_region(pixels, geometry, field)
        part[:] = blend_overlay(part, saliency.values)
    save_picture(path, Image.fromarray(pixels))


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture in the format that the file's ending names.

    Raises
    ------
    device.errors.ImageError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(f"{printable_path(path)}: cannot be written ({reason})") from None
    except ValueError:
        raise ImageError(
            f"{printable_path(path)}: cannot be written; give it an ending such as .png"
        ) from None
