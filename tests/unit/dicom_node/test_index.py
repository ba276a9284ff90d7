from __future__ import annotations

from collections.abc import Sequence

from dicom_node.receive.index import Arrival, Index, LedgerUnavailableError, Opened, Released

ARRIVALS: list[Arrival] = [Opened("a", "CT", 1.0), Released("a", 2.0), Opened("b", "CT", 3.0)]


class RecordingLedger:
    """Takes everything but what it is told not to take."""

    def __init__(self, unavailable_times: int = 0, poison: Arrival | None = None) -> None:
        self.recorded: list[Arrival] = []
        self._unavailable_times = unavailable_times
        self._poison = poison

    def record(self, arrivals: Sequence[Arrival]) -> None:
        if self._unavailable_times:
            self._unavailable_times -= 1
            raise LedgerUnavailableError("OperationalError")
        if self._poison in arrivals:
            raise ValueError("a value that the database does not take")
        self.recorded += arrivals


def recorded(ledger: RecordingLedger, patient: bool = False) -> list[Arrival]:
    index = Index(ledger)
    if patient:
        index._RETRY_S = 0.01
    for arrival in ARRIVALS:
        index.add(arrival)
    if patient:
        while len(ledger.recorded) < len(ARRIVALS):
            pass
    index.close()
    return ledger.recorded


def test_arrivals_are_recorded_in_their_order() -> None:
    assert ARRIVALS == recorded(RecordingLedger())


def test_arrivals_wait_for_a_ledger_that_is_away() -> None:
    assert ARRIVALS == recorded(RecordingLedger(unavailable_times=3), patient=True)


def test_an_arrival_that_no_ledger_takes_keeps_no_other_back() -> None:
    assert [ARRIVALS[0], ARRIVALS[2]] == recorded(RecordingLedger(poison=ARRIVALS[1]))
