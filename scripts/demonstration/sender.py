"""Sends DICOM files to the node: a process of its own, as a modality is."""

from __future__ import annotations

import sys
import time

import pydicom
from pynetdicom import AE


def main() -> int:
    """Send ``FILE`` to ``PORT`` with called AE title ``AE``; prints the time of the last response."""
    port, called_ae, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    dataset = pydicom.dcmread(file)
    ae = AE("MODALITY")
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", port, ae_title=called_ae)
    if not assoc.is_established:
        return 1
    status = assoc.send_c_store(dataset)
    print(time.time())
    assoc.release()
    return 0 if status and status.Status == 0x0000 else 1


if __name__ == "__main__":
    sys.exit(main())
