"""tf.lite.experimental: the debugger. The rest is there by name, and raises with the reason when it is used."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import UnsupportedError
from .debugger import QuantizationDebugger, QuantizationDebugOptions
from .interpreter import OpResolverType

__all__ = ["Analyzer", "OpResolverType", "QuantizationDebugOptions", "QuantizationDebugger", "authoring", "load_delegate"]


def load_delegate(library: str, options: dict[Any, Any] | None = None) -> NoReturn:
    """Raises: there are no delegates here."""
    raise UnsupportedError(f"{library}: fewbits runs on its own kernels and takes no delegates")


class Analyzer:
    """tf.lite's printer of models, which is not here."""

    @staticmethod
    def analyze(
        model_path: str | None = None, model_content: bytes | None = None, gpu_compatibility: bool = False, **kwargs: Any
    ) -> NoReturn:
        """Raises: fewbits.load(path).describe() has it as data, `fewbits inspect` as text."""
        raise UnsupportedError(
            "tf.lite.experimental.Analyzer is not in fewbits: fewbits.load(path).describe() tells what is in a model, `fewbits "
            "inspect` prints it, and fewbits.Report(path) draws it; nothing here knows a GPU delegate's operators"
        )


class authoring:  # noqa: N801 (a module in tf.lite)
    """tf.lite.experimental.authoring, which is not here."""

    @staticmethod
    def compatible(target: Any = None, converter_target_spec: Any = None, **kwargs: Any) -> NoReturn:
        """Raises: the importers list every operator that has no .tflite form."""
        raise UnsupportedError(
            "tf.lite.experimental.authoring.compatible traces TensorFlow's functions, which fewbits does without: save a "
            "SavedModel, and from_saved_model() lists every operator that has no .tflite form"
        )


_ABSENT = {
    "convert_op_hints_to_stubs": "it went with TensorFlow 1's OpHint",
    "PyTFLiteOpHint": "it went with TensorFlow 1's OpHint",
    "get_potentially_supported_ops": "it was removed from TensorFlow; docs/tensorflow.md lists what is read",
}


def __getattr__(name: str) -> Any:
    if name in _ABSENT:
        raise UnsupportedError(f"tf.lite.experimental.{name} is not in fewbits: {_ABSENT[name]}")
    raise AttributeError(f"module 'fewbits.lite.experimental' has no attribute '{name}'")
