"""What a file is called that is not written."""

from __future__ import annotations


class RefusedError(Exception):
    """A file that is not written.

    Attributes
    ----------
    code
        Short name of the reason, for counting.
    study
        Its study under the new UID, where that much is known.
    """

    def __init__(self, code: str, sentence: str, study: str = "") -> None:
        super().__init__(sentence)
        self.code, self.study = code, study
