"""The vault with its patients and their lesions."""

import msgspec

from device.anatomy import BodySpot
from device.records import examination_tables, patient_tables
from device.records.listing import LesionSummary, Page
from device.records.patients import Key, Lesion, Patient, Sex, new_key
from device.records.picture_vault import PictureVault, patient_context
from device.records.roles import Permission
from device.records.sealing import new_secret, seal
from device.records.trail import Event


class PatientVault(PictureVault):
    """Patients, each with a key of its own that pictures are wrapped by, and their lesions."""

    def add_patient(
        self,
        identifier: str,
        *,
        name: str = "",
        birth_year: int | None = None,
        sex: Sex | None = None,
        phototype: int | None = None,
    ) -> Patient:
        """Add a patient and return it with its key."""
        patient = patient_tables.checked(
            Patient(
                key=new_key(),
                identifier=identifier.strip(),
                name=name,
                birth_year=birth_year,
                sex=sex,
                phototype=phototype,
            )
        )
        with self.changing(Permission.ENTER) as opened:
            sealed = seal(opened.pictures, new_secret(), patient_context(patient.key))
            patient_tables.insert_patient(opened.connection, patient, sealed)
            self.note(opened, Event.PATIENT_ADDED, patient.key)
        return patient

    def change_patient(self, patient: Patient) -> None:
        """Replace what is known of the patient of this key."""
        patient = patient_tables.checked(patient)
        with self.changing(Permission.ENTER) as opened:
            if patient_tables.select_patient(opened.connection, patient.key) == patient:
                # It would be sent everywhere anew.
                return
            patient_tables.update_patient(opened.connection, patient)
            self.note(opened, Event.PATIENT_CHANGED, patient.key)

    def patient(self, key: Key) -> Patient:
        """Return a patient."""
        with self.reading() as connection:
            return patient_tables.select_patient(connection, key)

    def find_patient(self, identifier: str) -> Patient | None:
        """Return the patient of an identifier, whatever its capitals, or None."""
        with self.reading() as connection:
            return patient_tables.find_patient(connection, identifier)

    def patients(
        self, prefix: str = "", after: str | None = None, limit: int = 20
    ) -> Page[Patient]:
        """Return the patients whose identifier begins so, in the order of identifiers."""
        with self.reading() as connection:
            return patient_tables.page_of_patients(connection, prefix, after, limit)

    def add_lesion(self, patient: Key, spot: BodySpot | None = None) -> Lesion:
        """Add a lesion of a patient, with the next number."""
        with self.changing(Permission.ENTER) as opened:
            patient_tables.select_patient(opened.connection, patient)
            number = patient_tables.next_lesion_number(opened.connection, patient)
            lesion = patient_tables.checked(
                Lesion(key=new_key(), patient=patient, number=number, spot=spot)
            )
            patient_tables.insert_lesion(opened.connection, lesion)
            self.note(opened, Event.LESION_ADDED, lesion.key)
            return lesion

    def change_lesion(self, lesion: Lesion) -> None:
        """Replace where the lesion of this key lies; its patient and number stay."""
        lesion = patient_tables.checked(lesion)
        with self.changing(Permission.ENTER) as opened:
            before = patient_tables.select_lesion(opened.connection, lesion.key)
            changed = msgspec.structs.replace(before, spot=lesion.spot)
            patient_tables.update_lesion(opened.connection, changed)
            self.note(opened, Event.LESION_CHANGED, lesion.key)

    def lesion(self, key: Key) -> Lesion:
        """Return a lesion."""
        with self.reading() as connection:
            return patient_tables.select_lesion(connection, key)

    def lesions(self, patient: Key) -> tuple[LesionSummary, ...]:
        """Return a patient's lesions by their number, each with its newest picture's record."""
        with self.reading() as connection:
            patient_tables.select_patient(connection, patient)
            return tuple(
                LesionSummary(lesion, *examination_tables.summary_of_lesion(connection, lesion.key))
                for lesion in patient_tables.lesions_of(connection, patient)
            )
