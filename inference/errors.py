"""What can go wrong, split by what the caller does.

InferenceError
├── ModelError                 stop: the node has no model
│   ├── MissingWeightsError
│   ├── DigestMismatchError
│   └── InvalidCardError
├── FilmError                  refuse the film, with a code and a reason
│   ├── UnreadablePixelsError
│   └── UnsuitableFilmError
├── HungError                  ask again; it ended before its answer
├── DecoderError               look at the machine: no process that decodes could be started
├── ListError                  correct the list of files
├── OutputError                look at the folder that is written to, and at its disk; or name another
├── MissingExtraError          install the extra that the command needs
└── TrainingError              correct the recipe or the data
    ├── InvalidRecipeError
    ├── DivergedError
    └── MissingDataError
"""

from __future__ import annotations

# Codes that programs compare with; the others are told only.
UNFAMILIAR = "unfamiliar"
NOT_FRONTAL = "not-frontal"
# Of what is no fault of the file: the network failed on it; decoder or network came to no end.
FAILED, HANG = "failed", "hang"
# Of what nobody could look at: a disk or its permissions keep it away.
UNREADABLE = "unreadable"


class InferenceError(Exception):
    """Base of everything that this package raises on purpose."""


class ModelError(InferenceError):
    """The model cannot be used."""


class MissingWeightsError(ModelError):
    """A file of the model folder is not there."""


class DigestMismatchError(ModelError):
    """The weights are not those that the card names."""


class InvalidCardError(ModelError):
    """The card breaks its schema or contradicts the weights."""


class HungError(InferenceError):
    """A network did not come to an end, and was ended."""


class DecoderError(InferenceError):
    """No process that decodes could be started; no fault of a film."""


class ListError(InferenceError):
    """A list of files cannot be read, or a name leads to no file."""


class OutputError(InferenceError):
    """A result cannot be written, or would take the place of what is to stay."""


class MissingExtraError(InferenceError):
    """A library that a command needs is not installed."""


class FilmError(InferenceError):
    """This film cannot be read by a model.

    Parameters
    ----------
    code
        Stable word that programs compare: ``view``, ``syntax``.
    reason
        Sentence for people: the thing, its value and the rule, without identity.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class UnreadablePixelsError(FilmError):
    """The pixels are missing, damaged or in a form that no decoder here reads."""


class UnsuitableFilmError(FilmError):
    """The pixels may be sound, but the image is not one for this model."""


class TrainingError(InferenceError):
    """Training or evaluation cannot start, or cannot go on."""


class InvalidRecipeError(TrainingError):
    """The recipe breaks its schema."""


class DivergedError(TrainingError):
    """What is learned has no numbers any more."""


class MissingDataError(TrainingError):
    """The data folder lacks what is needed, or holds what cannot be read."""
