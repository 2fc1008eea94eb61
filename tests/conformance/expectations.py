"""What LiteRT's reference kernels are known not to take, and which operators the suite leaves out."""

from ai_edge_litert import schema_py_generated as schema

# (operator, type) -> LiteRT's reason. The families still try these, so that a new LiteRT which takes them is noticed.
REJECTED = {}

# Operators without a case, and why.
NOT_COVERED = {}


def schema_operators():
    """All builtin operators of the schema but the markers."""
    markers = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
    return sorted(n for n in vars(schema.BuiltinOperator) if not n.startswith("_") and n not in markers)
