"""What LiteRT's reference kernels are known not to take, and which operators the suite leaves out."""

from ai_edge_litert import schema_py_generated as schema

NO_TYPE = "the kernel refuses the type"
NO_VERSION = "LiteRT has no such version of the operator"
UNWRITTEN = "the kernel returns without writing its output"

# Types that a kernel refuses, by type.
_REFUSED = {
    "bool": ("BITWISE_XOR", "PACK", "REVERSE_SEQUENCE", "SPARSE_TO_DENSE", "SPLIT", "SPLIT_V"),
    "float16": ("PACK", "REVERSE_SEQUENCE", "SCATTER_ND", "SPARSE_TO_DENSE", "SPLIT", "SPLIT_V"),
    "hybrid_int4": ("DEPTHWISE_CONV_2D",),
    "int16": (
        "ARG_MAX",
        "ARG_MIN",
        "DEPTH_TO_SPACE",
        "HARD_SWISH",
        "ONE_HOT",
        "RELU_0_TO_1",
        "RELU_N1_TO_1",
        "SCATTER_ND",
        "SPACE_TO_DEPTH",
        "SPARSE_TO_DENSE",
        "SQUARED_DIFFERENCE",
    ),
    "int32": ("DEQUANTIZE",),
    "int64": ("UNPACK",),
    "int8": (
        "CEIL",
        "COS",
        "FLOOR",
        "REVERSE_SEQUENCE",
        "ROUND",
        "SIN",
        "SQUARE",
        "TFLite_Detection_PostProcess",
        "ZEROS_LIKE",
    ),
    "int8_int4": ("TRANSPOSE_CONV",),
    "uint32": ("SPLIT", "SPLIT_V", "UNPACK"),
    "uint8": ("BATCH_MATMUL",),
}

# (operator, type) -> LiteRT's reason. The families still try these, so that a new LiteRT which takes them is noticed.
REJECTED = {
    **{(op, dtype): NO_TYPE for dtype, operators in _REFUSED.items() for op in operators},
    ("GREATER", "int16_plain"): NO_VERSION,
    ("GREATER_EQUAL", "int16_plain"): NO_VERSION,
    ("LESS", "int16_plain"): NO_VERSION,
    ("LESS_EQUAL", "int16_plain"): NO_VERSION,
    ("LSTM", "int16"): NO_VERSION,
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "int16"): NO_VERSION,
    ("NOT_EQUAL", "int16_plain"): UNWRITTEN,
    ("SUM", "int16"): UNWRITTEN,
}

# The reference kernel writes nonsense (SUM of int8 fills its output with what looks like the accumulators' bytes); the optimized
# one computes what the formula says.
REFERENCE_BROKEN = {("SUM", "int8"), ("FULLY_CONNECTED", "hybrid_int4_blockwise")}

# StableHLO operators that LiteRT runs and the suite covers; it has no kernel for most of the others.
_STABLEHLO_COVERED = {"ADD", "AND", "COMPOSITE", "MAXIMUM", "MINIMUM", "MULTIPLY", "SHIFT_LEFT"}
_STABLEHLO_RUN = {"CASE", "GATHER", "PAD", "REDUCE_WINDOW", "RNG_BIT_GENERATOR", "SCATTER"}


def schema_operators():
    """All builtin operators of the schema but the markers."""
    markers = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
    return sorted(n for n in vars(schema.BuiltinOperator) if not n.startswith("_") and n not in markers)


def _stablehlo_excuses():
    names = [n.removeprefix("STABLEHLO_") for n in schema_operators() if n.startswith("STABLEHLO_")]
    return {
        f"STABLEHLO_{n}": "not in the suite yet" if n in _STABLEHLO_RUN else "LiteRT has no kernel"
        for n in names
        if n not in _STABLEHLO_COVERED
    }


# Operators without a case, and why.
NOT_COVERED = {
    "CALL": "LiteRT has no kernel",
    "CONCAT_EMBEDDINGS": "LiteRT has no kernel",
    "LSH_PROJECTION": "hashes with a library's function; not in fewbits",
    "MULTINOMIAL": "random",
    "RANDOM_STANDARD_NORMAL": "random",
    "RANDOM_UNIFORM": "random",
    "SKIP_GRAM": "strings in and out",
    **_stablehlo_excuses(),
}
