from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from device.errors import UnreachableError
from device.exchange import DicomPeer, Exchange
from device.frame import Frame, SourceKind
from device.interop.gather import Source
from device.interop.outbox import Outbox
from device.records.encrypted_archive import EncryptedArchive
from device.runtime.sender import NOT_SENT, Sender
from tests.device.clinic import Camera, Clinic
from tests.device.interop.studies import EQUIPMENT
from tests.device.records.conftest import CHEAP

EXCHANGE = Exchange(dicom=(DicomPeer(name="pacs", host="pacs", title="PACS"),))


@contextmanager
def unreachable() -> Iterator[None]:
    raise UnreachableError("{target} cannot be reached", action="check the network", target="pacs")
    yield


def test_what_waits_to_be_sent_is_told_on_the_screen(
    clinic: Clinic, frames: tuple[Frame, ...], tmp_path: Path
) -> None:
    archive = EncryptedArchive(tmp_path / "records", clinic.clock, pin_cost=CHEAP)
    picture = replace(frames[1], kind=SourceKind.CAMERA)
    archive.keep(picture, None, [], None)
    with Outbox(tmp_path / "state") as outbox:
        # It has waited long enough.
        changed = archive.changes("")
        outbox.add("pacs", changed, clinic.clock.now(), seen=changed[-1][1])
    classes = clinic.analyzer.manifest.classes
    source = Source(archive, archive, classes, EQUIPMENT, lambda: None)
    sender = Sender(
        tmp_path / "state", archive, source, EXCHANGE, {"pacs": unreachable}, clinic.clock
    )
    clinic.options = {"archive": archive, "sender": sender}

    def deeds() -> None:
        clinic.until(lambda: clinic.fault() == NOT_SENT)

    clinic.use(Camera(), deeds)
    archive.close()
