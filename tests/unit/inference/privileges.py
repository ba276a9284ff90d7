"""Commands as whoever must obey the permissions of files, which root need not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest


def without_privileges(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python without what lets root pass over permissions."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("root reads everything, and there is no setpriv")
    obedient = [str(setpriv), "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    return subprocess.run([*obedient, sys.executable, *command], capture_output=True, text=True, check=False)
