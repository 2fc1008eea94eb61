"""tf.lite.experimental: the debugger. The rest raises with the reason."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import UnsupportedError
from .debugger import QuantizationDebugger, QuantizationDebugOptions
from .interpreter import OpResolverType

__all__ = ["OpResolverType", "QuantizationDebugOptions", "QuantizationDebugger", "load_delegate"]


def load_delegate(library: str, options: dict[Any, Any] | None = None) -> NoReturn:
    """Raises: there are no delegates here."""
    raise UnsupportedError(f"{library}: fewbits runs on its own kernels and takes no delegates")


def __getattr__(name: str) -> Any:
    if name == "Analyzer":
        raise UnsupportedError("tf.lite.experimental.Analyzer is not in fewbits: use fewbits.load(path).describe(), or fewbits inspect")
    raise AttributeError(f"module 'fewbits.lite.experimental' has no attribute '{name}'")
