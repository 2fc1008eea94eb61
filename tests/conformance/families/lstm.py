"""LSTM (full and basic), UNIDIRECTIONAL_ and BIDIRECTIONAL_SEQUENCE_LSTM: float, hybrid, int8 with int16 cells."""

import dataclasses

import numpy as np

from builder import Q, T, const, opt
from case import FLOAT, rng_for, single_op
from values import floats, integers

# Gates in the operators' order: input, forget, cell, output.
GATES = 4
LSTM_INT8 = {"kind": "int", "max_diff": 1, "why": "gate products may be requantized with float multipliers"}


@dataclasses.dataclass(frozen=True)
class Form:
    """Sizes and options of a cell."""

    batch: int
    inputs: int
    cells: int
    steps: int = 1
    outputs: int | None = None  # with projection
    projection_bias: bool = False
    peephole: bool = False
    layer_norm: bool = False
    cifg: bool = False
    cell_clip: float = 0.0
    projection_clip: float = 0.0

    @property
    def width(self):
        return self.outputs or self.cells

    @property
    def parts(self):
        flags = ("peephole", "layer_norm", "cifg", "projection_bias")
        return (
            f"{self.batch}x{self.inputs}x{self.cells}x{self.steps}",
            f"proj{self.outputs}" if self.outputs else "",
            *(name for name in flags if getattr(self, name)),
            f"clip{self.cell_clip:g}_{self.projection_clip:g}" if self.cell_clip or self.projection_clip else "",
        )


PLAIN = [Form(1, 1, 1), Form(2, 3, 4, 3), Form(3, 17, 9, 5), Form(1, 32, 16, 4)]
SPECIAL = [
    Form(2, 5, 6, 3, peephole=True),
    Form(2, 5, 6, 3, cifg=True),
    Form(2, 5, 6, 3, layer_norm=True),
    Form(2, 5, 8, 3, outputs=4),
    Form(2, 5, 8, 3, outputs=4, projection_bias=True),
    Form(2, 5, 6, 3, cifg=True, peephole=True),
    Form(2, 5, 6, 3, cifg=True, layer_norm=True),
    Form(2, 5, 8, 4, outputs=3, peephole=True, layer_norm=True, projection_bias=True),
    Form(2, 5, 6, 3, cell_clip=0.4),
    Form(2, 5, 8, 3, outputs=4, projection_clip=0.2),
    Form(1, 4, 6, 3, cell_clip=0.5, peephole=True),
]


class FloatParameters:
    """Constants of a float or hybrid cell."""

    def __init__(self, rng, hybrid):
        self.rng, self.hybrid = rng, hybrid

    def weights(self, shape):
        if not self.hybrid:
            return const(self.rng.normal(0, 0.4, shape).astype(np.float32))
        return T(
            "int8", shape, Q(float(self.rng.uniform(0.003, 0.009))), const=integers(self.rng, shape, "int8", -127, 127)
        )

    def bias(self, count):
        return const(floats(self.rng, (count,), 0.4))

    def norm(self, count):
        return const(self.rng.uniform(0.3, 1.2, count).astype(np.float32))


def gate_operands(p, form):
    """Operands 1 to 17 of the LSTM operators, in their order."""
    skip = [form.cifg, False, False, False]
    operands = [None if s else p.weights((form.cells, form.inputs)) for s in skip]
    operands += [None if s else p.weights((form.cells, form.width)) for s in skip]
    operands += [p.weights((form.cells,)) if form.peephole and not s else None for s in (form.cifg, False, False)]
    operands += [None if s else p.bias(form.cells) for s in skip]
    operands.append(p.weights((form.outputs, form.cells)) if form.outputs else None)
    operands.append(p.bias(form.outputs) if form.projection_bias else None)
    return operands


def states(form):
    return [
        T("float32", (form.batch, form.width), variable=True),
        T("float32", (form.batch, form.cells), variable=True),
    ]


def float_lstm(op, form, hybrid="", asymmetric=False, time_major=False):
    """LSTM or UNIDIRECTIONAL_SEQUENCE_LSTM in float or hybrid, fed three times."""
    parts = (*form.parts, "asym" if asymmetric else "", "time" if time_major else "")
    rng = rng_for(op, hybrid, parts)
    p = FloatParameters(rng, hybrid)
    sequence = (form.steps, form.batch) if time_major else (form.batch, form.steps)
    shape = (form.batch, form.inputs) if op == "LSTM" else (*sequence, form.inputs)
    operands = [T("float32", shape, value=floats(rng, shape, 1.0)), *gate_operands(p, form), *states(form)]
    if form.layer_norm:
        operands += [None if form.cifg else p.norm(form.cells)] + [p.norm(form.cells) for _ in range(3)]
    fields = dict(
        fusedActivationFunction=4,
        cellClip=form.cell_clip,
        projClip=form.projection_clip,
        asymmetricQuantizeInputs=asymmetric,
    )
    if op == "LSTM":
        options, version = opt("LSTM", kernelType=0, **fields), 4 if asymmetric else 3 if hybrid else 1
    else:
        options, version = opt("UnidirectionalSequenceLSTM", timeMajor=time_major, **fields), (
            3 if asymmetric else 2 if hybrid else 1
        )
    runs = [[floats(rng, shape, 1.0)] for _ in range(3)]
    return single_op(op, hybrid or "float32", parts, operands, [T("float32")], options, version, FLOAT, runs)


