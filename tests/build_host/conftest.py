import contextlib
import io
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.bundle.classes import CLASSES
from build_host.cli.options import PRETRAINED_VARIABLE
from build_host.datasets import separation
from build_host.datasets.sources import SOURCES
from build_host.evaluation.assessment import Assessment, CoveragePoint
from build_host.evaluation.evaluation import ConformalCheck, Evaluation, Selective
from build_host.evaluation.metrics import METRICS, ClassFigures
from build_host.evaluation.tflite_file import FileSize
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec
from device.imaging.quality import QualityLimits
from device.models.manifest import MODEL_FILE, Interval, Manifest, Provenance
from device.models.network_spec import (
    Abstention,
    Calibration,
    Conformal,
    NetworkSpec,
    OperatingPoint,
    Outputs,
    Saliency,
    TensorSpec,
)
from tests.build_host import drawn

CONFIG = """
name = "drawn-28"
version = "0.1.0"
seed = 7
architecture = "paper"
representative = 20

[input]
height = {side}
width = {side}
geometry = "full-frame"

[fit]
epochs = {epochs}
batch = 32
learning_rate = 1e-3

[saliency]
method = "occlusion"
patch = 14
stride = 7
"""


PROVENANCE = Provenance(
    dataset="HAM10000",
    dataset_digest="1" * 16 + "a" * 48,
    split="lesion-disjoint",
    seed=4711,
    code_revision="abc1234",
    run_digest="2" * 16 + "b" * 48,
    libraries={"tensorflow": "9.8.7"},
    created="2026-01-02",
    licence="CC BY-NC 4.0",
)


@dataclass(frozen=True)
class Done:
    """What a command of the command line left behind."""

    status: int
    out: str
    err: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A run's folder after one of its stages, what it printed and which warnings it showed."""

    folder: Path
    printed: str
    warnings: tuple[str, ...] = ()


def draft(stage: Stage) -> tuple[Manifest, bytes]:
    """Return the manifest and the model of a run that is compressed."""
    manifest = msgspec.json.decode((stage.folder / "draft.json").read_bytes(), type=Manifest)
    return manifest, (stage.folder / "model.tflite").read_bytes()


@pytest.fixture(scope="session", autouse=True)
def _no_data_from_outside() -> Iterator[None]:
    """Forget where real data is, for fixtures of the session too.

    Tests of the real data set look where it is when they are imported.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in (*(source.variable for source in SOURCES.values()), PRETRAINED_VARIABLE):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _drawn_lesions_are_told_apart() -> Iterator[None]:
    """Take no two images for one: the drawn data sets show one lesion of each diagnosis.

    `build_host.datasets.separation` would leave nothing to train on. Its own tests look.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separation, "find_look_alikes", lambda *_: [])
        yield


@pytest.fixture(scope="session")
def write_config() -> Callable[..., Path]:
    def write(folder: Path, epochs: int = 2, side: int = 28) -> Path:
        path = folder / f"run-{epochs}-{side}.toml"
        path.write_text(CONFIG.format(epochs=epochs, side=side))
        return path

    return write


@pytest.fixture(scope="session")
def command() -> Callable[..., Done]:
    def run(*arguments: object) -> Done:
        from build_host.cli import main

        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            # A person sees warnings and goes on; one test looks at what they would have seen.
            warnings.catch_warnings(record=True) as seen,
        ):
            warnings.simplefilter("default")
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            patch.setenv("COLUMNS", "300")
            try:
                status = main([str(a) for a in arguments])
            except SystemExit as stop:  # argparse ends so
                status = int(stop.code or 0)
        shown = tuple(f"{w.category.__name__}: {w.message}" for w in seen)
        return Done(status, out.getvalue(), err.getvalue(), shown)

    return run


