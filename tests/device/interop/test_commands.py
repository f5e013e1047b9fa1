import io
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from device.cli import main
from device.commands.export import overlays
from device.config import Config
from device.frame import Frame, SourceKind
from device.imaging.field_of_view import FieldOfView
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.interop.outbox import Outbox
from device.models.bundle import Bundle
from device.records.access import Holder
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from device.records.trail import entries
from tests.device.commands import Capture, complaint, run
from tests.device.interop.peers import LEFT_TO_PYTHON, archive, closed_port
from tests.device.interop.studies import examined
from tests.device.interop.test_dicom_worklist import entry

pytestmark = LEFT_TO_PYTHON


@pytest.fixture
def settings(tmp_path: Path, kept_examination: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what writes a settings file of a clinic with one examination."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))

    def write(more: str) -> list[str]:
        path = tmp_path / "config.toml"
        path.write_text(f'records_folder = "{kept_examination}"\n{more}')
        return ["--config", str(path)]

    return write


def dicom(port: int, section: str = "[[exchange.dicom]]") -> str:
    return f'{section}\nname = "pacs"\nhost = "127.0.0.1"\nport = {port}\ntitle = "PACS"\n'


def test_what_is_kept_is_sent_once(settings, capsys: Capture) -> None:
    with archive() as pacs:
        for _ in range(2):
            assert main([*settings(dicom(pacs.port)), "send"]) == 0
            out, err = capsys.readouterr()
            assert (out, err) == ("pacs: waiting: 0.\n", "")
        assert len(pacs.stored) == 2


def test_what_cannot_be_sent_waits_and_is_told(settings, capsys: Capture, tmp_path: Path) -> None:
    assert main([*settings(dicom(closed_port())), "send"]) == 2
    out, err = capsys.readouterr()
    assert out == "pacs: waiting: 1.\n"
    assert err.startswith("dermascope: pacs cannot be reached; check the network")
    assert len(err.splitlines()) == 1
    with Outbox(tmp_path / "state") as outbox:
        assert len(list(outbox.waiting())) == 1
    with archive() as pacs:
        assert main([*settings(dicom(pacs.port)), "send"]) == 0
        assert len(pacs.stored) == 2


def test_nothing_leaves_unless_a_target_is_named(settings, capsys: Capture) -> None:
    assert main([*settings(""), "send"]) == 2
    assert "the settings name no target" in complaint(capsys)
    assert main([*settings(""), "worklist"]) == 2
    assert "the settings name no worklist" in complaint(capsys)


def test_damaged_examination_is_told_and_the_others_go(
    settings,
    kept_examination: Path,
    frames: tuple[Frame, ...],
    tmp_path: Path,
    capsys: Capture,
) -> None:
    records = EncryptedArchive(kept_examination)
    records.keep(replace(frames[0], kind=SourceKind.CAMERA), None, [], None)
    records.close()
    *_, damaged = sorted(kept_examination.rglob("*.picture"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0\0")
    assert main([*settings(""), "export", "dicom", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out.endswith("examinations written: 1.\n")
    assert "is damaged" in err


def test_worklist_is_printed(settings, capsys: Capture) -> None:
    with archive() as ris:
        ris.entries = [entry()]
        assert main([*settings(dicom(ris.port, "[exchange.worklist]")), "worklist"]) == 0
    assert capsys.readouterr().out == "0930\tMRN-4711\tNúñez, María\tSkin check\n"


@pytest.mark.parametrize(
    ("kind", "where", "files"),
    [("pdf", "out", 1), ("csv", "a.csv", 1), ("json", "a.jsonl", 1), ("training", "out", 1)],
)
def test_every_kind_of_export_is_written(
    settings, tmp_path: Path, capsys: Capture, kind: str, where: str, files: int
) -> None:
    place = tmp_path / where
    assert main([*settings(""), "export", kind, str(place)]) == 0
    out, err = capsys.readouterr()
    # No picture of it has a diagnosis yet.
    count = 0 if kind == "training" else 1
    assert (out, err) == (f"{place}: examinations written: {count}.\n", "")
    written = [path for path in [place, *place.rglob("*")] if path.is_file()]
    assert len(written) == files


def test_map_of_one_model_explains_nothing_of_what_another_said(
    bundle: Bundle, analyzer: Analyzer, frames: tuple[Frame, ...]
) -> None:
    draw = overlays(Config(model=str(bundle.folder)))
    finding = next(
        finding
        for frame in frames
        if (finding := analyzer.analyze(frame, as_captured=True)).no_call is None
        and finding.explainable(likeliest_malignant(finding.probabilities))
    )
    one = examined(bundle.manifest, finding)
    kept = msgspec.structs.replace(one.examination.record, field_of_view=FieldOfView(0, 0, 61))
    one = replace(one, examination=replace(one.examination, record=kept))
    assert draw(one) is not None
    for change in ({"model": "older-model 1.0.0"}, {"case_mix": "referral"}):
        said = msgspec.structs.replace(kept.finding, **change)
        record = msgspec.structs.replace(kept, finding=said)
        assert draw(replace(one, examination=replace(one.examination, record=record))) is None


@pytest.fixture
def locked(kept_examination: Path) -> Path:
    """Lock the records with a clinician's PIN and a field worker's."""
    kept = EncryptedArchive(kept_examination)
    kept.open()
    kept.set_pin(Holder("Ana", Role.CLINICIAN), "111111")
    kept.set_pin(Holder("Luis", Role.FIELD), "222222")
    kept.close()
    return kept_examination


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ("111111\n", 0, ""),
        ("222222\n", 2, "this is not allowed with your PIN"),
        ("333333\n", 2, "PIN"),
        ("", 2, "PIN: none was entered"),
    ],
)
def test_records_are_taken_out_by_whoever_may_and_the_trail_tells(
    settings, locked: Path, tmp_path: Path, typed: str, status: int, said: str
) -> None:
    done = run(*settings(""), "export", "dicom", tmp_path / "out", input=typed)
    assert done.returncode == status
    assert said in done.stderr
    assert "internal error" not in done.stderr
    assert bool(list(tmp_path.glob("out/DICOM/*/*"))) == (status == 0)
    kept = EncryptedArchive(locked)
    kept.open()
    kept.unlock("111111")
    with kept.reading() as connection:
        told = [(e.holder, e.event, e.subject) for e in entries(connection)]
    kept.close()
    assert (("Ana", "exported", "dicom") in told) == (status == 0)


def test_what_was_kept_while_locked_goes_too_or_is_told(
    settings,
    locked: Path,
    tmp_path: Path,
    frames: tuple[Frame, ...],
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = EncryptedArchive(locked)
    for room, status, count, said in ((1 << 60, 2, 1, "not in them yet: 1"), (0, 0, 2, "")):
        with monkeypatch.context() as disk:
            if room:
                kept.keep(replace(frames[0], kind=SourceKind.CAMERA), None, [], None)
                kept.close()
                disk.setattr("device.records.picture_vault._RESERVED", room)
            disk.setattr("sys.stdin", io.StringIO("111111\n"))
            place = tmp_path / "a.csv"
            assert main([*settings(""), "export", "csv", str(place)]) == status
        out, err = capsys.readouterr()
        assert out.endswith(f"examinations written: {count}.\n")
        assert said in err
