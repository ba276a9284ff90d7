"""Results to a FHIR R4 server as the transaction that was recorded."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from dicom_node.deliver.answer import complaint, is_later, reason, resource_of, retry_after_s
from dicom_node.deliver.bundle import (
    Resource,
    conditional_references,
    is_found_by,
    objects,
    parsed,
    report_entry,
    resources,
    updated_reports,
)
from dicom_node.deliver.each import each
from dicom_node.deliver.errors import SLOWLY_S, DestinationUnavailableError, RejectedError
from dicom_node.deliver.port import VALID_FROM_BIRTH, Acceptance, Kinds, Name, require_host
from structured_reports.fhir.versions import OWN_STATUSES
from structured_reports.port import FHIR_JSON, ResultObject

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a FHIR base URL has no user, password, query or fragment; a secret is a file")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{value!r}: a FHIR base URL is http(s)://host[:port]/path")
    if parts.port == 0 or not value.isprintable() or " " in value:
        raise ValueError(f"{value!r}: a FHIR base URL has a port of 1 to 65535 and printable characters, no space")
    try:
        httpx.URL(value)
    except httpx.InvalidURL as error:
        raise ValueError(f"{value!r}: {error}") from None
    require_host(parts.hostname)
    return value.rstrip("/")


@dataclass(frozen=True, config=VALID_FROM_BIRTH)
class FhirServer:
    """A FHIR R4 server that takes transactions.

    Attributes
    ----------
    token_file
        Holds a bearer token; read for every delivery, so it may be renewed beside the running node.
    ca_file
        PEM of the authority that signed the server's certificate, where the system does not know it.
    """

    name: Name
    base_url: Annotated[str, AfterValidator(_base_url)]
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 30.0
    kinds: Kinds = frozenset()

    @model_validator(mode="after")
    def _keeps_the_token_secret(self) -> FhirServer:
        parts = urlsplit(self.base_url)
        if self.token_file and parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("token_file: a bearer token needs an https base_url (RFC 6750 5.2)")
        return self

    @property
    def forms(self) -> tuple[str, ...]:
        return ()

    def takes(self, result: ResultObject) -> bool:
        return result.media_type == FHIR_JSON and (not self.kinds or result.kind in self.kinds)

    def deliver(self, results: Sequence[ResultObject]) -> tuple[Acceptance, ...]:
        with self._client() as client:
            return each(results, lambda result: self._push(client, result))

    def check(self) -> str:
        with self._client() as client:
            request = client.build_request("GET", f"{self.base_url}/metadata")
            statement = resource_of(self._answer(client, request, f"{self.name}: metadata", {}))
        version = str(statement.get("fhirVersion", ""))
        if not version.startswith("4."):
            raise RejectedError(f"{self.name}: FHIR version {version[:20] or 'unknown'}; the node speaks 4.0 and 4.3")
        transactions = "transactions" if _takes_transactions(statement) else "transactions not declared"
        return f"{self.name}: FHIR {version[:20]} at {self.base_url}, {transactions}"

    def _client(self) -> httpx.Client:
        headers = {"Accept": FHIR_JSON}
        try:
            if self.token_file:
                headers["Authorization"] = f"Bearer {self.token_file.read_text('ascii').strip()}"
            context = _tls(self.base_url, self.ca_file)
        except (OSError, UnicodeDecodeError) as error:
            raise DestinationUnavailableError(
                f"{self.name}: token_file or ca_file: {type(error).__name__}", retry_after_s=SLOWLY_S
            ) from error
        return httpx.Client(headers=headers, timeout=self.timeout_s, verify=context)

    def _push(self, client: httpx.Client, result: ResultObject) -> Acceptance:
        about = f"{self.name}: {result.kind}"
        try:
            bundle = parsed(result.content)
        except ValueError as error:
            raise RejectedError(f"{about}: not a FHIR bundle in JSON") from error
        for resource_type, query in conditional_references(bundle):
            self._require_one(client, about, resource_type, query, bundle)
        for query in updated_reports(bundle):
            self._require_unsigned(client, about, query, bundle)
        request = client.build_request(
            "POST", self.base_url, content=result.content, headers={"Content-Type": FHIR_JSON}
        )
        outcomes = _outcomes(resource_of(self._answer(client, request, about, bundle)))
        entries = objects(bundle, "entry")
        if len(outcomes) != len(entries):
            raise RejectedError(f"{about}: {len(outcomes)} outcomes for {len(entries)} entries (R4 3.1.0.11.2)")
        for index, outcome in enumerate(outcomes):
            if not outcome[0].startswith("2"):
                raise RejectedError(f"{about}: entry {index}: {outcome[0][:3] or 'no status'} in a transaction")
        status, location = outcomes[report_entry(bundle)]
        proof = f"{status[:3]} {location.removeprefix(self.base_url).strip('/')}"
        return Acceptance(result.kind, result.uid, proof[:200])

    def _require_one(self, client: httpx.Client, about: str, resource_type: str, query: str, bundle: Resource) -> None:
        """Ask before the server does: an unknown patient is a matter of time, a double one is not."""
        answer = self._search(client, about, resource_type, f"{query}&_count=2&_elements=identifier", bundle)
        matches = _matches(answer)
        if not all(is_found_by(one, query) for one in resources(answer)):
            raise RejectedError(
                f"{about}: the server answers the conditional reference with a {resource_type} of another identifier; "
                "a result would be another's (R4 3.1.1.4.0.1)"
            )
        if matches == 0:
            raise DestinationUnavailableError(
                f"{about}: {resource_type} of the conditional reference is not known there yet",
                retry_after_s=SLOWLY_S,
            )
        if matches > 1:
            raise RejectedError(
                f"{about}: more than one {resource_type} matches the conditional reference (R4 3.1.0.11.3)"
            )

    def _require_unsigned(self, client: httpx.Client, about: str, query: str, bundle: Resource) -> None:
        """Leave a report alone that a person has signed: what the node says anew is for that person to judge."""
        answer = self._search(client, about, "DiagnosticReport", f"{query}&_elements=status,resultsInterpreter", bundle)
        for report in (entry.get("resource") or {} for entry in objects(answer, "entry")):
            status = str(report.get("status", ""))[:30]
            if status not in OWN_STATUSES or report.get("resultsInterpreter"):
                raise RejectedError(
                    f"{about}: the DiagnosticReport there has status {status!r} or an interpreter: a person has signed "
                    "it, and the node changes no signed report"
                )

    def _search(self, client: httpx.Client, about: str, resource_type: str, content: str, bundle: Resource) -> Resource:
        # By POST, since a URL is logged at both ends and on the way, and this one may name a patient.
        request = client.build_request(
            "POST",
            f"{self.base_url}/{resource_type}/_search",
            content=content,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        answer = resource_of(self._answer(client, request, about, bundle))
        if answer.get("type") != "searchset":
            raise RejectedError(f"{about}: the search for {resource_type} gave no searchset (R4 3.1.1)")
        return answer

    def _answer(self, client: httpx.Client, request: httpx.Request, about: str, bundle: Resource) -> httpx.Response:
        """Return an answer of success.

        An attempt whose answer was lost may have been stored; `ifNoneExist` makes its repetition harmless.
        """
        try:
            response = client.send(request)
        except httpx.HTTPError as error:
            raise DestinationUnavailableError(f"{about}: {self.base_url}: {reason(error)}") from error
        if response.status_code in {200, 201}:
            return response
        if response.is_redirect:
            # Not followed: settings, not an answer, say where a patient's report goes.
            raise RejectedError(
                f"{about}: HTTP {response.status_code}, a redirect: set base_url to the final URL of the server"
            )
        message = f"{about}: HTTP {response.status_code}{complaint(response, bundle)}"
        if response.status_code == 401:
            # A person, or what renews the token file, sets it right; then the queue drains by itself.
            raise DestinationUnavailableError(message, retry_after_s=SLOWLY_S)
        if is_later(response.status_code):
            raise DestinationUnavailableError(message, retry_after_s=retry_after_s(response))
        raise RejectedError(message)


def _tls(base_url: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    if urlsplit(base_url).scheme == "http":
        return False  # nothing to verify, and loading the authorities takes longer than a push
    return ssl.create_default_context(cafile=str(ca_file)) if ca_file else True


def _takes_transactions(statement: Resource) -> bool:
    interactions = [
        interaction.get("code") for rest in objects(statement, "rest") for interaction in objects(rest, "interaction")
    ]
    return "transaction" in interactions


def _outcomes(answer: Resource) -> list[tuple[str, str]]:
    """Return status and location of each entry of a transaction-response."""
    if answer.get("type") != "transaction-response":
        return []
    responses = [entry.get("response") or {} for entry in objects(answer, "entry")]
    return [(str(response.get("status", "")), str(response.get("location", ""))) for response in responses]


def _matches(answer: Resource) -> int:
    """Return how many resources a searchset matched, at least."""
    modes = [(entry.get("search") or {}).get("mode", "match") for entry in objects(answer, "entry")]
    total = answer.get("total")
    return max(modes.count("match"), total if isinstance(total, int) else 0)
