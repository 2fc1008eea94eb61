"""RNN, UNIDIRECTIONAL_SEQUENCE_RNN, BIDIRECTIONAL_SEQUENCE_RNN: float and hybrid, over several runs."""

import numpy as np

from builder import Q, T, const, opt
from case import FLOAT, rng_for, single_op
from values import ACTIVATIONS, floats, integers

FORMS = [(1, 1, 1, 1), (2, 3, 4, 3), (3, 17, 9, 5), (1, 32, 16, 7)]  # batch, inputs, units, steps


def weights(rng, shape, hybrid):
    if not hybrid:
        return const(rng.normal(0, 0.4, shape).astype(np.float32))
    return T("int8", shape, Q(float(rng.uniform(0.003, 0.009))), const=integers(rng, shape, "int8", -127, 127))


def cell(rng, batch, inputs, units, hybrid):
    """Weights, recurrent weights, bias and hidden state of one direction."""
    return [
        weights(rng, (units, inputs), hybrid),
        weights(rng, (units, units), hybrid),
        const(floats(rng, (units,), 0.5)),
        T("float32", (batch, units), variable=True),
    ]


def recurrent(op, form, activation, hybrid="", asymmetric=False, time_major=False, merge=False, aux=""):
    """One case; `aux` is how a second input sequence is attached to the bidirectional cell ("linked" or "plain")."""
    batch, inputs, units, steps = form
    parts = (
        "x".join(map(str, form)),
        activation,
        "asym" if asymmetric else "",
        "time" if time_major else "",
        "merge" if merge else "",
        aux,
    )
    rng = rng_for(op, hybrid, parts)
    sequence = (steps, batch) if time_major else (batch, steps)
    shape = (batch, inputs) if op == "RNN" else (*sequence, inputs)
    names = {
        "RNN": "RNN",
        "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNN",
        "BIDIRECTIONAL_SEQUENCE_RNN": "BidirectionalSequenceRNN",
    }
    fields = dict(fusedActivationFunction=ACTIVATIONS[activation], asymmetricQuantizeInputs=asymmetric)
    if op != "RNN":
        fields["timeMajor"] = time_major
    operands = [T("float32", shape, value=floats(rng, shape, 1.0))] + cell(rng, batch, inputs, units, hybrid)
    outputs = [T("float32")]
    if op == "BIDIRECTIONAL_SEQUENCE_RNN":
        fields["mergeOutputs"] = merge
        operands += cell(rng, batch, inputs, units, hybrid)
        operands.append(T("float32", shape, value=floats(rng, shape, 1.0)) if aux else None)
        operands += [weights(rng, (units, inputs), hybrid) if aux == "plain" else None for _ in range(2)]
        outputs *= 1 if merge else 2
    fed = 2 if aux else 1
    runs = [[floats(rng, shape, 1.0) for _ in range(fed)] for _ in range(3)]
    version = 3 if asymmetric else 2 if hybrid else 1
    return single_op(
        op,
        hybrid or "float32",
        parts,
        operands,
        list(map(copy_of, outputs)),
        opt(names[op], **fields),
        version,
        FLOAT,
        runs,
    )


def copy_of(spec):
    return T(spec.type)


def cases():
    for op in ("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN"):
        for form in FORMS:
            for activation in ("tanh", "relu") if form != FORMS[1] else ("none", "tanh", "relu", "relu6"):
                for hybrid, asymmetric in (("", False), ("hybrid_per_tensor", False), ("hybrid_per_tensor", True)):
                    yield recurrent(op, form, activation, hybrid, asymmetric)
                    if op != "RNN" and activation == "tanh":
                        yield recurrent(op, form, activation, hybrid, asymmetric, time_major=True)
                    if op.startswith("BI") and activation == "tanh":
                        yield recurrent(op, form, activation, hybrid, asymmetric, merge=True)
                        yield recurrent(op, form, activation, hybrid, asymmetric, aux="linked")
                        yield recurrent(op, form, activation, hybrid, asymmetric, aux="plain")
