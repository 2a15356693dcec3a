"""What can go wrong through the caller's doing: one small class per kind, one sentence each."""


class InfoflowError(Exception):
    """A caller's mistake, told in one sentence: what, where, what to do."""


class CheckpointError(InfoflowError):
    """A checkpoint cannot be read: missing, damaged, or of no known format."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint needs code to load, and nobody said that its code may run."""


class ArchitectureError(InfoflowError):
    """An architecture cannot be built, or does not fit the checkpoint."""


class DataError(InfoflowError):
    """Data cannot be read, or do not fit the network."""


class UserCodeError(DataError):
    """A function of the user's failed; its own exception is the cause."""


class SelectionError(InfoflowError):
    """A layer pattern, measure or option names nothing that exists."""


class OperatorError(InfoflowError):
    """A layer's matrix does not exist as asked for, or is too large."""


class CaptureError(InfoflowError):
    """A network cannot be run with these data, or its activations cannot be watched."""


class OutputError(InfoflowError):
    """An output cannot be written."""


class MissingDependencyError(InfoflowError):
    """A package that this request needs is not installed or does not work."""


class ReportError(InfoflowError):
    """A report file cannot be read back."""


class CheckError(InfoflowError):
    """The settings of a check, or its baseline, cannot be used."""


class ComparisonError(InfoflowError):
    """Files cannot be compared: they have no layer in common, or there is only one."""


class EstimateError(InfoflowError):
    """A measure of activations cannot be computed from what it was given."""


class TrainingError(InfoflowError):
    """A run of training cannot begin, go on or end as asked for."""


class ReferenceTableError(InfoflowError):
    """A table of healthy networks cannot be read, made or changed."""


def first_line(error: BaseException) -> str:
    """What an exception of another package says, its first line; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
