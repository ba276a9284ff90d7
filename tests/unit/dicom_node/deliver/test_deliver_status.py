"""C-STORE statuses without a peer."""

from __future__ import annotations

import pytest

from dicom_node.deliver.status import Verdict, verdict


def test_no_status_but_success_is_taken_without_a_warning() -> None:
    assert [status for status in range(0x10000) if verdict(status)[0] is Verdict.TAKEN] == [0x0000]


def test_every_other_taken_status_is_of_the_warning_class_or_a_duplicate() -> None:
    warned = {status for status in range(0x10000) if verdict(status)[0] is Verdict.TAKEN_WITH_WARNING}

    assert warned == {0x0107, 0x0111, 0x0116, *range(0xB000, 0xC000)}


@pytest.mark.parametrize("status", [0xFF00, 0xFE00, 0x1234])
def test_a_status_of_no_storage_service_is_never_success(status: int) -> None:
    assert verdict(status)[0] is Verdict.NEVER
