from pathlib import Path

import pytest
from jinja2 import UndefinedError

from build_host.reporting.templating import render
from device.models.manifest import Interval


def filled(tmp_path: Path, name: str, template: str, **values: object) -> str:
    (tmp_path / name).write_text(template)
    return render(tmp_path / name, values)


def test_figures_are_written_alike_everywhere(tmp_path: Path) -> None:
    template = "{{ figure | interval }}, {{ none | interval }}, {{ size | mib }} MiB, "
    template += "{{ share | percent }}, {{ share | percent(1) }}, {{ metric | words }}\n"
    figure = Interval(value=0.81249, low=0.8, high=0.85)
    written = filled(
        tmp_path, "page.md.j2", template, figure=figure, none=None, size=3 << 19, share=0.125,
        metric="macro_auc",
    )  # fmt: skip
    assert written == "0.812 (0.800 to 0.850), -, 1.500 MiB, 12%, 12.5%, macro AUC\n"


@pytest.mark.parametrize("template", ["{{ missing }}", "{{ row.missing }}", "{{ row.missing.x }}"])
def test_a_name_that_is_missing_is_an_error(tmp_path: Path, template: str) -> None:
    with pytest.raises(UndefinedError):
        filled(tmp_path, "page.md.j2", template, row={"there": 1})


def test_html_is_escaped_and_markdown_is_not(tmp_path: Path) -> None:
    for name, written in (("page.html.j2", "a &lt; b"), ("page.md.j2", "a < b")):
        assert filled(tmp_path, name, "{{ text }}", text="a < b") == written
