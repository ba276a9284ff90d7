"""The bundle says what the result says, and refuses what no server should get."""

from __future__ import annotations

import base64
import copy
import hashlib
import json

import pytest

from structured_reports.errors import FhirInvalidError
from structured_reports.fhir.bundle import MOST_ENTRIES, FhirBundle, check
from structured_reports.fhir.lint import faults
from structured_reports.fhir.options import FhirOptions


@pytest.fixture
def bundle_of(request_of):
    def make(*scores, options=None, **changes):
        return json.loads(FhirBundle(options or FhirOptions())(request_of(*scores, **changes), {}).content)

    return make


def _resource(bundle, kind):
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


def test_a_report_is_preliminary_until_a_person_signs(bundle_of, score_of) -> None:
    assert _resource(bundle_of(score_of(0.9)), "DiagnosticReport")["status"] == "preliminary"


def test_a_report_of_a_refusal_is_cancelled(bundle_of) -> None:
    assert _resource(bundle_of(), "DiagnosticReport")["status"] == "cancelled"


def test_the_reason_of_a_refusal_is_coded(bundle_of) -> None:
    codings = _resource(bundle_of(), "Observation")["dataAbsentReason"]["coding"]

    assert [coding["code"] for coding in codings] == ["not-performed", "110513", "NOT_A_CHEST_FILM"]


def test_a_finding_below_the_threshold_is_no_conclusion(bundle_of, score_of) -> None:
    assert "conclusionCode" not in _resource(bundle_of(score_of(0.4)), "DiagnosticReport")


def test_score_and_threshold_are_components(bundle_of, score_of) -> None:
    found = _resource(bundle_of(score_of(0.87123)), "Observation")["component"]

    assert [part["valueQuantity"]["value"] for part in found] == [87.123, 50.0]


def test_the_patient_is_found_by_system_and_identifier(bundle_of, score_of) -> None:
    bundle = bundle_of(score_of(0.9), options=FhirOptions("urn:oid:1.2.3"))

    assert _resource(bundle, "Observation")["subject"]["reference"] == "Patient?identifier=urn%3Aoid%3A1.2.3|P1"


def test_a_patient_is_created_only_on_demand(bundle_of, score_of) -> None:
    assert "Patient" not in {e["request"]["url"] for e in bundle_of(score_of(0.9))["entry"]}


def test_a_created_patient_has_each_spelling_of_the_name(header, bundle_of, score_of) -> None:
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName = "Yamada^Tarou=山田^太郎"

    names = _resource(bundle_of(score_of(0.9), options=FhirOptions(create_patient=True)), "Patient")["name"]

    assert [name["family"] for name in names] == ["Yamada", "山田"]


@pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")
@pytest.mark.parametrize("day", ["00000000", "20250230", "1960.01", ""])
def test_a_birth_date_that_is_no_day_is_left_out(day, header, bundle_of, score_of) -> None:
    header.PatientBirthDate = day

    patient = _resource(bundle_of(score_of(0.9), options=FhirOptions(create_patient=True)), "Patient")

    assert "birthDate" not in patient


@pytest.mark.parametrize("create", [True, False])
def test_twenty_findings_fit_into_what_servers_take_at_once(create, bundle_of, score_of) -> None:
    scores = [score_of(0.1, name=f"finding {number}") for number in range(20)]

    assert len(bundle_of(*scores, options=FhirOptions(create_patient=create))["entry"]) <= MOST_ENTRIES


def test_every_entry_is_created_only_if_absent(bundle_of, score_of) -> None:
    requests = [entry["request"] for entry in bundle_of(score_of(0.9))["entry"]]

    assert all(request["method"] == "POST" and request["ifNoneExist"] for request in requests)


def test_the_page_is_sent_with_its_hash(bundle_of, score_of) -> None:
    (form,) = _resource(bundle_of(score_of(0.9)), "DiagnosticReport")["presentedForm"]

    digest = hashlib.sha1(base64.b64decode(form["data"])).digest()  # noqa: S324
    assert base64.b64encode(digest).decode() == form["hash"]


def test_words_are_escaped_in_the_page(bundle_of, score_of) -> None:
    bundle = bundle_of(score_of(0.9), notice="<script>")

    assert "<script>" not in _resource(bundle, "DiagnosticReport")["text"]["div"]


def test_a_bundle_carries_no_name_unless_it_creates_the_patient(request_of, score_of) -> None:
    assert b"Doe" not in FhirBundle()(request_of(score_of(0.9)), {}).content


def test_a_film_without_patient_id_still_has_a_bundle(header, bundle_of, score_of) -> None:
    del header.PatientID

    assert (
        "display"
        in _resource(bundle_of(score_of(0.9), options=FhirOptions(create_patient=True)), "ImagingStudy")["subject"]
    )


DEFECTS = {
    "refers to no entry": lambda b: _resource(b, "Observation")["device"].update(reference="urn:uuid:0"),
    "refers to ImagingStudy": lambda b: _resource(b, "Observation")["device"].update(
        reference=b["entry"][1]["fullUrl"]
    ),
    "request.url": lambda b: b["entry"][0]["request"].update(url="Patient"),
    "sent twice": lambda b: b["entry"][0]["request"].pop("ifNoneExist"),
    "not a urn:uuid": lambda b: b["entry"][-1].update(fullUrl="urn:uuid:ABC"),
    "not unique": lambda b: b["entry"][1].update(fullUrl=b["entry"][0]["fullUrl"]),
    "only a transaction": lambda b: b.update(type="batch"),
    "status": lambda b: _resource(b, "DiagnosticReport").update(status="final"),
    "obs-6": lambda b: _resource(b, "Observation").update(dataAbsentReason={"text": "why"}),
    "obs-7": lambda b: _resource(b, "Observation")["component"][0].update(code=_resource(b, "Observation")["code"]),
    "not an OID": lambda b: _resource(b, "ImagingStudy")["identifier"][0].update(value="urn:oid:1.02"),
    "empty": lambda b: _resource(b, "DiagnosticReport").update(conclusion=""),
    "retired": lambda b: _resource(b, "Observation")["category"][0]["coding"][0].update(
        system="http://hl7.org/fhir/v2/0074"
    ),
}


@pytest.mark.parametrize("said", DEFECTS)
def test_the_lint_finds_what_the_models_let_through(said, bundle_of, score_of) -> None:
    broken = copy.deepcopy(bundle_of(score_of(0.9)))
    DEFECTS[said](broken)

    assert any(said in fault for fault in faults(broken))


def test_the_lint_finds_nothing_in_a_good_bundle(bundle_of, score_of) -> None:
    assert faults(bundle_of(score_of(0.9))) == []


def test_a_bundle_against_the_structure_of_r4_is_refused(bundle_of, score_of) -> None:
    broken = bundle_of(score_of(0.9))
    _resource(broken, "Observation")["study"] = "x"

    with pytest.raises(FhirInvalidError, match="study"):
        check(broken)


def test_a_system_that_is_no_oid_makes_no_bundle(score_of, request_of) -> None:
    request = request_of(score_of(0.9))
    object.__setattr__(request.equipment, "device_uid", "1.02")  # which its constructor refuses

    with pytest.raises(FhirInvalidError, match="not an OID"):
        FhirBundle()(request, {})
