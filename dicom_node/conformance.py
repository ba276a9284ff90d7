"""The DICOM conformance statement (PS3.2), from the tables that the node works with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version

from pydicom.uid import UID
from pynetdicom.sop_class import _STORAGE_CLASSES  # the list that negotiation itself uses

from dicom_node import dimse
from dicom_node.deidentify.profile import METHODS, Option
from dicom_node.deidentify.projection import DESCRIPTION, PIXELS
from dicom_node.deidentify.table import load_table
from dicom_node.deliver.status import Verdict, codes
from dicom_node.settings import Settings
from structured_reports.forms import ENCODINGS, PROFILES, REPORT_FORMS
from structured_reports.reasons import REASONS, UNSPECIFIED
from structured_reports.selection import CREATED


def statement(settings: Settings) -> str:
    """Return the statement as Markdown."""
    return "\n".join(
        [
            f"# DICOM conformance statement, dicom-node {version('dicom-node')}",
            "",
            "Printed by `dicom-node conformance` from the tables that the node works with; the values in force of",
            "AE title, port and limits stand in its configuration.",
            "",
            *_overview(),
            *_scp(settings),
            *_scu(),
            *_created(),
            *_model_view(),
            *_deidentification(),
            *_storage_classes(),
        ]
    )


def _overview() -> Sequence[str]:
    return [
        "## 1 Implementation",
        "",
        *_table(
            ("item", "value"),
            [
                ("Implementation Class UID", dimse.IMPLEMENTATION_CLASS_UID),
                ("Implementation Version Name", dimse.IMPLEMENTATION_VERSION_NAME),
                ("Application context", "1.2.840.10008.3.1.1.1"),
                ("Network", "TCP/IP, PS3.8; IPv4"),
                ("Security", "called and calling AE title; TLS is not offered in this release"),
            ],
        ),
    ]


def _scp(settings: Settings) -> Sequence[str]:
    receive = settings.receive
    return [
        "## 2 As SCP",
        "",
        *_table(
            ("service", "SOP classes", "transfer syntaxes"),
            [
                ("Verification", "1.2.840.10008.1.1", "Implicit and Explicit VR Little Endian"),
                (
                    "Storage",
                    "every standard storage SOP class (section 7), retired, private and unknown ones",
                    "any; the first that is proposed. The data set is kept as it was encoded",
                ),
            ],
        ),
        "Associations: default AE title `AINODE`; an association with another called AE title is rejected",
        "(permanent, called AE title not recognised), likewise a calling AE title that is not listed, where a list is",
        f"configured. At most {receive.maximum_associations} at once a receiver process by default, beyond that:",
        "rejected, transient, local limit exceeded. Asynchronous operations are not negotiated. Maximum PDU 262 144",
        "bytes.",
        f"An association that is silent for {receive.network_timeout_s:.0f} s (default) is aborted.",
        "",
        *_table(
            ("C-STORE status", "when"),
            [
                (
                    "0000 Success",
                    "the instance is durable: written and synced. The same bytes again: nothing more happens",
                ),
                ("A700 Out of resources", "free disk space is below the reserve, or the ledger lags behind"),
                (
                    "A900 Data set does not match SOP class",
                    "SOPClassUID differs from the Affected SOP Class UID",
                ),
                (
                    "C000 Cannot understand",
                    "no readable data set, or Study, Series, SOP Instance or SOP Class UID missing",
                ),
            ],
        ),
        "Instances are not coerced. An instance with a known SOP Instance UID and other bytes is kept beside the",
        "first, flagged, and not read.",
        "",
    ]


def _scu() -> Sequence[str]:
    return [
        "## 3 As SCU",
        "",
        "To each configured destination: Verification (`dicom-node check`), Storage of the instances of section 4, in",
        "one association a delivery, as Explicit VR Little Endian. Implicit VR Little Endian is offered beside it, and",
        "sent with the same values where only that is accepted. Pictures are offered first in these lossless transfer",
        "syntaxes, where the destination is configured so; pixels and SOP Instance UID are the same in each:",
        ", ".join(f"{UID(uid).name} (`{name}`)" for name, uid in ENCODINGS.items()) + ".",
        "`dicom-node probe` proposes all of it and stores nothing, unless it is asked to.",
        "",
        "The report has several forms, each an instance of its own, of which one is sent: the first that is accepted",
        "in the negotiation and not refused by its status, in the order of the profile of the destination; what the",
        "last `dicom-node probe --send-test` showed as refused comes last.",
        "",
        *_table(
            ("profile", "order"),
            [(name, ", ".join(UID(REPORT_FORMS[form]).name for form in forms)) for name, forms in PROFILES.items()],
        ),
        "Where none is taken, the summary page (or the encapsulated PDF, where that is sent) carries the result.",
        "",
        *_table(
            ("response", "what the node does"),
            [
                (_statuses(Verdict.TAKEN), "accepted; recorded as proof"),
                (_statuses(Verdict.TAKEN_WITH_WARNING), "accepted with a warning that is recorded"),
                (
                    _statuses(Verdict.LATER, "broken or refused association"),
                    "sends the same bytes again: 1 s, doubling to 15 min, without end",
                ),
                (
                    _statuses(Verdict.NEVER, "any other, SOP class not accepted"),
                    "sends the next form of the object; after the last, parks the delivery for a person",
                ),
            ],
        ),
    ]


def _statuses(verdict: Verdict, *others: str) -> str:
    return ", ".join([*codes(verdict), *others])


def _created() -> Sequence[str]:
    rows = [(kind, f"{UID(uid).name} ({uid})", number, description) for kind, uid, number, description in CREATED]
    return [
        "## 4 Instances that the node creates",
        "",
        *_table(("object", "SOP class", "SeriesNumber", "SeriesDescription"), rows),
        "SeriesNumber of a second model is 10 higher, of a third 20; where there are several, SeriesDescription begins",
        "with what tells the model from the others.",
        "",
        "In the study of the film that was read, with its patient and study attributes byte for byte and its",
        "SpecificCharacterSet; a film with code extensions (several character sets) gives objects in UTF-8",
        "(ISO_IR 192). Where identity does not survive re-reading unchanged, nothing is sent. UIDs derive from what",
        "the object is about (2.25 from a name-based UUID): a rebuild has the same UIDs and bytes. Explicit VR",
        "Little Endian. SR: TID 1500, in Basic Text SR its words alone; COMPLETE, UNVERIFIED, PRELIMINARY.",
        "",
        "What says that no AI was performed gives the reason as a code of CID 9300 in the SR, and in FHIR as",
        "`dataAbsentReason`, beside the node's own, finer one:",
        "",
        *_table(("code (DCM)", "meaning", "own codes"), _reasons()),
        "ContributingEquipmentSequence names the node; an instance that names it is kept and never read. No private",
        "attributes.",
        "",
    ]


def _reasons() -> Sequence[Sequence[str]]:
    own = {code: [name for name, one in REASONS.items() if one == code] for code in (*REASONS.values(), UNSPECIFIED)}
    told = {code: ", ".join(f"`{name}`" for name in names) for code, names in own.items()}
    return [(code.value, code.meaning, names or "any other") for code, names in told.items()]


def _model_view() -> Sequence[str]:
    return [
        "## 5 What a model sees",
        "",
        "Never the header. Pixels, what is needed to display them, and a description of the image:",
        "",
        ", ".join(f"`{keyword}`" for keyword in (*DESCRIPTION, *PIXELS)) + ".",
        "",
    ]


def _deidentification() -> Sequence[str]:
    table = load_table()
    return [
        "## 6 Attribute confidentiality",
        "",
        "Copies for research, of `[[research]]` and `dicom-node deidentify`, are made by the Basic Application Level",
        f"Confidentiality Profile (PS3.15 Annex E, table of edition {table.edition}) with any of these options:",
        "",
        *_table(("option", "code (DCM)", "meaning"), [(f"`{one}`", *METHODS[one]) for one in Option]),
        "De-identification Method Code Sequence and Patient Identity Removed say what was done. Encrypted Attributes",
        "are not written; where a vault is configured, the way back is kept there.",
        "",
    ]


def _storage_classes() -> Sequence[str]:
    rows = sorted((UID(uid).name, uid) for uid in set(_STORAGE_CLASSES.values()))
    return ["## 7 Storage SOP classes known by name", "", *_table(("SOP class", "UID"), rows)]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    body = [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *body, ""]
