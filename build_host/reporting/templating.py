"""Jinja templates, and how they and the console write figures."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from device.models.manifest import Interval


def render(
    template: Path,
    values: Mapping[str, object],
    filters: Mapping[str, Callable[..., object]] | None = None,
) -> str:
    """Return a filled template.

    Parameters
    ----------
    template
        Its file. What is put into ``.html.j2`` is escaped, into ``.md.j2`` it is not.
    values
        What the template refers to; a name that is missing is an error.
    filters
        More filters, or others of the same names.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        interval=format_interval, mib=format_mib, percent=format_percent, words=words
    )
    environment.filters.update(filters or {})
    return environment.get_template(template.name).render(values)


def format_interval(figure: Interval | int | None) -> str:
    """Return a figure with its interval; a dash where there is none."""
    if not isinstance(figure, Interval):
        return "-"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def names_of(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the names of all the figures that any row has, in their first order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def format_mib(size: int) -> str:
    """Return a number of bytes in MiB."""
    return f"{size / 2**20:.3f}"


def format_percent(share: float, digits: int = 0) -> str:
    """Return a share in per cent."""
    return f"{share:.{digits}%}"


def words(name: str) -> str:
    """Return the name of a figure for people to read."""
    return name.replace("_", " ").replace(" auc", " AUC")