@pytest.fixture(scope="session")
def ham10000(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ham10000")
    content = drawn.rows()
    drawn.write_metadata(folder / "HAM10000_metadata.csv", content)
    parts = tuple(folder / f"HAM10000_images_part_{n}" for n in (1, 2))
    drawn.write_images(parts, content)
    return folder


@pytest.fixture
def spoilable(ham10000: Path, tmp_path: Path) -> Path:
    """Return a copy of the data set that a test may damage."""
    return shutil.copytree(ham10000, tmp_path / "spoilable")


@pytest.fixture(scope="session")
def ham10000_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    content = drawn.rows()
    drawn.write_metadata(folder / "HAM10000_metadata.csv", content)
    (folder / "hmnist_28_28_RGB.csv").write_text("\n".join(drawn.table_lines(content)) + "\n")
    return folder


@pytest.fixture
def spoilable_table(ham10000_table: Path, tmp_path: Path) -> Path:
    return shutil.copytree(ham10000_table, tmp_path / "spoilable-table")


@pytest.fixture(scope="session")
def clinic_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn.write_clinic(tmp_path_factory.mktemp("clinics") / "ward-7", "ward-", 1)


@pytest.fixture(scope="session")
def milk10k(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = drawn.write_clinic(tmp_path_factory.mktemp("collections") / "milk", "IL_", 2)
    drawn.write_photographs(folder, "IL_")
    with (folder / "images.csv").open("a", encoding="utf-8") as table:
        for number in range(3):
            # None of the seven diagnoses.
            table.write(f"IL_other{number},IL_other{number},,50,male,back,3\n")
            drawn.write_image(folder / "images" / f"IL_other{number}.jpg", "vasc", number, 2)
    return folder


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("keys") / "signing.key"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DERMASCOPE_SIGNING_KEY", str(path))
        yield path


@pytest.fixture(scope="session")
def trusted_key(key_file: Path, command: Callable[..., Done]) -> str:
    done = command("keygen")
    assert done.status == 0, done.err
    return done.out.splitlines()[0].rpartition(" ")[2]


@pytest.fixture(scope="session")
def trained(
    ham10000: Path,
    tmp_path_factory: pytest.TempPathFactory,
    write_config: Callable[..., Path],
    command: Callable[..., Done],
) -> Stage:
    folder = tmp_path_factory.mktemp("work")
    config = write_config(folder)
    done = command("train", "--ham10000", ham10000, "--config", config, "--out", folder / "runs")
    assert done.status == 0, done.err
    (run,) = (folder / "runs").glob("drawn-28-*")
    return Stage(run, done.out, done.warnings)


def _next(command: Callable[..., Done], name: str, stage: Stage, data: Path) -> Stage:
    done = command(name, "--ham10000", data, stage.folder)
    assert done.status == 0, done.err
    return Stage(stage.folder, done.out, done.warnings)


@pytest.fixture(scope="session")
def compressed(trained: Stage, ham10000: Path, command: Callable[..., Done]) -> Stage:
    return _next(command, "compress", trained, ham10000)


@pytest.fixture(scope="session")
def evaluated(compressed: Stage, ham10000: Path, command: Callable[..., Done]) -> Stage:
    return _next(command, "evaluate", compressed, ham10000)


@pytest.fixture(scope="session")
def bundled(evaluated: Stage, trusted_key: str, command: Callable[..., Done]) -> Stage:
    models = evaluated.folder.parent.parent / "models"
    done = command("bundle", evaluated.folder, "--models", models)
    assert done.status == 0, done.err
    return Stage(models / "drawn-28", done.out, done.warnings)


@pytest.fixture
def made_manifest() -> Manifest:
    live = NetworkSpec(
        file=MODEL_FILE,
        sha256="0" * 64,
        input=InputSpec(height=28, width=28, geometry="full-frame"),
        input_tensor=TensorSpec(
            index=0, shape=(28, 28, 3), dtype="int8", quantization_scale=1 / 255, zero_point=-128
        ),
        outputs=Outputs(
            logits=TensorSpec(
                index=0, shape=(7,), dtype="int8", quantization_scale=0.1, zero_point=3
            )
        ),
        calibration=Calibration(temperature=1.5, bias=(0.1,) * 7, fitted_on="fold 4"),
        operating_points=(
            OperatingPoint(
                name="melanoma-0.90",
                score="mel",
                threshold=0.1234,
                sensitivity=0.911,
                specificity=0.722,
                fitted_on="fold 4",
            ),
        ),
        conformal=Conformal(coverage=0.85, thresholds=(0.05,) * 7, fitted_on="fold 4"),
        abstention=Abstention(
            score="energy", uncertain_below=0.5, unfamiliar_below=-1.0, fitted_on="fold 4"
        ),
        saliency=Saliency(method="occlusion"),
    )
    return Manifest(
        name="by-hand",
        version="1.2.3",
        classes=CLASSES,
        live=live,
        quality=QualityLimits(
            focus_min=1.0,
            exposure_min=0.2,
            exposure_max=0.9,
            glare_max=0.02,
            coverage_min=0.9,
            derived_from="drawings",
        ),
        provenance=PROVENANCE,
        metrics={},
    )


@pytest.fixture
def made_evaluation() -> Evaluation:
    random = np.random.default_rng(3)
    figures = {
        name: Interval(value=0.5 + n / 1000, low=0.3 + n / 1000, high=0.7 + n / 1000)
        for n, name in enumerate(METRICS)
    }
    return Evaluation(
        model="by-hand 1.2.3",
        model_sha256="0" * 64,
        protocol="Lesion-disjoint: said here.",
        images=1981,
        lesions=1470,
        figures=figures,
        per_class={
            code: ClassFigures(
                images=1000 + n,
                precision=Interval(value=0.1 + n / 100, low=0.05, high=0.35),
                recall=Interval(value=0.2 + n / 100, low=0.15, high=0.45),
                f1=Interval(value=0.3 + n / 100, low=0.25, high=0.55),
                auc=Interval(value=0.4 + n / 100, low=0.35, high=0.65),
            )
            for n, code in enumerate(CODES)
        },
        confusion=random.integers(2000, 9000, (7, 7)).tolist(),
        selective=Selective(coverage=0.654, accuracy=0.876, balanced_accuracy=0.765),
        conformal=ConformalCheck(
            coverage=0.932, mean_set_size=2.57, coverage_per_class=dict.fromkeys(CODES, 0.9)
        ),
        subgroups={
            "sex": {
                "female": {"images": 901, "accuracy": Interval(value=0.81, low=0.79, high=0.83)}
            },
            "dx_type": {
                "histo": {
                    "images": 902,
                    "accuracy": Interval(value=0.61, low=0.59, high=0.63),
                    "malignant_auc": Interval(value=0.71, low=0.69, high=0.73),
                }
            },
        },
        size=FileSize(bytes=1_300_000, gzip_bytes=1_100_000),
    )


@pytest.fixture
def made_assessment(made_evaluation: Evaluation) -> Assessment:
    return Assessment(evaluations=[made_evaluation], surest=[CoveragePoint(0.5, 0.912, 0.823)])


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with weights in the file that Keras would download.

    Drawn at random, but with the batch statistics of real activations, as trained ones have.
    """
    from build_host.keras import keras
    from build_host.training.mobilenet import WEIGHTS_FILE

    folder = tmp_path_factory.mktemp("pretrained")
    keras.utils.set_random_seed(3)
    shape = (96, 96, 3)
    source = keras.applications.MobileNetV2(shape, alpha=0.35, include_top=False, weights=None)
    random = np.random.default_rng(3)
    for layer in source.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
            layer.gamma.assign(random.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(random.uniform(-0.5, 0.5, layer.beta.shape))
    for _ in range(8):
        source(random.uniform(-1, 1, (8, *shape)).astype(np.float32), training=True)
    source.save_weights(folder / WEIGHTS_FILE.format(width=0.35))
    return folder
