"""Whether an ONNX file holds all its tensors itself.

The card has the digest of one file. A tensor may lie in another (`data_location`), which ONNX Runtime finds beside the
graph, or below the working directory where it is given the bytes alone: nothing would tell that it was altered. The
package `onnx` reads such files and is not needed to serve a graph, so the few fields that lead to a tensor are walked.

References
----------
* onnx.proto3: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
* https://protobuf.dev/programming-guides/encoding/: tags, varints, wire types
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

TENSOR = "TensorProto"
# Fields of a message that lead to a tensor, and the message that each holds; functions have bodies as graphs do.
FIELDS: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: TENSOR, 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: TENSOR, 6: "GraphProto", 10: TENSOR, 11: "GraphProto", 22: "SparseTensorProto", 23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: TENSOR, 2: TENSOR},
    TENSOR: {},
}  # fmt: skip
# Of TensorProto; its one value besides 0 is EXTERNAL.
DATA_LOCATION = 14
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10
HIGHEST_TAG = 2**32 - 1


class Field(NamedTuple):
    """A field of a message: a number, or the place of its bytes."""

    number: int
    value: int | memoryview


def has_external_data(content: bytes) -> bool:
    """Return whether a tensor of a graph lies in another file.

    Raises
    ------
    ValueError
        The content is no message of protobuf.
    """
    left = [("ModelProto", memoryview(content))]
    while left:
        message, own = left.pop()
        for number, value in fields_of(own):
            if isinstance(value, memoryview):
                if (inner := FIELDS[message].get(number)) is not None:
                    left.append((inner, value))
            elif message == TENSOR and number == DATA_LOCATION and value != 0:
                return True
    return False


def fields_of(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message; raises ValueError where it is none."""
    place = 0
    while place < len(message):
        tag, place = varint_at(message, place)
        number, wire = tag >> 3, tag & 7
        if not 8 <= tag <= HIGHEST_TAG:
            raise ValueError(f"tag {tag}; a field has a number from 1, and its tag 32 bits")
        if wire == VARINT:
            value, place = varint_at(message, place)
            yield Field(number, value)
            continue
        length, place = length_at(message, place, wire)
        if place + length > len(message):
            raise ValueError(f"field {number}: {length} bytes; {len(message) - place} are left")
        if wire == BYTES:
            yield Field(number, message[place : place + length])
        place += length


def length_at(message: memoryview, place: int, wire: int) -> tuple[int, int]:
    """Return how many bytes a field has, and where they begin; raises ValueError for a form that ONNX has not."""
    if wire == BYTES:
        return varint_at(message, place)
    if wire not in (FIXED64, FIXED32):
        raise ValueError(f"wire type {wire}; those of ONNX are 0, 1, 2 and 5")
    return (8 if wire == FIXED64 else 4), place


def varint_at(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where the next begins; raises ValueError where it does not end."""
    value = 0
    for order, byte in enumerate(message[place : place + LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * order)
        if byte < 0x80:
            return value, place + order + 1
    raise ValueError(f"byte {place}: a number that does not end")
