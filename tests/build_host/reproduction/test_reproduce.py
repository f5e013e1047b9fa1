"""``reproduce --quick`` on drawn lesions, looked at from outside."""

import contextlib
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.compression.quantization import describe_tensors
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.split import split_by_lesion
from build_host.reproduction.results import Results
from build_host.reproduction.tables import PAPER_TABLE
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, resize_to_input, scale_pixels
from device.inference.runtimes import installed_runtime
from device.models.bundle import load_bundle
from tests.build_host.conftest import Done, Stage

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="session")
def reproduced(
    ham10000: Path, tmp_path_factory: pytest.TempPathFactory, command: Callable[..., Done]
) -> Stage:
    out = tmp_path_factory.mktemp("reproduction")
    done = command("reproduce", "--quick", "--ham10000", ham10000, "--out", out)
    assert done.status == 0, done.err
    (folder,) = out.glob("quick-*")
    return Stage(folder, done.out, done.warnings)


@pytest.fixture(scope="session")
def results(reproduced: Stage) -> Results:
    return msgspec.json.decode((reproduced.folder / "metrics.json").read_bytes(), type=Results)


class References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [v for k, v in attrs if v and k in ("src", "href", "xlink:href", "data")]


def test_the_report_opens_without_a_network(reproduced: Stage) -> None:
    page = (reproduced.folder / "report.html").read_text()
    parser = References()
    parser.feed(page)
    outside = [r for r in parser.found if not r.startswith(("data:image/png;base64,", "#"))]
    assert outside == []
    assert not {"script", "link", "iframe"} & set(parser.tags)
    assert "url(" not in page.replace("url(#", "")
    assert parser.tags.count("svg") >= 12
    assert "nan" not in re.sub(r"data:image/png;base64,[^\"]*", "", page).lower().split()


def test_the_report_has_every_part_of_the_paper(reproduced: Stage) -> None:
    page = (reproduced.folder / "report.html").read_text()
    for heading in (
        "Section 3.1", "Section 3.2", "Section 3.3", "Section 3.4", "Section 4",
        "Three protocols", "Table 8", "The paper's rows beside ours",
    ):  # fmt: skip
        assert heading in page
    for name, *_ in PAPER_TABLE:
        assert name in page


def test_every_row_of_table_8_is_a_file_of_that_size(reproduced: Stage, results: Results) -> None:
    found = {(a.name, a.kind): a for a in results.artefacts}
    for _, _, _, name, kind in PAPER_TABLE:
        assert (name, kind) in found
    files = {p.stem: p.stat().st_size for p in (reproduced.folder / "files").glob("*.tflite")}
    for artefact in results.artefacts:
        stem = f"{artefact.name} {artefact.kind}".replace(", ", "-").replace(" ", "-")
        if stem in files:
            assert artefact.size.bytes == files.pop(stem)
    assert files == {}


def test_what_pruning_sets_to_zero_is_measured(results: Results) -> None:
    found = {(a.name, a.kind): a for a in results.artefacts}
    assert found["pruned", "int8"].sparsity["all"] == pytest.approx(0.95, abs=0.02)
    assert found["rewound", "int8"].sparsity["all"] == pytest.approx(0.95, abs=0.02)
    assert found["base", "int8"].sparsity["all"] < 0.01
    for kind in ("float32", "int8"):
        assert found["pruned", kind].size.gzip_bytes < 0.4 * found["base", kind].size.gzip_bytes


def test_the_zeros_of_the_quantization_aware_file_are_in_the_file_itself(
    reproduced: Stage,
) -> None:
    content = (reproduced.folder / "files/pruned-quantization-aware-int8.tflite").read_bytes()
    interpreter = installed_runtime().load(content, 1)
    kernels = []
    for details in interpreter.get_tensor_details():
        if details["dtype"] == np.int8 and np.prod(details["shape"]) > 20_000:
            # What is computed holds nothing yet.
            with contextlib.suppress(ValueError):
                kernels.append(interpreter.get_tensor(details["index"]))
    assert len(kernels) >= 5
    for kernel in kernels:
        assert (kernel == 0).mean() > 0.9


def test_an_accuracy_of_the_table_is_that_of_the_file_run_by_hand(
    reproduced: Stage, results: Results, ham10000: Path
) -> None:
    content = (reproduced.folder / "files/base-int8.tflite").read_bytes()
    interpreter = installed_runtime().load(content, 1)
    given, _ = describe_tensors(content)
    spec = InputSpec(height=28, width=28, geometry="full-frame")
    dataset = read_ham10000(ham10000)
    test = dataset.subset(split_by_lesion(dataset).test)
    right = 0
    for record in test.records:
        value = scale_pixels(resize_to_input(test.read(record), spec), spec)
        counts = np.rint(value / given.quantization_scale) + given.zero_point
        interpreter.set_tensor(
            interpreter.get_input_details()[0]["index"],
            np.clip(counts, -128, 127).astype(np.int8)[None],
        )
        interpreter.invoke()
        logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        right += CODES[int(logits.argmax())] == record.dx
    (row,) = [a for a in results.artefacts if (a.name, a.kind) == ("base", "int8")]
    assert row.figures["accuracy"].value == pytest.approx(right / len(test))


