"""What fewbits raises. Every class also is the built-in exception that code written for tf.lite expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._native import Decision

__all__ = [
    "FewbitsError",
    "FileError",
    "InUseError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidDataError",
    "InvalidModelError",
    "NotFoundError",
    "ResourceError",
    "UnsupportedError",
]


class FewbitsError(Exception):
    """The base of all. `code` is the name that the command line's JSON uses."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidModelError(FewbitsError, ValueError):
    """The bytes or the graph of a model break the format's rules."""

    code = "invalid_model"


class InvalidArgumentError(FewbitsError, ValueError):
    """Something was asked for that cannot be."""

    code = "invalid_argument"


class InvalidDataError(FewbitsError, ValueError):
    """Calibration or input data of the wrong shape or type, with NaN in it, or none at all."""

    code = "invalid_data"


class NotFoundError(FewbitsError, ValueError, LookupError):
    """A file, tensor, signature or operator that is not there."""

    code = "not_found"


class UnsupportedError(FewbitsError, RuntimeError):
    """Valid, but nothing here can do it. `offenders` holds the operators that stand in the way, where that is the reason."""

    code = "unsupported"

    def __init__(self, message: str, offenders: Sequence[Decision] = ()) -> None:
        super().__init__(message)
        self.offenders: tuple[Decision, ...] = tuple(offenders)


class FileError(FewbitsError, OSError):
    """The operating system refused: permission, disk full."""

    code = "io"


class ResourceError(FewbitsError, MemoryError):
    """Memory, or a size limit."""

    code = "resource"


class InternalError(FewbitsError, RuntimeError):
    """A bug in fewbits: please report it."""

    code = "internal"


class InUseError(FewbitsError, RuntimeError):
    """Two threads used one object at the same moment. Nothing broke."""

    code = "invalid_argument"
