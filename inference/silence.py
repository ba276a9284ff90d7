"""What pydicom would say of a data set: it quotes values, which name patients, and what a process says is kept."""

from __future__ import annotations

import logging
import warnings


def silence_pydicom() -> None:
    """Keep values of data sets from standard error of this process."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    # All of them: pydicom warns in the name of whatever called it.
    warnings.simplefilter("ignore")