def test_the_protocols_differ_in_what_stands_on_both_sides(results: Results) -> None:
    copies, by_image, by_lesion = results.protocols
    # The drawn diagnoses are nearly even, so few images are repeated; of real ones, most are.
    assert copies.test_images_seen_in_training > 0.3 * copies.test_images
    assert by_image.test_images_seen_in_training == 0
    assert by_image.test_lesions_seen_in_training > 0
    assert by_lesion.test_images_seen_in_training == 0
    assert by_lesion.test_lesions_seen_in_training == 0


def test_the_peers_stand_in_the_same_table(results: Results) -> None:
    names = " ".join(a.name for a in results.artefacts)
    for peer in ("ABCD and texture, SVM", "light AlexNet", "ensemble", "rewound", "clustered"):
        assert peer in names


def test_each_interval_holds_its_value(results: Results) -> None:
    for artefact in results.artefacts:
        for figure in artefact.figures.values():
            assert 0.0 <= figure.low <= figure.high <= 1.0


def test_a_second_run_does_nothing(
    reproduced: Stage, ham10000: Path, command: Callable[..., Done]
) -> None:
    before = {p: p.stat().st_mtime_ns for p in reproduced.folder.rglob("*")}
    done = command(
        "reproduce", "--quick", "--ham10000", ham10000, "--out", reproduced.folder.parent
    )
    assert done.status == 0, done.err
    assert "Nothing to do" in done.out
    assert {p: p.stat().st_mtime_ns for p in reproduced.folder.rglob("*")} == before


@pytest.mark.parametrize(
    "lost", [("metrics.json", "report.html", "protocol-split-by-image/result.json"), ("bundle",)]
)
def test_a_run_that_lost_its_last_stages_makes_them_again_and_nothing_else(
    lost: tuple[str, ...],
    reproduced: Stage,
    results: Results,
    ham10000: Path,
    command: Callable[..., Done],
    tmp_path: Path,
) -> None:
    shutil.copytree(reproduced.folder.parent, tmp_path / "out")
    (folder,) = (tmp_path / "out").glob("quick-*")
    for name in lost:
        (folder / name).rename(tmp_path / Path(name).name)
    fitted = {p: p.stat().st_mtime_ns for p in folder.rglob("weights.h5")}
    done = command("reproduce", "--quick", "--ham10000", ham10000, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("weights.h5")} == fitted
    again = msgspec.json.decode((folder / "metrics.json").read_bytes(), type=Results)
    assert again == results
    assert (folder / "bundle" / "draft.json").is_file()


def test_the_smallest_good_file_becomes_a_bundle_that_the_device_loads(
    reproduced: Stage,
    results: Results,
    trusted_key: str,
    command: Callable[..., Done],
    tmp_path: Path,
) -> None:
    assert f"Next: dermascope-build bundle {reproduced.folder / 'bundle'}" in reproduced.printed
    done = command("bundle", reproduced.folder / "bundle", "--models", tmp_path)
    assert done.status == 0, done.err
    bundle = load_bundle(tmp_path / "quick", [trusted_key])
    chosen = next(a for a in results.artefacts if f"{a.name}, {a.kind}" == results.chosen)
    assert len(bundle.live_model) == chosen.size.bytes
    assert bundle.manifest.provenance.run_digest == results.run
    kept = (tmp_path / "quick" / "reproduction.json").read_bytes()
    assert msgspec.json.decode(kept, type=Results) == results
    card = (tmp_path / "quick" / "MODEL_CARD.md").read_text()
    for protocol in results.protocols:
        figure = protocol.figures["accuracy"]
        assert f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})" in card
    for name, *_ in PAPER_TABLE:
        assert f"| {name} |" in card
    assert f'"{results.chosen}": {chosen.size.gzip_bytes / 2**20:.3f} MiB' in card


def test_no_stage_shows_a_warning(reproduced: Stage) -> None:
    known = "Statistics for quantized inputs were expected"
    assert [w for w in reproduced.warnings if known not in w] == []


def test_data_that_are_not_whole_are_told_before_anything_is_made(
    spoilable: Path, tmp_path: Path, command: Callable[..., Done]
) -> None:
    next(spoilable.glob("*/*.jpg")).unlink()
    done = command("reproduce", "--quick", "--ham10000", spoilable, "--out", tmp_path / "out")
    assert done.status == 2
    assert "1 of 176 images are missing" in done.err
    assert not (tmp_path / "out").exists()
