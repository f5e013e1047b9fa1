"""Other people's programs as the other end: DCMTK, Orthanc and dicom3tools (``make test-interop``).

They run on loopback, from this test, and are ended by it.
"""

import contextlib
import io
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from device.anatomy import BodySite, BodySpot, BodyView
from device.errors import UnreachableError
from device.exchange import DicomPeer, FhirServer
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, NoCallReason
from device.inference.recommendation import Recommendation
from device.interop.dicom_folder import dicom_bytes, export_dicom
from device.interop.dicom_image import dicom_image
from device.interop.dicom_network import dicom_store
from device.interop.dicom_worklist import find_scheduled
from device.interop.fhir_client import fhir_store
from device.interop.outbox import Outbox
from device.interop.referral_page import Paper, referral_page
from device.interop.sending import send_due
from device.interop.study import ExaminedLesion
from device.language import Language
from device.models.manifest import Manifest
from device.records.model import Examination, PictureKind, Polarization
from device.records.orders import Referrer
from device.records.patients import Action, Lesion, Proof
from tests.device.interop.peers import LEFT_TO_PYTHON, certificate, peer, trusting
from tests.device.interop.studies import (
    DECISION,
    EQUIPMENT,
    LESION,
    ORDER,
    PATIENT,
    TAKEN,
    examined,
    without_patient,
)
from tests.device.interop.test_dicom_folder import listed
from tests.device.interop.test_dicom_worklist import entry

_WANTED = ("dciodvfy", "storescp", "wlmscpfs", "Orthanc", "npm", "pdftotext")

_KINDS = (
    "Patient", "Device", "Media", "Observation", "DiagnosticReport", "ServiceRequest", "Provenance",
)  # fmt: skip

_FHIR = Path(__file__).with_name("fhir_server")

pytestmark = [
    LEFT_TO_PYTHON,
    pytest.mark.skipif(
        not all(map(shutil.which, _WANTED)), reason="make test-interop installs the other ends"
    ),
]


@pytest.fixture(scope="module")
def finding(analyzer: Analyzer, frames: tuple[Frame, ...]) -> Finding:
    return analyzer.analyze(frames[1])


@pytest.fixture(scope="module")
def kept(manifest: Manifest, finding: Finding, frames: tuple[Frame, ...]) -> list[ExaminedLesion]:
    """One of each kind that an archive may hold."""
    decided = replace(finding, recommendation=Recommendation.REFER)
    unfamiliar = replace(finding, abstention=NoCallReason.UNFAMILIAR, recommendation=None)
    other = type(DECISION)(
        decided=DECISION.decided, role=DECISION.role, action=Action.FOLLOW_UP,
        other_diagnosis="Angiokeratoma ñ", proof=Proof.HISTOPATHOLOGY,
    )  # fmt: skip
    whole = examined(manifest, decided, 1, decision=DECISION)
    return [
        replace(whole, examination=Examination(whole.examination.record, frames[1].pixels)),
        examined(manifest, unfamiliar, 2, mm_per_pixel=None),
        examined(manifest, None, 3, kind=PictureKind.REGION),
        without_patient(examined(manifest, finding, 4, polarization=Polarization.UNPOLARIZED)),
        examined(manifest, None, 5, decision=other, polarization=None),
        replace(
            examined(manifest, decided, 6),
            equipment=replace(EQUIPMENT, contact=False, immersion=None, colour_temperature=5500),
        ),
        examined(manifest, decided, 7, order=ORDER, decision=other),
        *(
            examined(manifest, finding, 10 + number, lesion=at(site))
            for number, site in enumerate(BodySite)
        ),
    ]


