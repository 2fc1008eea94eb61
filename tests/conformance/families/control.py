"""Control flow and state: IF, WHILE, CALL_ONCE, variables, hash tables, STABLEHLO_COMPOSITE."""

import numpy as np
from flatbuffers import flexbuffers

from builder import Model, T, const, opt, value
from case import EXACT, FLOAT, Case, case_name, rng_for
from values import floats, integers, random_q


def branch(model, op, options, types, constants, q=None):
    """Index of a new subgraph of one operator, whose operands are graph inputs of `types`, then constants."""
    graph = model.graph(f"{op.lower()}{len(model.graphs)}")
    inputs = [graph.input(T(t, shape, q)) for t, shape in types]
    outputs = graph.op(op, inputs + list(constants), [T(types[0][0], types[0][1], q)], options, 2 if q else 1)
    graph.outputs(outputs)
    return len(model.graphs) - 1


def conditional(dtype, taken, shape=(2, 3)):
    """IF: adds or multiplies."""
    rng = rng_for("if", dtype, taken, shape)
    model = Model()
    q = random_q(rng, dtype) if dtype == "int8" else None
    x = integers(rng, shape, "int8") if q else floats(rng, shape).astype(dtype)
    y = integers(rng, shape, "int8") if q else floats(rng, shape).astype(dtype)
    spec = [(dtype, shape)] * 2
    then = branch(model, "ADD", opt("Add"), spec, [], q)
    other = branch(model, "MUL", opt("Mul"), spec, [], q)
    outputs = model.main.op(
        "IF",
        [value(np.asarray([taken])), value(x, q=q), value(y, q=q)],
        [T(dtype, shape, q)],
        opt("If", thenSubgraphIndex=then, elseSubgraphIndex=other),
    )
    model.main.outputs(outputs)
    name = case_name("IF", dtype, "then" if taken else "else", len(shape))
    return Case(name, "IF", dtype, model, [[np.asarray([taken]), x, y]], EXACT if dtype != "float32" else FLOAT)


def growing_conditional(taken):
    """IF whose branches give outputs of different shapes."""
    model = Model()
    rng = rng_for("if", "shapes", taken)
    x = floats(rng, (2, 3))
    indices = []
    for pads in (((0, 1), (0, 0)), ((1, 1), (2, 0))):
        indices.append(branch(model, "PAD", opt("Pad"), [("float32", (2, 3))], [const(np.asarray(pads, np.int32))]))
        model.graphs[-1].table.tensors[model.graphs[-1].table.outputs[0]].shape = list(
            np.add((2, 3), np.sum(pads, axis=1))
        )
    model.main.outputs(
        model.main.op(
            "IF",
            [value(np.asarray([taken])), value(x)],
            [T("float32")],
            opt("If", thenSubgraphIndex=indices[0], elseSubgraphIndex=indices[1]),
        )
    )
    return Case(
        case_name("IF", "float32", "shapes", taken),
        "IF",
        "float32",
        model,
        [[np.asarray([taken]), x]],
        FLOAT,
        dynamic=True,
    )


def loop(dtype, rounds, shape=(2, 2)):
    """WHILE: counts up to `rounds` and adds the counter to (or doubles) the carried tensor."""
    model = Model()
    rng = rng_for("while", dtype, rounds, shape)
    x = floats(rng, shape).astype(dtype) if dtype != "int32" else rng.integers(-5, 5, shape).astype(dtype)
    condition, body = model.graph("condition"), model.graph("body")
    counter = condition.input(T("int32", (1,)))
    condition.input(T(dtype, shape))
    limit = condition.input(T("int32", (1,)))
    condition.outputs(condition.op("LESS", [counter, limit], [T("bool", (1,))]))
    counter = body.input(T("int32", (1,)))
    carried = body.input(T(dtype, shape))
    limit = body.input(T("int32", (1,)))
    (following,) = body.op("ADD", [counter, const(np.asarray([1], np.int32))], [T("int32", (1,))], opt("Add"))
    (sum_,) = body.op("ADD", [carried, carried], [T(dtype, shape)], opt("Add"))
    body.outputs([following, sum_, limit])
    feeds = [np.asarray([0], np.int32), x, np.asarray([rounds], np.int32)]
    outputs = model.main.op(
        "WHILE",
        [value(f) for f in feeds],
        [T("int32", (1,)), T(dtype, shape), T("int32", (1,))],
        opt("While", condSubgraphIndex=1, bodySubgraphIndex=2),
    )
    model.main.outputs(outputs)
    return Case(
        case_name("WHILE", dtype, f"n{rounds}"), "WHILE", dtype, model, [feeds], FLOAT if dtype == "float32" else EXACT
    )


def growing_loop(rounds):
    """WHILE whose carried tensor grows by one element a round."""
    model = Model()
    condition, body = model.graph("condition"), model.graph("body")
    counter = condition.input(T("int32", (1,)))
    condition.input(T("float32", (1,), signature=(-1,)))
    condition.outputs(condition.op("LESS", [counter, const(np.asarray([rounds], np.int32))], [T("bool", (1,))]))
    counter = body.input(T("int32", (1,)))
    carried = body.input(T("float32", (1,), signature=(-1,)))
    (following,) = body.op("ADD", [counter, const(np.asarray([1], np.int32))], [T("int32", (1,))], opt("Add"))
    (longer,) = body.op(
        "PAD", [carried, const(np.asarray([[0, 1]], np.int32))], [T("float32", (1,), signature=(-1,))], opt("Pad")
    )
    body.outputs([following, longer])
    feeds = [np.asarray([0], np.int32), np.asarray([2.5], np.float32)]
    model.main.outputs(
        model.main.op(
            "WHILE",
            [value(f) for f in feeds],
            [T("int32", (1,)), T("float32", (1,), signature=(-1,))],
            opt("While", condSubgraphIndex=1, bodySubgraphIndex=2),
        )
    )
    return Case(
        case_name("WHILE", "float32", "grow", f"n{rounds}"), "WHILE", "float32", model, [feeds], FLOAT, dynamic=True
    )


