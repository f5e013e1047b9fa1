import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from device.errors import ExportError
from device.inference.finding import Finding
from device.interop.dicom_folder import export_dicom
from device.models.manifest import Manifest
from tests.device.commands import ROOT
from tests.device.interop.studies import DECISION, SECRETS, examined, without_patient


def test_each_visit_has_a_folder_and_no_name_tells_of_whom(
    manifest: Manifest, finding: Finding, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    kept = [
        examined(manifest, finding, 1, decision=DECISION),
        examined(manifest, finding, 2),
        without_patient(examined(manifest, None, 3)),
    ]
    assert export_dicom(iter(kept), stick) == 3
    files = sorted(path for path in stick.rglob("*") if path.is_file())
    assert len(files) == 5
    assert len({path.parent for path in files}) == 2
    assert not any(secret in str(path) for path in files for secret in SECRETS)
    assert not any("20260304" in str(path.relative_to(stick)) for path in files)
    for path in files:
        assert pydicom.dcmread(path).StudyDate == "20260304"
    before = {path: path.read_bytes() for path in files}
    assert export_dicom(iter(kept), stick) == 3
    assert {path: path.read_bytes() for path in stick.rglob("*.dcm")} == before


def test_folder_that_cannot_be_written_is_told(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written; free space") as told:
        export_dicom([examined(manifest)], tmp_path / "file")
    assert not any(secret in str(told.value) for secret in SECRETS)


_WITHOUT = """
import sys
sys.modules["highdicom"] = sys.modules["pydicom"] = None
from device.cli import main
sys.exit(main(["--config", sys.argv[1], "export", "dicom", sys.argv[2]]))
"""


@pytest.mark.parametrize("missing", [False, True])
def test_command_needs_its_libraries_only_when_it_is_used(
    missing: bool, tmp_path: Path, kept_examination: Path
) -> None:
    """And says which extra to install."""
    code = _WITHOUT if missing else _WITHOUT.replace("sys.modules", "#", 1)
    config = tmp_path / "config.toml"
    config.write_text(f'records_folder = "{kept_examination}"\n')
    done = subprocess.run(
        [sys.executable, "-c", code, str(config), str(tmp_path / "out")],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if missing:
        assert done.returncode == 2
        assert "is not installed; install the program's extra interop" in done.stderr
        assert "internal error" not in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{tmp_path / 'out'}: examinations written: 1.\n"
        assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2


_LOADED = """
import sys, device.cli, device.instrument
print([name for name in ("pydicom", "highdicom", "pynetdicom", "fhir", "reportlab",
       "device.interop") if name in sys.modules])
"""


def test_the_live_view_loads_none_of_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "[]\n"


_EXPORTING = """
import sys
from pathlib import Path
from device.config import Config
from device.interop.dicom_folder import export_dicom
from device.models.chosen import open_bundle
from tests.device.interop.studies import DECISION, examined
manifest = open_bundle(Config()).manifest
kept = [examined(manifest, number=number, decision=DECISION) for number in range(1, 6)]
print("ready", flush=True)
while True:
    export_dicom(kept, Path(sys.argv[1]))
    print("whole", flush=True)
"""


def test_export_that_is_killed_leaves_whole_files_alone(tmp_path: Path) -> None:
    random = np.random.default_rng(7)

    for _ in range(6):
        program = subprocess.Popen(
            [sys.executable, "-c", _EXPORTING, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert program.stdout.readline() == b"ready\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(timeout=random.uniform(0.01, 0.4))
        program.kill()
        program.wait()
        program.stdout.close()
        for path in tmp_path.rglob("*.dcm"):
            dataset = pydicom.dcmread(path)
            assert dataset.PatientID == "MRN-4711"
            if dataset.Modality != "SR":
                assert dataset.pixel_array.shape == (61, 83, 3)