def at(site: BodySite) -> Lesion:
    spot = BodySpot(BodyView.BACK, 0.5, 0.5, site)
    return Lesion(key=LESION.key, patient=PATIENT.key, number=1, spot=spot)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def running(port: int, *command: str) -> Iterator[None]:
    """Run a server until the block ends; it is there once its port is open."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1.0),
            ):
                break
            assert program.poll() is None, program.stdout.read().decode()
            time.sleep(0.1)
        yield
    finally:
        program.terminate()
        program.communicate(timeout=60)


def same_pixels(dataset: pydicom.Dataset, every: list[ExaminedLesion]) -> bool:
    """Tell whether a picture that came back is the one that was sent under its identifier."""
    sent = {dicom_image(one).SOPInstanceUID: one.examination.image for one in every}
    return bool(np.array_equal(dataset.pixel_array, sent[dataset.SOPInstanceUID]))


def pictures(datasets: Any) -> list[pydicom.Dataset]:
    return [dataset for dataset in datasets if dataset.Modality != "SR"]


def test_dciodvfy_finds_no_error(kept: list[ExaminedLesion], tmp_path: Path) -> None:
    assert export_dicom(kept, tmp_path) == len(kept)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) > len(kept)
    for path in files:
        said = subprocess.run(
            ["dciodvfy", path], capture_output=True, text=True, check=False
        ).stderr  # fmt: skip
        kind = "ComprehensiveSR|DermoscopicPhotographyImage|VLPhotographicImage|BasicDirectory"
        assert any(name in said for name in kind.split("|")), said
        assert "Error" not in said, f"{path}: {said}"


def test_others_read_the_index_and_make_the_same(
    kept: list[ExaminedLesion], tmp_path: Path
) -> None:
    """DCMTK's dcmdump and dcmmkdir, and dcdirdmp of dicom3tools."""
    export_dicom(kept, tmp_path)
    index = tmp_path / "DICOMDIR"
    files = {str(path.relative_to(tmp_path)) for path in (tmp_path / "DICOM").glob("*/*")}
    for command in (["dcmdump", "-ml", "+P", "0004,1500", index], ["dcdirdmp", index]):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        said = done.stdout + done.stderr
        assert {name.replace("\\", "/") for name in re.findall(r"DICOM[\\\w]+", said)} == files
    other = tmp_path / "OTHER"
    # The time of a study is not known, which an index may not leave out.
    command = ["dcmmkdir", "--invent", "+r", "+id", tmp_path, "+D", other, "DICOM"]
    subprocess.run(command, check=True)
    assert listed(other) == listed(index)


def test_dcmtk_receives_and_keeps_every_pixel(kept: list[ExaminedLesion], tmp_path: Path) -> None:
    port = free_port()
    storing = running(port, "storescp", "-od", str(tmp_path), str(port))
    with storing, dicom_store(peer(port)) as send:
        for one in kept:
            send(one)
    received = [pydicom.dcmread(path) for path in tmp_path.iterdir()]
    assert len(pictures(received)) == len(kept)
    assert all(same_pixels(dataset, kept) for dataset in pictures(received))


def test_dcmtk_over_tls(kept: list[ExaminedLesion], tmp_path: Path) -> None:
    port, server = free_port(), certificate(tmp_path, "server")
    own, stranger = certificate(tmp_path, "own"), certificate(tmp_path, "stranger")
    (tmp_path / "in").mkdir()
    command = ["storescp", "+tls", str(server[1]), str(server[0]), "+cf", str(own[0])]
    with running(port, *command, "-od", str(tmp_path / "in"), str(port)):
        with dicom_store(peer(port, tls=trusting(server[0], own))) as send:
            send(kept[0])
        for bad in (trusting(server[0], stranger), trusting(own[0], own), None):
            with pytest.raises(UnreachableError), dicom_store(peer(port, tls=bad), 5.0) as send:
                send(kept[1])
    assert len(list((tmp_path / "in").iterdir())) == 2


