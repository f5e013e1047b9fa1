"""The whole program is killed between two things that it writes of one picture."""

import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from device.language import Language
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.screen.wording import Wording
from tests.device.clinic import Camera, Clinic
from tests.device.commands import ROOT, records, run

_PROGRAM = """
import os, sys, threading
from pathlib import Path
os.environ["SDL_VIDEODRIVER"] = "dummy"
import pygame
from device.inference.analyzer import Analyzer
from device.records.encrypted_archive import EncryptedArchive
from device.screen.display import open_offscreen
from tests.device.bundles import calling
from tests.device.clinic import SIZE, Camera, Clinic
from tests.device.models.two_networks import shipped_bundle

stage, archive = sys.argv[1], EncryptedArchive(Path(sys.argv[2]))
clinic = Clinic(Analyzer(calling(shipped_bundle("multicentre"))), open_offscreen(SIZE))
clinic.options = {"archive": archive, "patients": archive}

def never_judged(frames, progress, chosen):
    chosen(frames[0])
    threading.Event().wait()

if stage == "kept":
    clinic.analyzer.burst = never_judged

def deeds():
    clinic.until_finding()
    clinic.press(pygame.K_SPACE)
    clinic.until(archive.identifiers)
    if stage == "judged":
        clinic.until(lambda: archive.record(archive.identifiers()[0]).finding)
    print(stage, flush=True)
    threading.Event().wait()

clinic.use(Camera(), deeds)
"""


def killed_once(stage: str, folder: Path) -> None:
    """Run the program until a picture is kept, or judged too, and kill it in that moment."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, stage, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert f"{stage}\n" in iter(child.stdout.readline, "")
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize("stage", ["kept", "judged"])
def test_picture_of_a_killed_program_is_there_and_says_what_it_lacks(
    clinic: Clinic, tmp_path: Path, stage: str
) -> None:
    folder = tmp_path / "examinations"
    killed_once(stage, folder)
    archive = EncryptedArchive(folder)
    clinic.options = {"archive": archive, "patients": archive}

    def deeds() -> None:
        (identifier,) = archive.identifiers()
        record = archive.record(identifier)
        assert (record.finding is not None) == (stage == "judged")
        assert record.decision is None
        assert archive.read(identifier).image.shape == (120, 160, 3)
        # It waits for the clinician, whatever it lacks.
        (waiting,) = archive.worklist(WorkKind.UNDECIDED, date(2026, 1, 1)).items
        assert waiting.record == record
        clinic.until(lambda: clinic.app.recent)
        (earlier,) = clinic.app.recent.pictures()
        assert earlier.time == record.taken
        said = Wording(Language.ENGLISH, clinic.analyzer.manifest).in_one_line(earlier.finding)
        assert (said == "No finding") == (stage == "kept")

    clinic.use(Camera(), deeds)
    archive.close()


def test_picture_that_was_never_judged_can_be(tmp_path: Path) -> None:
    killed_once("kept", tmp_path)
    config = tmp_path / "config.toml"
    config.write_text(f'records_folder = "{tmp_path}"\n')
    picture = tmp_path / "picture.png"
    done = run("--config", config, "records", "picture", "newest", picture)
    assert (done.stderr, done.returncode) == ("", 0)
    (record,) = records(run("analyze", "--json", picture).stdout)
    assert sum(record.probabilities.values()) == pytest.approx(1.0)
