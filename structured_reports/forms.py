"""The forms in which one result can be sent: names, and what each is on the wire.

Forms of one object are alternatives: a destination is sent one of them. A report in another form is another SOP
instance, because its SOP class differs. A picture in another encoding is the same instance: no pixel differs
(PS3.3 C.7.6.1.1.2), and the transfer syntax is a matter of the association (PS3.5 10).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    JPEG2000Lossless,
    JPEGLSLossless,
)

COMPREHENSIVE = "comprehensive"
BASIC_TEXT = "basic-text"

REPORT_FORMS: Mapping[str, str] = MappingProxyType(
    {
        COMPREHENSIVE: ComprehensiveSRStorage,
        "enhanced": EnhancedSRStorage,
        "comprehensive-3d": Comprehensive3DSRStorage,
        BASIC_TEXT: BasicTextSRStorage,
    }
)
"""SOP class of each form of the report. The first is always made; the others where a destination may need them."""

ENCODINGS: Mapping[str, str] = MappingProxyType({"jpeg-ls": JPEGLSLossless, "jpeg-2000": JPEG2000Lossless})
"""Transfer syntax of each lossless encoding of a picture, which is always made uncompressed too."""

# A report whose title is 126000 even where a finding has no region, as IHE AI Results asks
_AIR = "air-"

PROFILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # No content needs three dimensions. Enhanced SR is listed by viewers that do not know Comprehensive 3D SR.
        "viewer": (COMPREHENSIVE, "enhanced", "comprehensive-3d", BASIC_TEXT),
        # The profile names Comprehensive 3D SR
        "air": ("comprehensive-3d", COMPREHENSIVE, "enhanced", BASIC_TEXT),
    }
)
"""Forms of the report in the order in which a destination of the profile is asked to take one."""


def titled(form: str, profile: str) -> str:
    """Return the name of a form with the title of a profile; a plain text has one title."""
    return _AIR + form if profile == "air" and form != BASIC_TEXT else form


def untitled(form: str) -> str:
    """Return the name of a form whatever its title: a key of `REPORT_FORMS`."""
    return form.removeprefix(_AIR)


def is_air(form: str) -> bool:
    """Return whether the title of a form is 126000 in any case."""
    return form.startswith(_AIR)
