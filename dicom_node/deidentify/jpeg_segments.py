"""Whether the segments and scans of a JPEG or JPEG-LS frame hold what their own fields need, and nothing else.

A decoder passes over what it does not need: bytes behind the fields of a segment, a table that no scan uses, restart
intervals that no MCU is left for. A text would go with them.

References
----------
* ITU-T T.81 (JPEG), A.1.1 and A.2 (sizes of components, MCUs), B.2 (segments), E.1.4 (restarts), H.1 (lossless)
* ITU-T T.87 (JPEG-LS), C.2 (segments; restarts after lines)
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dicom_node.deidentify.codestream import Codestream
from inference.jpeg_head import FRAMES, LOSSLESS, PROGRESSIVE, SCAN

_HUFFMAN, _LINES, _QUANTIZATION, _RESTARTS = 0xC4, 0xDC, 0xDB, 0xDD
_LS_FRAME, _LS_PARAMETERS = 0xF7, 0xF8
_DC, _AC, _QUANTIZER = range(3)
_MOST_COMPONENTS = 4
_MOST_TABLES = 4
# A byte FF of a scan is followed by 0 (JPEG) or by less than 80 (JPEG-LS): else it begins a marker.
_MARKER, _LS_MARKER = re.compile(rb"\xff[\x01-\xfe]"), re.compile(rb"\xff[\x80-\xfe]")
_FIRST_RESTART, _RESTART_NUMBERS = 0xD0, 8
_DATA_UNIT = 8  # samples of each side, of a component that is transformed

Table = tuple[int, int]
"""Class (DC or lossless, AC, quantization) and destination."""


class MalformedFrameError(Exception):
    """A segment or scan is not built as the standard says: what else it carries cannot be known."""


class _Component(NamedTuple):
    across: int
    down: int
    quantizer: int


@dataclass
class JpegSegments:
    """What the segments of a frame said so far.

    Attributes
    ----------
    unused
        Tables that no scan has used yet.
    """

    process: int = 0
    lines: int = 0
    columns: int = 0
    components: Mapping[int, _Component] = field(default_factory=dict)
    defined: set[Table] = field(default_factory=set)
    unused: set[Table] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    selected: tuple[int, ...] = ()
    interval: int = 0

    def take(self, marker: int, content: bytes) -> None:
        """Follow a segment.

        Raises
        ------
        MalformedFrameError
            It holds more or less than its fields need, contradicts another, or is of a process that no decoder reads.
        """
        _READERS[marker](self, content)

    def scan_end(self, stream: Codestream, position: int) -> int:
        """Return where the first marker behind a scan stands, the end where none does.

        Raises
        ------
        MalformedFrameError
            There are not as many restarts as the MCUs of the scan need, or not in their order.
        """
        needed = self._restarts()
        pattern = _LS_MARKER if self.process == _LS_FRAME else _MARKER
        for count, (at, number) in enumerate(_markers(stream, position, pattern)):
            if number not in range(_FIRST_RESTART, _FIRST_RESTART + _RESTART_NUMBERS):
                _require(count == needed, "fewer restarts than the MCUs of the scan need")
                return at
            _require(count < needed, "more restarts than the MCUs of the scan need")
            _require(number == _FIRST_RESTART + count % _RESTART_NUMBERS, "restarts that are out of order")
        return len(stream)

    def end(self) -> None:
        """Raise MalformedFrameError where tables are left over, or a component has no scan."""
        _require(not self.unused, "a table that no scan uses")
        _require(bool(self.components) and self.begun == self.components.keys(), "a component without a scan")

    def _restarts(self) -> int:
        return _upwards(self._units(), self.interval) - 1 if self.interval else 0

    def _units(self) -> int:
        """Return the number of MCUs of the present scan; of JPEG-LS they are lines."""
        widest = max(one.across for one in self.components.values())
        highest = max(one.down for one in self.components.values())
        side = 1 if self.process in (LOSSLESS, _LS_FRAME) else _DATA_UNIT
        if len(self.selected) > 1:
            across, down = _upwards(self.columns, side * widest), _upwards(self.lines, side * highest)
        else:
            only = self.components[self.selected[0]]
            across = _upwards(_upwards(self.columns * only.across, widest), side)
            down = _upwards(_upwards(self.lines * only.down, highest), side)
        return down if self.process == _LS_FRAME else across * down

    def _frame(self, marker: int, content: bytes) -> None:
        _require(not self.components and len(content) >= 6, "a frame header that is not one")
        _, self.lines, self.columns, count = struct.unpack(">BHHB", content[:6])
        _require(len(content) == 6 + 3 * count, "a frame header of another length than its components need")
        # No number of lines: it would be said behind the scan, which nobody can follow until then.
        _require(0 < count <= _MOST_COMPONENTS and self.lines > 0 and self.columns > 0, "a frame without a size")
        found = {one: _Component(sides >> 4, sides & 15, table) for one, sides, table in _threes(content[6:])}
        _require(len(found) == count, "two components of one name")
        for one in found.values():
            _require(1 <= one.across <= 4 and 1 <= one.down <= 4 and one.quantizer < _MOST_TABLES, "no component")
        self.process, self.components = marker, found

    def _quantization(self, content: bytes) -> None:
        while content:
            precision, destination = divmod(content[0], 16)
            length = 1 + 64 * (precision + 1)
            _require(precision <= 1 and len(content) >= length, "a quantization table of another length")
            self._define((_QUANTIZER, destination))
            content = content[length:]

    def _huffman(self, content: bytes) -> None:
        while content:
            kind, destination = divmod(content[0], 16)
            counts = content[1:17]
            values = content[17 : 17 + sum(counts)]
            _require(kind <= 1 and len(counts) == 16, "a Huffman table that is none")
            _require(len(values) == sum(counts) and _is_code(counts, values), "a Huffman table that is no code")
            self._define((kind, destination))
            content = content[17 + len(values) :]

    def _define(self, table: Table) -> None:
        _require(table[1] < _MOST_TABLES, "a table of a number that there is not")
        _require(table not in self.unused, "a table that no scan uses")
        self.defined.add(table)
        self.unused.add(table)

    def _restart_interval(self, content: bytes) -> None:
        _require(len(content) == 2, "a restart interval of another length")
        self.interval = int.from_bytes(content, "big")

    def _number_of_lines(self, content: bytes) -> None:
        _require(content == self.lines.to_bytes(2, "big") and bool(self.begun), "another number of lines")

    def _parameters(self, content: bytes) -> None:
        # Of JPEG-LS; the other kinds are palettes, and sizes beyond those of DICOM.
        _require(len(content) == 11 and content[0] == 1, "parameters other than thresholds")

    def _scan(self, content: bytes) -> None:
        count = content[0] if content else 0
        _require(0 < count <= len(self.components), "a scan without components")
        _require(len(content) == 4 + 2 * count, "a scan header of another length than its components need")
        chosen = dict(zip(content[1 : 1 + 2 * count : 2], content[2 : 2 + 2 * count : 2], strict=True))
        _require(len(chosen) == count and chosen.keys() <= self.components.keys(), "a component that there is not")
        if self.process != PROGRESSIVE:
            _require(not self.begun & chosen.keys(), "a second scan of a component")
        for component, tables in chosen.items():
            used = set(self._tables(component, tables, content[-3:]))
            _require(used <= self.defined, "a table that there is not")
            self.unused -= used
        self.begun |= chosen.keys()
        self.selected = tuple(chosen)

    def _tables(self, component: int, tables: int, spectrum: bytes) -> Iterator[Table]:
        """Yield the tables that a component of a scan uses; mapping tables of JPEG-LS are in no frame of DICOM."""
        if self.process == _LS_FRAME:
            _require(tables == 0, "a mapping table")
            return
        first, _, approximation = spectrum
        is_progressive = self.process == PROGRESSIVE
        # A scan that refines the DC coefficients writes bits without a code (G.1.2.1.2).
        if not is_progressive or (first == 0 and approximation >> 4 == 0):
            yield _DC, tables >> 4
        if self.process != LOSSLESS:
            yield _QUANTIZER, self.components[component].quantizer
            if not is_progressive or first:
                yield _AC, tables & 15


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise MalformedFrameError(otherwise)


def _upwards(number: int, divisor: int) -> int:
    return -(-number // divisor)


def _threes(content: bytes) -> Iterator[tuple[int, int, int]]:
    return zip(content[::3], content[1::3], content[2::3], strict=True)


def _is_code(counts: bytes, values: bytes) -> bool:
    """Return whether so many codes of 1 to 16 bits are there, and each stands for something else (T.81 C.2)."""
    space = sum(count << (16 - length) for length, count in enumerate(counts, 1))
    return 0 < space <= 1 << 16 and len(set(values)) == len(values)


def _markers(stream: Codestream, position: int, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where each marker from a position on stands, and its number."""
    for start, piece in stream.pieces(position):
        for match in pattern.finditer(piece):
            yield start + match.start(), match[0][1]


def _header_of(marker: int) -> Callable[[JpegSegments, bytes], None]:
    return lambda segments, content: segments._frame(marker, content)


_READERS: Mapping[int, Callable[[JpegSegments, bytes], None]] = {
    **{marker: _header_of(marker) for marker in (*FRAMES, _LS_FRAME)},
    _HUFFMAN: JpegSegments._huffman,
    _QUANTIZATION: JpegSegments._quantization,
    _RESTARTS: JpegSegments._restart_interval,
    _LINES: JpegSegments._number_of_lines,
    _LS_PARAMETERS: JpegSegments._parameters,
    SCAN: JpegSegments._scan,
}
SEGMENTS = frozenset(_READERS)
"""Markers of the segments that decoders need."""