def handle(graph, name="counter"):
    return graph.op("VAR_HANDLE", [], [T("resource", ())], opt("VarHandle", container="", sharedName=name))[0]


def accumulator(op, dtype, initialised):
    """A variable that adds up what it is fed; the result of each run depends on the runs before it."""
    model = Model()
    rng = rng_for("variable", op, dtype, initialised)
    shape = (2, 3)

    def sample():
        return floats(rng, shape) if dtype == "float32" else rng.integers(-9, 9, shape).astype(dtype)

    if initialised:
        start = model.graph("initialise")
        start.op("ASSIGN_VARIABLE", [handle(start), const(sample())], [], opt("AssignVariable"))
        model.main.op("CALL_ONCE", [], [], opt("CallOnce", initSubgraphIndex=1))
    variable = handle(model.main)
    fed = sample()
    x = model.main.input(value(fed))
    if not initialised:
        model.main.op("ASSIGN_VARIABLE", [variable, x], [], opt("AssignVariable"))
    (before,) = model.main.op("READ_VARIABLE", [variable], [T(dtype, shape)], opt("ReadVariable"))
    (after,) = model.main.op("ADD", [before, x], [T(dtype, shape)], opt("Add"), 4 if dtype == "int64" else 1)
    model.main.op("ASSIGN_VARIABLE", [variable, after], [], opt("AssignVariable"))
    (final,) = model.main.op("READ_VARIABLE", [variable], [T(dtype, shape)], opt("ReadVariable"))
    model.main.outputs([after, final])
    runs = [[sample()] for _ in range(3)]
    return Case(
        case_name(op, dtype, "initialised" if initialised else "assigned"),
        op,
        dtype,
        model,
        runs,
        FLOAT if dtype == "float32" else EXACT,
    )


def hash_table(op, missing):
    """A table from words to numbers, filled once; words that it lacks give the default, which is an input."""
    model = Model()

    def table(graph):
        return graph.op("HASHTABLE", [], [T("resource", ())], opt("Hashtable", tableId=7, keyDtype=5, valueDtype=4))[0]

    fill = model.graph("fill")
    keys, numbers = ["one", "two", "three", "forty-two"], np.asarray([1, 2, 3, 42], np.int64)
    fill.op(
        "HASHTABLE_IMPORT", [table(fill), T("string", (4,), const=keys), const(numbers)], [], opt("HashtableImport")
    )
    model.main.op("CALL_ONCE", [], [], opt("CallOnce", initSubgraphIndex=1))
    resource = table(model.main)
    default = np.asarray([missing], np.int64)
    words = T("string", (5,), const=["two", "none", "forty-two", "one", ""])
    found = model.main.op("HASHTABLE_FIND", [resource, words, value(default)], [T("int64", (5,))], opt("HashtableFind"))
    size = model.main.op("HASHTABLE_SIZE", [resource], [T("int64", (1,))], opt("HashtableSize"))
    model.main.outputs([*found, *size])
    return Case(case_name(op, "int64"), op, "int64", model, [[default]], EXACT)


def composite():
    """STABLEHLO_COMPOSITE runs its decomposition."""
    model = Model()
    rng = rng_for("composite")
    x, y = floats(rng, (3, 4)), floats(rng, (3, 4))
    body = branch(model, "MUL", opt("Mul"), [("float32", (3, 4))] * 2, [])
    model.main.outputs(
        model.main.op(
            "STABLEHLO_COMPOSITE",
            [value(x), value(y)],
            [T("float32", (3, 4))],
            opt(
                "StableHLOComposite",
                name="fewbits.product",
                decompositionSubgraphIndex=body,
                version=1,
                compositeAttributes=np.frombuffer(flexbuffers.Dumps({}), np.uint8),
            ),
        )
    )
    return Case(case_name("STABLEHLO_COMPOSITE", "float32"), "STABLEHLO_COMPOSITE", "float32", model, [[x, y]], FLOAT)


def cases():
    for dtype in ("float32", "int32", "int8"):
        for taken in (False, True):
            yield conditional(dtype, taken)
            yield conditional(dtype, taken, (4,))
    for taken in (False, True):
        yield growing_conditional(taken)
    for dtype in ("float32", "int32"):
        for rounds in (0, 1, 5, 20):
            yield loop(dtype, rounds)
    for rounds in (0, 4):
        yield growing_loop(rounds)
    for op in ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"):
        for dtype in ("float32", "int32", "int64"):
            yield accumulator(op, dtype, False)
    for dtype in ("float32", "int32", "int64"):
        yield accumulator("CALL_ONCE", dtype, True)
    for i, op in enumerate(("HASHTABLE", "HASHTABLE_IMPORT", "HASHTABLE_FIND", "HASHTABLE_SIZE")):
        yield hash_table(op, -i - 1)
    yield composite()
