"""Figures and tables as cards and tables have them."""

from collections.abc import Iterable, Sequence

from device.inference.manifest import Interval


def cell(figure: Interval | int | None) -> str:
    """Return a figure with its interval; a dash where there is none."""
    if not isinstance(figure, Interval):
        return "-"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    ruled = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in ruled)
