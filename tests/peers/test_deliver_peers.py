"""The rule for peers that are not installed."""

from __future__ import annotations

import pytest
from peers import peer_missing


def test_a_missing_peer_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Orthanc is not installed"):
        peer_missing("Orthanc")


def test_a_missing_peer_fails_the_test_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Orthanc is not installed"):
        peer_missing("Orthanc")
