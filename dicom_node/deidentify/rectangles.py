"""Rectangles of an image, in pixels."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Edge = Annotated[int, Field(ge=0, le=65534, strict=True)]
_Length = Annotated[int, Field(ge=1, le=65535, strict=True)]


class Rectangle(BaseModel):
    """Columns `left` to `left + width - 1` of rows `top` to `top + height - 1`, counted from 0.

    Raises
    ------
    pydantic.ValidationError
        A side is negative, longer than an image can be (Rows and Columns are US, PS3.6), or not a whole number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    left: _Edge
    top: _Edge
    width: _Length
    height: _Length

    @property
    def right(self) -> int:
        """The first column after it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row after it."""
        return self.top + self.height

    def fits(self, rows: int, columns: int) -> bool:
        """Return whether all of it lies in an image."""
        return self.right <= columns and self.bottom <= rows
