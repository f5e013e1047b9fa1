"""What leaves for the clinic's own systems: DICOM, FHIR, PDF, tables and training pictures."""
