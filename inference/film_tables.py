"""Tables of films as they must be: whole, and numbers where numbers belong."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from inference.errors import MissingDataError

Row = Mapping[str, str]


def rows_of(path: Path, columns: Sequence[str]) -> list[Row]:
    """Return the rows of a table that has some columns, among others.

    Raises
    ------
    MissingDataError
        It cannot be read, lacks a column, or a line of it has another number of values.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return whole_rows(path, csv.DictReader(lines), columns)
    except UnicodeDecodeError as error:
        raise MissingDataError(f"{path}: byte {error.start} is no UTF-8; a table is CSV, in UTF-8") from error
    except csv.Error as error:
        raise MissingDataError(f"{path}: {error}; a table is CSV, in UTF-8") from error
    except OSError as error:
        raise MissingDataError(f"{path}: cannot be read ({error.strerror})") from error


def whole_rows(path: Path, table: csv.DictReader[str], columns: Sequence[str]) -> list[Row]:
    """Return the rows of a table, each with a value in every column."""
    names = table.fieldnames or ()
    lacking = [name for name in columns if name not in names]
    if lacking:
        raise MissingDataError(f"{path}: no column {', '.join(lacking)}; a table begins with the names of its columns")
    rows: list[Row] = []
    for row in table:
        # What csv gives for values that a line lacks, and for those that it has beyond the last column.
        if None in row or None in row.values():
            raise MissingDataError(f"{path}: line {table.line_num}: not {len(names)} values, one for each column")
        rows.append(row)
    return rows


def number(row: Row, column: str, rule: str, low: float, high: float = math.inf) -> float:
    """Return a value of a row as a number from `low` to `high`; raises MissingDataError, which says the rule."""
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not low <= value <= high or math.isinf(value):
        raise MissingDataError(f"{row['file']}: {column}: {row[column]!r}; {rule}")
    return value


def aspect_of(row: Row) -> float:
    """Return columns by rows of the original of a film."""
    width, height = (number(row, name, "a number of pixels, 1 or more", 1) for name in ("orig_width", "orig_height"))
    return width / height


def years_of(row: Row) -> int:
    """Return the age of an adult in years, 0 where it is unknown."""
    return int(number(row, "age", "a whole number of years", 0)) if row["age"] else 0


def box_of(row: Row) -> tuple[float, float, float, float]:
    """Return a box: x, y, width and height as fractions."""
    x, y, width, height = (number(row, name, "a number from 0 to 1", 0, 1) for name in "xywh")
    return x, y, width, height
