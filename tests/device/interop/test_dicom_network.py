import time
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from device.errors import ExportError, RefusedError, UnreachableError
from device.exchange import DicomPeer
from device.inference.finding import Finding
from device.interop.dicom_image import DERMOSCOPIC
from device.interop.dicom_network import dicom_store
from device.interop.study import ExaminedLesion
from device.language import LANGUAGES, translations
from device.models.manifest import Manifest
from tests.device.interop.peers import (
    LEFT_TO_PYTHON,
    VERIFY,
    archive,
    certificate,
    closed_port,
    hang,
    hang_up,
    listener,
    peer,
    server_context,
    trusting,
)
from tests.device.interop.studies import DECISION, SECRETS, examined

SHORT = 1.0

pytestmark = LEFT_TO_PYTHON


@pytest.fixture
def one(manifest: Manifest, finding: Finding) -> ExaminedLesion:
    return examined(manifest, finding, decision=DECISION)


def refusal(
    target: DicomPeer, one: ExaminedLesion, kind: type[ExportError] = UnreachableError
) -> str:
    """Return how sending fails, in English; the two other languages have it too."""
    with pytest.raises(kind) as told, dicom_store(target, SHORT) as send:
        send(one)
    fault = told.value.fault
    for language in LANGUAGES:
        words = translations(language)
        assert fault.action
        for said in (fault.message, fault.action):
            assert words.translate(said, **fault.values)
            assert language == "en" or words.translate(said) != said
    assert not any(secret in str(told.value) for secret in SECRETS)
    return str(told.value)


def test_picture_and_report_arrive_as_they_were(one: ExaminedLesion) -> None:
    with archive() as pacs:
        for _ in range(2):
            with dicom_store(peer(pacs.port)) as send:
                send(one)
        picture = next(d for d in pacs.stored.values() if d.SOPClassUID == DERMOSCOPIC)
        np.testing.assert_array_equal(picture.pixel_array, one.examination.image)
        assert len(pacs.stored) == 2


def test_peer_that_knows_only_the_default_syntax_is_served(one: ExaminedLesion) -> None:
    with archive(syntaxes=(ImplicitVRLittleEndian,)) as pacs:
        with dicom_store(peer(pacs.port)) as send:
            send(one)
        assert pacs.syntaxes == {ImplicitVRLittleEndian}
        picture = next(d for d in pacs.stored.values() if d.SOPClassUID == DERMOSCOPIC)
        np.testing.assert_array_equal(picture.pixel_array, one.examination.image)


def test_warning_is_no_refusal(one: ExaminedLesion) -> None:
    with archive() as pacs:
        pacs.answer = lambda: 0xB000
        with dicom_store(peer(pacs.port)) as send:
            send(one)
        assert len(pacs.stored) == 2


def test_nobody_listens(one: ExaminedLesion) -> None:
    assert "cannot be reached; check the network" in refusal(peer(closed_port()), one)


def test_host_that_there_is_not(one: ExaminedLesion) -> None:
    assert "cannot be reached" in refusal(peer(104, host="no-such-host.invalid"), one)


def test_association_is_rejected(one: ExaminedLesion) -> None:
    with archive(strict=True) as pacs:
        said = refusal(peer(pacs.port), one)
    assert "does not know the instrument" in said
    assert "DERMASCOPE" in said


def test_peer_hangs_up(one: ExaminedLesion) -> None:
    with listener(hang_up) as port:
        assert "does not answer" in refusal(peer(port), one)


def test_peer_hangs_after_it_accepted_the_connection(one: ExaminedLesion) -> None:
    began = time.monotonic()
    with listener(hang) as port:
        assert "does not answer" in refusal(peer(port), one)
    assert time.monotonic() - began < 600


def test_peer_hangs_while_it_stores(one: ExaminedLesion) -> None:
    def sleep() -> int:
        time.sleep(4 * SHORT)
        return 0

    with archive() as pacs:
        pacs.answer = sleep
        assert "does not answer" in refusal(peer(pacs.port), one)


@pytest.mark.parametrize(
    ("status", "said"), [(0xA700, "no room"), (0xC000, "refused"), (0x0124, "refused")]
)
def test_peer_answers_with_a_failure(one: ExaminedLesion, status: int, said: str) -> None:
    with archive() as pacs:
        pacs.answer = lambda: status
        told = refusal(peer(pacs.port), one, RefusedError)
        assert said in told
        assert f"{status:04X}" in told
        assert pacs.stored == {}


def test_peer_takes_none_of_it(one: ExaminedLesion) -> None:
    with archive(classes=(VERIFY,)) as pacs:
        assert "does not take what it is sent or asked; have its SOP" in refusal(
            peer(pacs.port), one
        )


def test_peer_takes_no_reports(one: ExaminedLesion) -> None:
    with archive(classes=(DERMOSCOPIC,)) as pacs:
        assert "does not take" in refusal(peer(pacs.port), one, RefusedError)
        assert len(pacs.stored) == 1


def test_encrypted_connection(one: ExaminedLesion, tmp_path: Path) -> None:
    server, own = certificate(tmp_path, "server"), certificate(tmp_path, "own")
    with archive(tls=server_context(server, own[0])) as pacs:
        with dicom_store(peer(pacs.port, tls=trusting(server[0], own))) as send:
            send(one)
        assert len(pacs.stored) == 2


def test_certificate_that_is_not_trusted(one: ExaminedLesion, tmp_path: Path) -> None:
    server, other = certificate(tmp_path, "server"), certificate(tmp_path, "other")
    with archive(tls=server_context(server)) as pacs:
        said = refusal(peer(pacs.port, tls=trusting(other[0])), one)
        assert "cannot be secured; check the certificates" in said
        assert pacs.stored == {}


def test_certificate_of_another_host(one: ExaminedLesion, tmp_path: Path) -> None:
    server = certificate(tmp_path, "server", host="10.1.2.3")
    with archive(tls=server_context(server)) as pacs:
        assert "cannot be secured" in refusal(peer(pacs.port, tls=trusting(server[0])), one)


def test_peer_that_does_not_encrypt(one: ExaminedLesion, tmp_path: Path) -> None:
    server = certificate(tmp_path, "server")
    with archive() as pacs:
        refusal(peer(pacs.port, tls=trusting(server[0])), one)
        assert pacs.stored == {}


def test_certificate_that_cannot_be_read(one: ExaminedLesion, tmp_path: Path) -> None:
    tls = trusting(tmp_path / "missing.pem")
    assert "cannot be secured" in refusal(peer(closed_port(), tls=tls), one)