@pytest.mark.parametrize("ill", ["--refuse", "--abort-after", "--abort-during"])
def test_dcmtk_that_misbehaves_leaves_the_queue_whole(
    kept: list[ExaminedLesion], tmp_path: Path, ill: str
) -> None:
    """And once it is well, everything arrives."""
    port, names = free_port(), {one.examination.record.identifier: one for one in kept}
    with Outbox(tmp_path / "state") as outbox:
        outbox.add("pacs", [(name, "v1") for name in names], TAKEN)
        targets = {"pacs": lambda: dicom_store(peer(port), 5.0)}
        with running(port, "storescp", ill, "-od", str(tmp_path), str(port)):
            send_due(outbox, targets, names.get, lambda: TAKEN)
        waiting = list(outbox.waiting())
        assert {one.examination for one in waiting} == set(names)
        assert all(one.fault and one.fault.action for one in waiting)
        send_due(outbox, targets, names.get, lambda: waiting[-1].due)
        assert "cannot be reached" in next(outbox.waiting()).fault.text
        (tmp_path / "in").mkdir()
        with running(port, "storescp", "-od", str(tmp_path / "in"), str(port)):
            outbox.retry(TAKEN)
            send_due(outbox, targets, names.get, lambda: TAKEN)
        assert list(outbox.waiting()) == []
    received = [pydicom.dcmread(path) for path in (tmp_path / "in").iterdir()]
    assert len(pictures(received)) == len(kept)


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[tuple[DicomPeer, str]]:
    """Run Orthanc; yield where it takes pictures and where it answers for them."""
    dicom, http = free_port(), free_port()
    settings = {
        "Name": "test", "DicomAet": "ORTHANC", "DicomPort": dicom, "HttpPort": http,
        "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": [],
        "DicomCheckCalledAet": True,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with running(http, "Orthanc", str(folder / "orthanc.json")):
        yield peer(dicom, title="ORTHANC"), f"http://127.0.0.1:{http}"


def asked(url: str, question: object = None) -> Any:
    body = None if question is None else json.dumps(question).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:  # noqa: S310
        return answer.read()


def test_orthanc_receives_indexes_and_gives_back_every_pixel(
    kept: list[ExaminedLesion], tmp_path: Path
) -> None:
    with orthanc(tmp_path) as (target, url):
        for _ in range(2):  # again is no harm
            with dicom_store(target) as send:
                for one in kept:
                    send(one)
        received = [
            pydicom.dcmread(io.BytesIO(asked(f"{url}/instances/{name}/file")))
            for name in json.loads(asked(f"{url}/instances"))
        ]
        assert len(pictures(received)) == len(kept)
        assert all(same_pixels(dataset, kept) for dataset in pictures(received))
        assert json.loads(asked(f"{url}/statistics"))["CountPatients"] == 2
        found = json.loads(
            asked(
                f"{url}/tools/find",
                {"Level": "Study", "Query": {"PatientID": PATIENT.identifier}, "Expand": True},
            )
        )
        assert {one["PatientMainDicomTags"]["PatientName"] for one in found} == {"Núñez^María"}
        studies = {one["MainDicomTags"]["StudyInstanceUID"]: one["MainDicomTags"] for one in found}
        ordered = studies.pop(ORDER.study_uid)
        assert ordered["AccessionNumber"] == ORDER.accession_number
        (other,) = studies.values()
        assert other["InstitutionName"] == "Clínica del Sur"
        lesions = {dataset.get("TrackingUID") for dataset in pictures(received)}
        assert dicom_image(kept[0]).TrackingUID in lesions


def test_orthanc_that_does_not_know_its_own_title_is_told(
    kept: list[ExaminedLesion], tmp_path: Path
) -> None:
    with orthanc(tmp_path) as (target, _):
        wrong = type(target)(name="pacs", host=target.host, port=target.port, title="OTHER")
        with (
            pytest.raises(UnreachableError, match="check the title OTHER"),
            dicom_store(wrong, 5.0) as send,
        ):
            send(kept[0])


def test_dcmtk_answers_with_its_worklist(tmp_path: Path) -> None:
    folder = tmp_path / "RIS"
    folder.mkdir()
    (folder / "lockfile").touch()
    for number, station in enumerate(("DERMASCOPE", "ANOTHER")):
        asked_for = entry(f"MRN-{number}")
        asked_for.ReferringPhysicianName = "Gómez^Rita"
        (step,) = asked_for.ScheduledProcedureStepSequence
        step.ScheduledStationAETitle, step.Modality = station, "DMS"
        step.ScheduledProcedureStepStartDate = "20260304"
        step.ScheduledProcedureStepDescription = "Dermoscopy"
        step.ScheduledPerformingPhysicianName = ""
        asked_for.RequestedProcedurePriority = ""
        asked_for.file_meta = pydicom.dataset.FileMetaDataset()
        asked_for.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        asked_for.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.31"
        asked_for.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        (folder / f"{number}.wl").write_bytes(dicom_bytes(asked_for))
    port = free_port()
    with running(port, "wlmscpfs", "--data-files-path", str(tmp_path), str(port)):
        ris = peer(port, title="RIS")
        (one,) = find_scheduled(ris, date(2026, 3, 4))
        assert find_scheduled(ris, date(2026, 3, 5)) == ()
    assert (one.identifier, one.name, one.time) == ("MRN-0", "Núñez, María", "0930")
    assert one.order.study_uid == "1.2.3.4"
    assert one.order.referrer == Referrer(name="Gómez^Rita")


@pytest.fixture(scope="module")
def medplum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return Medplum's FHIR server, installed."""
    folder = tmp_path_factory.mktemp("medplum")
    for path in _FHIR.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=folder, check=True)
    return folder


