"""tf.lite.constants: the types, as numpy's."""

from numpy import float16 as FLOAT16
from numpy import float32 as FLOAT
from numpy import int8 as INT8
from numpy import int16 as INT16
from numpy import int32 as INT32
from numpy import int64 as INT64
from numpy import uint8 as QUANTIZED_UINT8

__all__ = ["FLOAT", "FLOAT16", "INT16", "INT32", "INT64", "INT8", "QUANTIZED_UINT8", "TFLITE"]

TFLITE = "TFLITE"  # an output format
