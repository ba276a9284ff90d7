"""What the tables of a card must not say of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inference.card_sections import FindingSection, OutputSection, WeightsSection

# Keys of the weights that some kinds have; the others would leave them unread.
KEYS_OF_KINDS: Mapping[str, tuple[str, ...]] = {"architecture": ("state-dict",), "names": ("onnx", "triton")}
# Keys without which it cannot be said whether tables contradict each other.
CONTRADICTING = frozenset({"findings.index", "findings.temperature", "findings.shift", "output.kind", "output.count"})


def contradictions(findings: Sequence[FindingSection], output: OutputSection) -> Iterator[str]:
    """Yield what findings and outputs contradict each other in."""
    names = [each.name for each in findings]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield f"findings: {', '.join(twice)} stands twice"
    yield from faults_of_indices([each.index for each in findings], output.count)
    if output.kind == "single" and (len(findings) != 1 or output.count not in (None, 1)):
        yield f"output.kind: single; {len(findings)} findings and {output.count or 'no'} count, where one is"
    if output.kind == "multi-class":
        yield from faults_of_classes(findings)
        yield from faults_of_class_count(outputs_of(findings, output))


def outputs_of(findings: Sequence[FindingSection], output: OutputSection) -> int | None:
    """Return how many outputs a network is to have; None where the card leaves that to the network."""
    return len(findings) if output.count is None and findings[0].index is None else output.count


def faults_of_keys(weights: WeightsSection) -> Iterator[str]:
    """Yield which keys of the weights belong to another kind."""
    for key, kinds in KEYS_OF_KINDS.items():
        if getattr(weights, key) and weights.kind not in kinds:
            yield f"weights.{key}: the kind is {weights.kind}; it belongs to {', '.join(kinds)}"


def faults_of_indices(indices: Sequence[int | None], count: int | None) -> Iterator[str]:
    """Yield what is wrong with the outputs that findings read."""
    named = [index for index in indices if index is not None]
    if named and len(named) < len(indices):
        yield f"findings: {len(named)} of {len(indices)} name an index; all do, or none"
    if len(set(named)) < len(named):
        yield f"findings: indices {named}; each output is read once"
    if count is None:
        return
    if named and max(named) >= count:
        yield f"findings: index {max(named)}; output.count is {count}, so the last is {count - 1}"
    if not named and count != len(indices):
        yield f"findings: the card names {len(indices)} without index, output.count is {count}"


def faults_of_classes(findings: Sequence[FindingSection]) -> Iterator[str]:
    """Yield what cannot be for classes that exclude each other: they share one scale."""
    if len({each.temperature for each in findings}) > 1:
        yield "findings: temperatures differ; those of multi-class outputs are one"
    if any(each.shift for each in findings):
        yield "findings: shift; multi-class outputs have none"


def faults_of_class_count(outputs: int | None) -> Iterator[str]:
    """Yield that outputs are no classes that exclude each other; None where their number is not known."""
    if outputs == 1:
        yield "output.kind: multi-class; of one output each score would be 1, so there are two or more, or it is single"
