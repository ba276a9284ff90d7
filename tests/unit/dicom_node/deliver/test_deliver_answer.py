"""What is read in the answer of a FHIR server."""

from __future__ import annotations

import httpx
import pytest

from dicom_node.deliver.answer import RETRY_AFTER_MAX_S, complaint, is_later, reason, resource_of, retry_after_s
from dicom_node.deliver.bundle import (
    conditional_references,
    imaging_study_uid,
    is_found_by,
    unescaped,
    without_values,
)
from structured_reports.fhir.scope import search


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "99999999"}, RETRY_AFTER_MAX_S),
        (
            {"Retry-After": "Mon, 23 Nov 2026 10:01:00 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"},
            60.0,
        ),
        ({"Retry-After": "Mon, 23 Nov 2026 09:00:00 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_what_the_server_asks_for(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(httpx.Response(503, headers=headers)) == wait_s


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 507, 508, 511, 520, 521, 524, 530, 599])
def test_the_same_bytes_may_be_taken_after_a_status_that_passes(status: int) -> None:
    assert is_later(status)


@pytest.mark.parametrize("status", [204, 302, 400, 403, 404, 410, 413, 415, 422, 501, 505, 510, 600])
def test_the_same_bytes_are_not_taken_after_a_status_that_stays(status: int) -> None:
    assert not is_later(status)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("[Errno -2] Name or service not known"), "ConnectError: Name or service not known"),
        (httpx.ConnectError(""), "ConnectError"),
        (httpx.ConnectError("two\nlines"), "ConnectError: two lines"),
        (httpx.RemoteProtocolError("illegal header line: Zwetschgenbaum"), "RemoteProtocolError"),
    ],
)
def test_words_of_a_server_are_no_reason(error: httpx.HTTPError, said: str) -> None:
    assert said == reason(error)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b"\xff", b""])
def test_an_answer_without_a_resource_is_empty(body: bytes) -> None:
    assert resource_of(httpx.Response(200, content=body)) == {}


@pytest.mark.parametrize("issue", [None, [], "text", ["text"], [{}], [{"details": "text", "expression": 1}]])
def test_a_malformed_outcome_is_read_without_an_error(issue: object) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": issue}

    assert complaint(httpx.Response(400, json=outcome), {}).startswith(":")


def test_a_complaint_names_the_code_the_words_and_the_place() -> None:
    issue = {"code": "required", "details": {"text": "status is missing"}, "expression": ["Observation"]}
    answer = httpx.Response(422, json={"resourceType": "OperationOutcome", "issue": [issue]})

    assert complaint(answer, {}) == ": required status is missing at Observation"


@pytest.mark.parametrize(
    "resource",
    [
        {"name": [{"family": "Zwetschgenbaum"}]},
        {"subject": {"reference": "Patient?identifier=urn:x|Zwetschgenbaum"}},
        {"subject": {"reference": "Patient?name=Zwetschgen%62aum"}},
        {"subject": {"display": "zwetschgenbaum"}},
        {"text": {"div": "<div>Anna <b>Zwetschgenbaum</b></div>"}},
    ],
)
def test_words_about_a_person_are_left_out(resource: dict[str, object]) -> None:
    bundle = {"entry": [{"resource": {"resourceType": "Observation", **resource}}]}

    assert without_values("no Zwetschgenbaum here", bundle) == "no … here"


@pytest.mark.parametrize(
    "words",
    [
        "洪吉洞", "홍길동", "MULLERSTROM JURGEN", "Muellerstroem, Juergen", "MÃ¼llerstrÃ¶m", "M&#252;ller",
        "M\\u00fcller", "Ju\u0308rgen", "M%C3%BCller", "PIDLEAK9", "pid-leak-9", "7 March 1956", "Müllerström^Jürgen",
        "O'Brien",
    ],
)  # fmt: skip
def test_no_spelling_of_a_name_is_repeated(words: str) -> None:
    bundle = {"entry": [{"resource": {"resourceType": "Patient", "name": [{"family": "Müllerström"}]}}]}

    said = without_values(f"invalid Patient {words} at Patient.name[0].family, HAPI-0541 with 12 of 99", bundle)

    assert said.startswith("invalid Patient ")
    assert said.endswith(" at Patient.name[0].family, HAPI-0541 with 12 of 99")
    left = said.removeprefix("invalid Patient ").removesuffix(" at Patient.name[0].family, HAPI-0541 with 12 of 99")
    assert not set(left) - set("…,'&;7 ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("HAPI-0450: Failed to parse request body", None),
        ("HAPI-2001: Resource Organization/4711 is not known", "HAPI-2001: Resource … is not known"),
        ("HAPI-0389: Failed to call access method: java.lang.OutOfMemoryError", None),
        ("Content-Type application/json+fhir is not supported. Use application/fhir+json", None),
        ("HAPI-0960: Failed to PUT resource, version mismatch: If-Match", None),
    ],
)
def test_what_a_server_says_of_itself_stays(words: str, said: str | None) -> None:
    assert without_values(words, {}) == (said or words.replace("Use", "…"))


def test_words_of_the_specification_stay() -> None:
    bundle = {"entry": [{"resource": {"resourceType": "Observation"}, "request": {"url": "Observation"}}]}

    assert without_values("Observation.status is missing", bundle) == "Observation.status is missing"


def test_long_numbers_are_left_out_whoever_wrote_them() -> None:
    assert without_values("record 12345678 of 1970-01-31", {}) == "record … of …"


@pytest.mark.parametrize("value", ["X17,4711", "A|B", "$x", "a\\b", "a\\|b", "+1 2&3=4", "홍"])
def test_the_identifier_that_is_asked_for_is_read_back(value: str) -> None:
    query = search({"system": "urn:oid:1.2.3", "value": value})

    assert value == unescaped(query) == unescaped(search({"value": value}))
    assert is_found_by({"identifier": [{"value": "other"}, {"value": value}]}, query)
    assert is_found_by({"id": "1"}, query)
    assert not is_found_by({"identifier": [{"value": value[:-1]}]}, query)


def test_each_conditional_reference_is_asked_for_once() -> None:
    subject = {"subject": {"reference": "Patient?identifier=a|b"}}
    bundle = {"entry": [{"resource": subject}, {"resource": subject}, {"reference": "Patient/12"}]}

    assert conditional_references(bundle) == [("Patient", "identifier=a|b")]


@pytest.mark.parametrize(
    "resource",
    [
        {
            "resourceType": "ImagingStudy",
            "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
        },
        {"imagingStudy": [{"reference": "ImagingStudy?identifier=urn:dicom:uid|urn:oid:1.2.3"}]},
        {"imagingStudy": [{"reference": "ImagingStudy?identifier=urn:dicom:uid%7Curn:oid:1.2.3"}]},
    ],
)
def test_the_study_is_read_from_its_resource_or_a_reference(resource: dict[str, object]) -> None:
    assert imaging_study_uid({"entry": [{"resource": resource}]}) == "1.2.3"
