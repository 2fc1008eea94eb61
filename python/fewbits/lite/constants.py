"""tf.lite.constants: the types, as numpy's."""

from numpy import bytes_ as STRING
from numpy import float16 as FLOAT16
from numpy import float32 as FLOAT
from numpy import int8 as INT8
from numpy import int16 as INT16
from numpy import int32 as INT32
from numpy import int64 as INT64
from numpy import uint8 as QUANTIZED_UINT8

__all__ = ["FLOAT", "FLOAT16", "GRAPHVIZ_DOT", "INT16", "INT32", "INT64", "INT8", "QUANTIZED_UINT8", "STRING", "TFLITE"]

TFLITE = "TFLITE"  # output formats, of which this one is written
GRAPHVIZ_DOT = "GRAPHVIZ_DOT"