def bidirectional(form, hybrid="", asymmetric=False, time_major=False, merge=False, aux=""):
    """BIDIRECTIONAL_SEQUENCE_LSTM; `aux` attaches a second input, "plain" with and "linked" without own weights."""
    op = "BIDIRECTIONAL_SEQUENCE_LSTM"
    parts = (*form.parts, "asym" if asymmetric else "", "time" if time_major else "", "merge" if merge else "", aux)
    rng = rng_for(op, hybrid, parts)
    p = FloatParameters(rng, hybrid)
    shape = (*((form.steps, form.batch) if time_major else (form.batch, form.steps)), form.inputs)
    operands = [T("float32", shape, value=floats(rng, shape, 1.0)), *gate_operands(p, form), *gate_operands(p, form)]
    operands += states(form) + states(form)
    operands.append(T("float32", shape, value=floats(rng, shape, 1.0)) if aux else None)
    skip = [form.cifg, False, False, False]
    operands += [p.weights((form.cells, form.inputs)) if aux == "plain" and not s else None for s in skip * 2]
    options = opt(
        "BidirectionalSequenceLSTM",
        fusedActivationFunction=4,
        cellClip=form.cell_clip,
        projClip=form.projection_clip,
        mergeOutputs=merge,
        timeMajor=time_major,
        asymmetricQuantizeInputs=asymmetric,
    )
    runs = [[floats(rng, shape, 1.0) for _ in range(2 if aux else 1)] for _ in range(2)]
    outputs = [T("float32") for _ in range(1 if merge else 2)]
    return single_op(
        op, hybrid or "float32", parts, operands, outputs, options, 3 if asymmetric else 2 if hybrid else 1, FLOAT, runs
    )


class IntegerParameters:
    """Constants of a cell with int8 activations and weights and int16 cells (8x8 -> 16)."""

    def __init__(self, rng, form, activation):
        self.rng, self.form = rng, form
        self.input_q, self.output_q = Q(1.0 / 40, 3), Q(1.0 / 120, -4)
        if activation == "int16":
            self.input_q, self.output_q = Q(2.0**-13), Q(2.0**-15)
        self.cell_q = Q(2.0**-11)
        self.hidden_q = Q(1.0 / 100, 6) if form.outputs else self.output_q
        self.norm_q = Q(0.00012)

    def weights(self, shape):
        if len(shape) == 1:  # peephole
            return T("int16", shape, Q(1e-5), const=integers(self.rng, shape, "int16", -32767, 32767))
        return T(
            "int8",
            shape,
            Q(float(np.float32(self.rng.uniform(0.003, 0.009)))),
            const=integers(self.rng, shape, "int8", -127, 127),
        )

    def bias(self, count):
        """Rescaled by `finish`, once the weights of the same gate are known."""
        return T("int32", (count,), Q(1.0), const=self.rng.normal(0, 0.4, count))

    def norm(self, count):
        return T("int16", (count,), self.norm_q, const=integers(self.rng, (count,), "int16", 2000, 9000))

    def finish(self, operands):
        """Gives the biases their scales: the layer norm's, or the product's of the input and the gate's weights."""
        for gate in range(GATES):
            bias = operands[11 + gate]
            if bias is None:
                continue
            scale = (
                self.norm_q.scale * 2.0**-10
                if self.form.layer_norm
                else self.input_q.scale * float(operands[gate].q.scales[0])
            )
            rescale(bias, scale)
        if operands[16] is not None:
            rescale(operands[16], self.hidden_q.scale * float(operands[15].q.scales[0]))


def rescale(bias, scale):
    bias.q = Q(float(np.float32(scale)))
    bias.const = np.round(np.asarray(bias.const) / bias.q.scale).astype(np.int32)


