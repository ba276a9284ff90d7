"""A DCMTK storescp that takes chosen SOP classes and transfer syntaxes, as PACS of many kinds do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from peers import StoreSCPPeer, storescp
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

BOTH = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


@contextmanager
def storescp_taking(tmp: Path, takes: Mapping[str, Sequence[str]], **options: object) -> Iterator[StoreSCPPeer]:
    """Run a storescp whose association profile holds nothing but `takes`: SOP class to transfer syntaxes."""
    tmp.mkdir(parents=True, exist_ok=True)
    profile = tmp / "associations.cfg"
    profile.write_text(_profile(takes))
    with storescp(tmp, options=["-xf", str(profile), "Restricted"], **options) as peer:  # type: ignore[arg-type]
        yield peer


def _profile(takes: Mapping[str, Sequence[str]]) -> str:
    """Return an association negotiation profile (DCMTK, asconfig.txt)."""
    lists = [
        f"[List{number}]\n" + "\n".join(f"TransferSyntax{n} = {uid}" for n, uid in enumerate(syntaxes, 1))
        for number, syntaxes in enumerate(takes.values())
    ]
    contexts = [f"PresentationContext{n} = {uid}\\List{n - 1}" for n, uid in enumerate(takes, 1)]
    return "\n".join(
        [
            "[[TransferSyntaxes]]", *lists,
            "[[PresentationContexts]]", "[Taken]", *contexts,
            "[[Profiles]]", "[Restricted]", "PresentationContexts = Taken", "",
        ]
    )  # fmt: skip