def everything(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return what a FHIR server holds, by kind."""
    found = {}
    for kind in _KINDS:
        request = urllib.request.Request(  # noqa: S310
            f"{url}/{kind}?_count=1000", headers={"Authorization": "Bearer secret"}
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            bundle = json.loads(answer.read())
        found[kind] = [entry["resource"] for entry in bundle.get("entry", [])]
    return found


def test_medplum_takes_every_resource_once_however_often_it_is_sent(
    kept: list[ExaminedLesion],
    manifest: Manifest,
    finding: Finding,
    medplum: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, filed = free_port(), [one for one in kept if one.patient is not None]
    (tmp_path / "token").write_text("secret\n")
    url = f"http://127.0.0.1:{port}"
    server = FhirServer(
        name="records", url=url, patients="https://clinic.example/mrn",
        token_file=str(tmp_path / "token"),
    )  # fmt: skip
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setenv("TOKEN", "secret")
    with running(port, "node", str(medplum / "server.mjs")):
        for _ in range(2):
            with fhir_store(server) as send:
                for one in filed:
                    send(one)
        first = everything(url)
        undecided = examined(manifest, replace(finding, recommendation=Recommendation.REFER), 6)
        nothing = type(DECISION)(
            decided=DECISION.decided, role=DECISION.role, action=Action.NOTHING, diagnosis="nv"
        )
        with fhir_store(server) as send:
            send(
                examined(
                    manifest, replace(finding, recommendation=Recommendation.REFER), 6,
                    decision=nothing,
                )
            )  # fmt: skip
        then = everything(url)
        wrong = FhirServer(name="records", url=url, patients="https://clinic.example/mrn")
        with (
            pytest.raises(UnreachableError, match="does not admit"),
            fhir_store(wrong) as send,
        ):
            send(filed[0])
    assert len(first["Patient"]) == len(first["Device"]) == 1
    assert len(first["Media"]) == len(filed)
    said = [one for one in filed if one.finding is not None]
    assert len(first["Observation"]) == len(said)
    assert {one["status"] for one in first["Observation"]} == {"preliminary", "final"}
    name = f"urn:uuid:{undecided.image_uuid}"
    (picture,) = [one for one in then["Media"] if one["identifier"][0]["value"] == name]
    for kind, before, after in (
        ("Observation", "preliminary", "final"),
        ("DiagnosticReport", "preliminary", "final"),
        ("ServiceRequest", "active", "revoked"),
    ):
        assert len(first[kind]) == len(then[kind])

        def of_it(found: dict[str, list[dict[str, Any]]], kind: str = kind) -> dict[str, Any]:
            return next(one for one in found[kind] if f"Media/{picture['id']}" in json.dumps(one))

        assert (of_it(first)["status"], of_it(then)["status"]) == (before, after)
    assert len(then["Provenance"]) == len(first["Provenance"]) + 1


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.ENGLISH, ("Dermoscopy report", "Excise", "Forearm, on the left", "born 1961")),
        (Language.SPANISH, ("Informe de dermatoscopia", "Extirpar", "Antebrazo, izquierda")),
        (Language.PORTUGUESE, ("Laudo de dermatoscopia", "Excisar", "Antebraço, esquerda")),
    ],
)
def test_poppler_reads_the_page(
    kept: list[ExaminedLesion],
    finding: Finding,
    tmp_path: Path,
    language: Language,
    words: tuple[str, ...],
) -> None:
    path = tmp_path / "page.pdf"
    path.write_bytes(referral_page(kept[0], language, Paper.A4, kept[0].examination.image))
    said = subprocess.run(
        ["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True
    ).stdout
    for word in (*words, "MRN-4711", "Núñez, María", "2026-03-04", finding.model, DECISION.note):
        assert word in said
    subprocess.run(["pdftoppm", "-png", "-singlefile", path, tmp_path / "page"], check=True)
    assert (tmp_path / "page.png").stat().st_size > 10_000
