"""Builds .tflite models from Python: tensors and operators in, FlatBuffer bytes out.

A Model owns subgraphs; a Graph is one subgraph. Tensors are described by T specs, so that a case reads as data:

    single_op("ADD", [T("float32", (2, 3), value=x), T("float32", (3,), const=y)], [T("float32")], opt("Add"))

The shape of an output may be left out (None): the oracle runs the model once and its shape is written back.
"""

import dataclasses

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

# Types by their numpy-like names. Types of fewer than 8 bits are passed as int8 arrays and packed when written.
TENSOR_TYPES = {name.lower(): code for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
PACKED_BITS = {"int4": 4, "int2": 2}


@dataclasses.dataclass(frozen=True)
class Q:
    """Affine quantization: per tensor (a number) or per axis (a sequence of scales along `axis`)."""

    scale: object
    zero_point: object = 0
    axis: int = 0

    @property
    def scales(self):
        return np.atleast_1d(np.asarray(self.scale, np.float32))

    @property
    def zero_points(self):
        return np.broadcast_to(np.atleast_1d(np.asarray(self.zero_point, np.int64)), self.scales.shape)


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Quantization by blocks of `size` elements of the last dimension: float16 scales [rows, elements / size]."""

    size: int
    scales: object


@dataclasses.dataclass
class T:
    """One tensor. `value`: a model input fed with it; `const`: a constant; neither: an intermediate or an output."""

    type: str
    shape: tuple | None = None
    q: Q | Blocks | None = None
    value: object = None
    const: object = None
    variable: bool = False
    signature: tuple | None = None
    sparsity: object = None
    name: str | None = None


def numpy_type(type_name):
    return np.dtype("int8" if type_name in PACKED_BITS else type_name)


def tensor_like(array, type_name=None, **fields):
    """A T whose type and shape are those of an array given as `value` or `const` in fields or as the array itself."""
    array = np.asarray(array)
    return T(type_name or str(array.dtype), array.shape, **fields)


def const(array, type_name=None, q=None):
    array = np.asarray(array)
    return tensor_like(array, type_name, const=array, q=q)


def value(array, type_name=None, q=None):
    array = np.asarray(array)
    return tensor_like(array, type_name, value=array, q=q)


def pack_bits(array, bits):
    """Packs small integers, lowest bits first, as the file format wants it."""
    per_byte = 8 // bits
    flat = np.ravel(array).astype(np.int16)
    flat = np.concatenate([flat, np.zeros(-len(flat) % per_byte, np.int16)]).reshape(-1, per_byte)
    shifts = np.arange(per_byte) * bits
    return ((flat & ((1 << bits) - 1)) << shifts).sum(axis=1).astype(np.uint8)


def to_bytes(array, type_name):
    if type_name == "string":
        return pack_strings(array)
    if type_name in PACKED_BITS:
        return pack_bits(array, PACKED_BITS[type_name])
    if array.dtype != numpy_type(type_name):
        raise TypeError(f"a {type_name} tensor got {array.dtype} data")
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)


def pack_strings(strings):
    """TFLite's string buffer: count, offsets (one more than strings), then the characters."""
    items = [s.encode() if isinstance(s, str) else bytes(s) for s in np.ravel(np.asarray(strings, object))]
    offsets = np.cumsum([4 * (len(items) + 2)] + [len(s) for s in items]).astype(np.int32)
    header = np.concatenate([np.array([len(items)], np.int32), offsets])
    return np.frombuffer(header.tobytes() + b"".join(items), np.uint8)


def opt(name, /, **fields):
    """Builtin options by the table's name without "Options": opt("Add", fusedActivationFunction=1)."""
    table = name if hasattr(schema, name + "T") else name + "Options"
    options = getattr(schema, table + "T")()
    for key, field in fields.items():
        if not hasattr(options, key):
            raise AttributeError(f"{table} has no {key}")
        setattr(options, key, field)
    return options


def _options_slot(options):
    """(field prefix, union type) for an options object: the two unions of schema.fbs."""
    table = type(options).__name__[:-1]
    if hasattr(schema.BuiltinOptions, table):
        return "builtinOptions", getattr(schema.BuiltinOptions, table)
    return "builtinOptions2", getattr(schema.BuiltinOptions2, table)


class Graph:
    """One subgraph under construction."""

    def __init__(self, model, name):
        self.model = model
        self.table = schema.SubGraphT()
        self.table.name = name
        self.table.tensors, self.table.operators, self.table.inputs, self.table.outputs = [], [], [], []

    def add(self, spec):
        """Adds a tensor and returns its index; None is the absent operand, -1; an int is already an index."""
        if spec is None:
            return -1
        if isinstance(spec, (int, np.integer)):
            return int(spec)
        tensor = schema.TensorT()
        tensor.name = spec.name or f"t{len(self.table.tensors)}"
        tensor.type = TENSOR_TYPES[spec.type]
        tensor.shape = list(spec.shape) if spec.shape is not None else []
        tensor.hasRank = spec.shape is not None
        tensor.isVariable = spec.variable
        tensor.sparsity = spec.sparsity
        if spec.signature is not None:
            tensor.shapeSignature = list(spec.signature)
        if isinstance(spec.q, Blocks):
            details = schema.BlockwiseQuantizationT()
            details.blockSize, details.zeroPoints = spec.q.size, -1
            details.scales = self.add(const(np.asarray(spec.q.scales, np.float16)))
            tensor.name = spec.name or f"t{len(self.table.tensors)}"
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.details, tensor.quantization.detailsType = details, 2
        elif spec.q is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = spec.q.scales
            tensor.quantization.zeroPoint = spec.q.zero_points
            tensor.quantization.quantizedDimension = spec.q.axis
        data = None if spec.const is None else to_bytes(np.asarray(spec.const), spec.type)
        tensor.buffer = self.model.add_buffer(data)
        self.table.tensors.append(tensor)
        index = len(self.table.tensors) - 1
        if spec.value is not None:
            self.table.inputs.append(index)
        return index

    def input(self, spec):
        index = self.add(spec)
        if index not in self.table.inputs:
            self.table.inputs.append(index)
        return index

    def op(self, code, inputs, outputs, options=None, version=1, intermediates=(), custom=b""):
        """Adds an operator; operands are specs, indices or None. Returns the output indices."""
        op = schema.OperatorT()
        op.opcodeIndex = self.model.add_operator_code(code, version)
        op.inputs = [self.add(t) for t in inputs]
        op.outputs = [self.add(t) for t in outputs]
        op.intermediates = [self.add(t) for t in intermediates]
        op.mutatingVariableInputs = [i >= 0 and self.table.tensors[i].isVariable for i in op.inputs]
        if options is not None:
            slot, union = _options_slot(options)
            setattr(op, slot, options)
            setattr(op, slot + "Type", union)
        if custom:
            op.customOptions = np.frombuffer(custom, np.uint8)
        self.table.operators.append(op)
        return op.outputs

    def outputs(self, indices):
        self.table.outputs = list(indices)


class Model:
    """A model under construction; subgraph 0 is `main`."""

    def __init__(self):
        self.table = schema.ModelT()
        self.table.version = 3
        self.table.description = "fewbits conformance case"
        self.table.operatorCodes, self.table.subgraphs, self.table.buffers = [], [], [schema.BufferT()]
        self.graphs = []
        self.main = self.graph("main")

    def graph(self, name):
        graph = Graph(self, name)
        self.graphs.append(graph)
        self.table.subgraphs.append(graph.table)
        return graph

    def add_buffer(self, data):
        if data is None:
            return 0
        buffer = schema.BufferT()
        buffer.data = data
        self.table.buffers.append(buffer)
        return len(self.table.buffers) - 1

    def add_operator_code(self, code, version):
        builtin = getattr(schema.BuiltinOperator, code, None)
        custom = None if builtin is not None else code
        builtin = schema.BuiltinOperator.CUSTOM if builtin is None else builtin
        for i, known in enumerate(self.table.operatorCodes):
            if (known.builtinCode, known.version, known.customCode) == (builtin, version, custom):
                return i
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.version, entry.customCode = builtin, version, custom
        entry.deprecatedBuiltinCode = min(builtin, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
        self.table.operatorCodes.append(entry)
        return len(self.table.operatorCodes) - 1

    def signature(self, key="serving_default", graph=0):
        """Names the inputs and outputs of a subgraph in0.. and out0.. ."""

        def maps(prefix, indices):
            entries = []
            for i, index in enumerate(indices):
                entry = schema.TensorMapT()
                entry.name, entry.tensorIndex = f"{prefix}{i}", index
                entries.append(entry)
            return entries

        table = schema.SignatureDefT()
        subgraph = self.table.subgraphs[graph]
        table.inputs, table.outputs = maps("in", subgraph.inputs), maps("out", subgraph.outputs)
        table.signatureKey, table.subgraphIndex = key, graph
        self.table.signatureDefs = (self.table.signatureDefs or []) + [table]

    def tobytes(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.table.Pack(builder), b"TFL3")
        return bytes(builder.Output())