def integer_lstm(op, form, activation="int8", time_major=False):
    """LSTM or UNIDIRECTIONAL_SEQUENCE_LSTM of integer activations, with the five intermediate tensors."""
    parts = (*form.parts, "time" if time_major else "")
    rng = rng_for(op, activation, parts)
    p = IntegerParameters(rng, form, activation)
    sequence = (form.steps, form.batch) if time_major else (form.batch, form.steps)
    shape = (form.batch, form.inputs) if op == "LSTM" else (*sequence, form.inputs)
    middle = gate_operands(p, form)
    p.finish(middle)
    operands = [
        T(activation, shape, p.input_q, value=integers(rng, shape, activation)),
        *middle,
        T(activation, (form.batch, form.width), p.output_q, variable=True),
        T("int16", (form.batch, form.cells), p.cell_q, variable=True),
    ]
    if form.layer_norm:
        operands += [None if form.cifg else p.norm(form.cells)] + [p.norm(form.cells) for _ in range(3)]
    intermediates = [T("int16", (1,), Q(0.0005 + 0.0001 * i)) for i in range(GATES)] + [T(activation, (1,), p.hidden_q)]
    fields = dict(fusedActivationFunction=4, cellClip=form.cell_clip, projClip=form.projection_clip)
    options = (
        opt("LSTM", **fields) if op == "LSTM" else opt("UnidirectionalSequenceLSTM", timeMajor=time_major, **fields)
    )
    runs = [[integers(rng, shape, activation)] for _ in range(3)]
    version = 1 if activation == "int8" else 5
    return single_op(
        op,
        activation,
        parts,
        operands,
        [T(activation, q=p.output_q)],
        options,
        version,
        LSTM_INT8,
        runs,
        intermediates=intermediates,
    )


def basic_lstm(dtype, batch, inputs, cells):
    """The five-operand LSTM kernel: one weight matrix for all gates, the state passed in and out."""
    rng = rng_for("basic_lstm", dtype, batch, inputs, cells)
    parts = ("basic", f"{batch}x{inputs}x{cells}")
    weights_shape = (4 * cells, inputs + cells)
    shapes = [(batch, inputs), (batch, cells), (batch, cells)]
    if dtype == "float32":
        x, h, c = (T("float32", s, value=floats(rng, s, 1.0)) for s in shapes)
        w, b = const(rng.normal(0, 0.4, weights_shape).astype(np.float32)), const(floats(rng, (4 * cells,), 0.4))
        outputs = [T("float32") for _ in range(4)]
    else:
        activation_q, weight_q, state_q = Q(1.0 / 128, 128), Q(0.008, 131), Q(1.0 / 2048)
        x, h = (T("uint8", s, activation_q, value=integers(rng, s, "uint8")) for s in shapes[:2])
        c = T("int16", shapes[2], state_q, value=integers(rng, shapes[2], "int16", -8000, 8000))
        w = T("uint8", weights_shape, weight_q, const=integers(rng, weights_shape, "uint8", 1))
        b = T(
            "int32",
            (4 * cells,),
            Q(float(np.float32(0.008 / 128))),
            const=rng.integers(-9000, 9000, 4 * cells).astype(np.int32),
        )
        outputs = [
            T("uint8", q=activation_q),
            T("int16", q=state_q),
            T("uint8", q=activation_q),
            T("int16", q=Q(1.0 / 4096)),
        ]
    return single_op(
        "LSTM",
        f"basic_{dtype}",
        parts,
        [x, h, w, b, c],
        outputs[:4],
        opt("LSTM", fusedActivationFunction=4, kernelType=1),
        2,
        FLOAT if dtype == "float32" else LSTM_INT8,
    )


HYBRIDS = (("", False), ("hybrid_per_tensor", False), ("hybrid_per_tensor", True))


def cases():
    for op in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
        sequence = op != "LSTM"
        for form in PLAIN + SPECIAL:
            for hybrid, asymmetric in HYBRIDS:
                yield float_lstm(op, form, hybrid, asymmetric)
                if sequence:
                    yield float_lstm(op, form, hybrid, asymmetric, time_major=True)
            yield integer_lstm(op, form)
            if sequence:
                yield integer_lstm(op, form, time_major=True)
        yield integer_lstm(op, PLAIN[1], "int16")
    for form in PLAIN + [f for f in SPECIAL if not f.layer_norm]:
        for hybrid, asymmetric in HYBRIDS:
            yield bidirectional(form, hybrid, asymmetric)
            if form in PLAIN:
                yield bidirectional(form, hybrid, asymmetric, time_major=True)
                yield bidirectional(form, hybrid, asymmetric, time_major=True, merge=True)
                if form.batch == 1:  # LiteRT merges batch-major outputs of several batches over one another
                    yield bidirectional(form, hybrid, asymmetric, merge=True)
                yield bidirectional(form, hybrid, asymmetric, aux="plain")
                yield bidirectional(form, hybrid, asymmetric, aux="linked")
    for dtype in ("float32", "uint8"):
        for sizes in ((1, 2, 1), (1, 8, 8), (2, 16, 16), (3, 24, 8), (1, 5, 3)):
            yield basic_lstm(dtype, *sizes)
