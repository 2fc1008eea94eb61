"""fewbits.lite.Interpreter beside ai_edge_litert's: details, values, and what misuse raises."""

import threading

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as Theirs
from ai_edge_litert.interpreter import OpResolverType as TheirResolver

from conftest import IMAGE, KERAS_QUANTIZED, LANDMARKS
from fewbits.lite import Interpreter as Ours
from fewbits.lite import OpResolverType
from real_models import float_models, integer_models

# The classifier and what quantization makes of it (fixtures), models of PyPI packages, and those of shared/data, if there is one.
MADE = ["classifier", "integer_classifier"]
REAL = {model.name: model.path for model in float_models() + integer_models()}
MODELS = [*MADE, *sorted(REAL)]
# How many steps of their output integers may be from LiteRT's reference kernels: one where a layer may round in another way. With
# a softmax behind 50 layers, one step of a logit is up to ten of a probability.
QUANTIZED_STEPS = {"mobilenet_v1_025_qat_uint8": 16, "mobilenet_v2_int8": 16}
# Integers inside and floats outside: far apart only as a whole. MoveNet and SSD pick the largest of near-equal scores, so that
# one step moves a point or a box: tests/models judges those two on photographs.
HYBRID = ("emotion_model_quantized", "dtln_model_quant_1", "dtln_model_quant_2", "mnist_lstm_int8")
PICKY = ("movenet_int8", "ssd_mobilenet_v1_qat_uint8")


def same(mine, theirs):
    """Equal in value and in type, all the way down."""
    if isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(same(mine[key], theirs[key]) for key in theirs)
    if isinstance(theirs, np.ndarray):
        return isinstance(mine, np.ndarray) and mine.dtype == theirs.dtype and np.array_equal(mine, theirs)
    return type(mine) is type(theirs) and mine == theirs


@pytest.fixture()
def path_of(request):
    """The file of a model of MODELS."""
    return lambda name: request.getfixturevalue(name) if name in MADE else REAL[name]


BY_REFERENCE = {"experimental_op_resolver_type": TheirResolver.BUILTIN_REF}


def both(path, **arguments):
    made = [make(model_path=str(path), **arguments) for make in (Ours, Theirs)]
    return made[0], made[1]


def random_input(detail, seed=0):
    """Waves rather than noise: on noise the answers of deep integer models are noise, too."""
    random = np.random.default_rng(seed)
    count = int(np.prod(detail["shape"]))
    waves = sum(np.sin(np.arange(count) * random.uniform(0.001, 0.1) + random.uniform(0, 6)) for _ in range(4)) / 4
    waves = waves.reshape(detail["shape"])
    if np.issubdtype(detail["dtype"], np.integer):
        limits = np.iinfo(detail["dtype"])
        middle = (int(limits.max) + int(limits.min)) / 2
        return np.round(middle + waves * (limits.max - middle)).astype(detail["dtype"])
    return waves.astype(detail["dtype"])


def raised(action):
    try:
        action()
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("name", MODELS)
def test_details_are_the_same(name, path_of):
    mine, theirs = both(path_of(name))
    ours = mine.get_tensor_details()
    reference = theirs.get_tensor_details()  # before allocate_tensors(), which rewrites scales and adds tensors of LiteRT's own
    assert [detail["index"] for detail in ours] == [detail["index"] for detail in reference]
    for a, b in zip(ours, reference):
        # How a sparse constant is stored is the one thing that fewbits does not tell.
        assert a["sparsity_parameters"] == {}
        assert same(a, {**b, "sparsity_parameters": {}}), (a, b)
    for when in ("before", "after"):
        for ways in ("get_input_details", "get_output_details"):
            a, b = getattr(mine, ways)(), getattr(theirs, ways)()
            assert [x["name"] for x in a] == [x["name"] for x in b]
            assert all(map(same, a, b)), (when, a, b)
        assert mine.get_signature_list() == theirs.get_signature_list()
        assert mine._get_full_signature_list() == theirs._get_full_signature_list()
        for interpreter in (mine, theirs):
            interpreter.allocate_tensors()


def of_integers(path):
    return any(np.issubdtype(detail["dtype"], np.integer) for detail in Ours(str(path)).get_output_details())


@pytest.mark.parametrize("name", MODELS)
def test_values_are_the_same(name, path_of):
    path = path_of(name)
    # LiteRT's two sets of kernels round integers in different ways; ours is that of the reference.
    mine, theirs = Ours(str(path)), Theirs(str(path), **(BY_REFERENCE if of_integers(path) else {}))
    for interpreter in (mine, theirs):
        interpreter.allocate_tensors()
    for seed in range(2):
        for detail in mine.get_input_details():
            array = random_input(detail, seed)
            mine.set_tensor(detail["index"], array)
            theirs.set_tensor(detail["index"], array)
        mine.invoke()
        theirs.invoke()
        for detail in mine.get_output_details():
            a, b = mine.get_tensor(detail["index"]), theirs.get_tensor(detail["index"])
            assert a.dtype == b.dtype and a.shape == b.shape
            if name in PICKY:
                continue
            if np.issubdtype(a.dtype, np.integer):
                assert np.max(np.abs(a.astype(int) - b.astype(int))) <= QUANTIZED_STEPS.get(name, 1) and np.argmax(
                    a
                ) == np.argmax(b)
            elif name in HYBRID:
                assert np.linalg.norm(a - b) <= 0.1 * np.linalg.norm(b)
            else:
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * max(1, float(np.max(np.abs(b)))))


@pytest.mark.parametrize("name", MADE)
def test_constants_and_intermediates_are_the_same(name, path_of):
    mine = Ours(model_path=path_of(name), experimental_preserve_all_tensors=True)
    theirs = Theirs(model_path=path_of(name), experimental_preserve_all_tensors=True, **BY_REFERENCE)
    for interpreter in (mine, theirs):
        interpreter.allocate_tensors()
        detail = interpreter.get_input_details()[0]
        interpreter.set_tensor(detail["index"], random_input(detail))
        interpreter.invoke()
    compared = 0
    for operator in mine._get_ops_details():
        for index in [*operator["inputs"], *operator["outputs"]]:
            a, b = mine.get_tensor(index), theirs.get_tensor(index)
            assert a.dtype == b.dtype and a.shape == b.shape
            if a.dtype == np.int8:
                np.testing.assert_array_equal(a, b, err_msg=f"{operator['op_name']} {index}")
            else:
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
            compared += 1
    assert compared > 30


def test_operators_are_the_same(classifier):
    mine, theirs = both(classifier)
    for interpreter in (mine, theirs):
        interpreter.allocate_tensors()
    ours, reference = mine._get_ops_details(), theirs._get_ops_details()
    for a, b in zip(ours, reference):  # LiteRT's list has its delegate behind them
        assert same({**a, "operand_types": 0, "result_types": 0}, {**b, "operand_types": 0, "result_types": 0})
        assert a["operand_types"] == b["operand_types"] and a["result_types"] == b["result_types"]


def test_resizing_goes_as_there(classifier):
    mine, theirs = both(classifier)
    seen = []
    for interpreter in (mine, theirs):
        index = interpreter.get_input_details()[0]["index"]
        out = interpreter.get_output_details()[0]["index"]
        steps = []

        def note():
            steps.append([interpreter.get_input_details()[0], interpreter.get_output_details()[0]])

        interpreter.allocate_tensors()
        interpreter.resize_tensor_input(index, [2, *IMAGE[1:]])
        note()
        assert isinstance(raised(interpreter.invoke), RuntimeError)
        interpreter.allocate_tensors()
        note()
        batch = np.random.default_rng(0).uniform(-1, 1, [2, *IMAGE[1:]]).astype(np.float32)
        interpreter.set_tensor(index, batch)
        interpreter.invoke()
        steps.append(interpreter.get_tensor(out).shape)
        interpreter.resize_tensor_input(index, np.array(IMAGE))
        interpreter.allocate_tensors()
        note()
        interpreter.set_tensor(index, batch[1:])
        interpreter.invoke()
        note()
        seen.append((steps, interpreter.get_tensor(out)))
    for a, b in zip(seen[0][0], seen[1][0]):
        assert a == b if isinstance(a, tuple) else all(map(same, a, b)), (a, b)
    np.testing.assert_allclose(seen[0][1], seen[1][1], rtol=1e-3, atol=1e-5)


MISUSE = {
    "invoke before allocate": lambda i, x, y: i.invoke(),
    "set before allocate": lambda i, x, y: i.set_tensor(x, np.zeros(IMAGE, np.float32)),
    "get before allocate": lambda i, x, y: i.get_tensor(y),
    "view before allocate": lambda i, x, y: i.tensor(y)(),
    "float64": lambda i, x, y: (i.allocate_tensors(), i.set_tensor(x, np.zeros(IMAGE))),
    "uint8": lambda i, x, y: (i.allocate_tensors(), i.set_tensor(x, np.zeros(IMAGE, np.uint8))),
    "missing batch": lambda i, x, y: (i.allocate_tensors(), i.set_tensor(x, np.zeros(IMAGE[1:], np.float32))),
    "wrong size": lambda i, x, y: (i.allocate_tensors(), i.set_tensor(x, np.zeros([1, 63, 64, 1], np.float32))),
    "a list": lambda i, x, y: (i.allocate_tensors(), i.set_tensor(x, [[1.0]])),
    "index too large": lambda i, x, y: (i.allocate_tensors(), i.set_tensor(999, np.zeros([1], np.float32))),
    "negative index": lambda i, x, y: (i.allocate_tensors(), i.set_tensor(-1, np.zeros([1], np.float32))),
    "index is text": lambda i, x, y: (i.allocate_tensors(), i.set_tensor("input", np.zeros([1], np.float32))),
    "get index too large": lambda i, x, y: (i.allocate_tensors(), i.get_tensor(999)),
    "view index too large": lambda i, x, y: (i.allocate_tensors(), i.tensor(999)()),
    "resize index": lambda i, x, y: i.resize_tensor_input(999, [1]),
    "strict resize": lambda i, x, y: i.resize_tensor_input(x, [1, 16, 16, 1], strict=True),
    "impossible resize": lambda i, x, y: (i.resize_tensor_input(x, [7]), i.allocate_tensors()),
    "negative size": lambda i, x, y: i.resize_tensor_input(x, [-2, 64, 64, 1]),
    "signature that is not there": lambda i, x, y: i.get_signature_runner("nope"),
    "subgraph": lambda i, x, y: i.get_tensor_details(5),
}


@pytest.mark.parametrize("what", MISUSE)
def test_misuse_raises_what_it_raises_there(what, classifier):
    kinds = []
    for make in (Ours, Theirs):
        interpreter = make(model_path=classifier)
        x, y = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        error = raised(lambda: MISUSE[what](interpreter, x, y))
        assert error is not None and str(error)
        kinds.append(next(k for k in (ValueError, TypeError, RuntimeError) if isinstance(error, k)))
        if make is Ours:  # it survives
            interpreter.resize_tensor_input(x, IMAGE)
            interpreter.allocate_tensors()
            interpreter.invoke()
    assert kinds[0] is kinds[1]


def test_a_model_without_signatures_says_so():
    for make in (Ours, Theirs):
        with pytest.raises(ValueError, match="(?i)signature"):
            make(model_path=KERAS_QUANTIZED).get_signature_runner()


CONSTRUCTORS = {
    "no file": {"model_path": "/nope.tflite"},
    "both": {"model_path": "x", "model_content": b"x"},
    "neither": {},
    "garbage": {"model_content": b"x" * 100},
    "empty": {"model_content": b""},
    "no threads": {"model_content": b"x", "num_threads": 0},
    "threads as text": {"model_content": b"x", "num_threads": "2"},
    "resolver": {"model_content": b"x", "experimental_op_resolver_type": 7},
}


@pytest.mark.parametrize("what", CONSTRUCTORS)
def test_bad_constructors_raise_value_errors(what):
    for make in (Ours, Theirs):
        with pytest.raises(ValueError):
            make(**CONSTRUCTORS[what])


def test_every_resolver_is_taken(classifier):
    for resolver in OpResolverType:
        Ours(classifier, experimental_op_resolver_type=resolver).allocate_tensors()


def test_views_reach_the_memory_and_guard_it(classifier):
    seen = []
    for make in (Ours, Theirs):
        interpreter = make(model_path=classifier, num_threads=2)
        interpreter.allocate_tensors()
        x, y = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        enter, leave = interpreter.tensor(x), interpreter.tensor(y)
        enter()[:] = np.random.default_rng(1).uniform(0, 255, IMAGE)
        interpreter.invoke()
        seen.append(leave().copy())
        held = enter()
        for action in (interpreter.invoke, interpreter.allocate_tensors, lambda: interpreter.resize_tensor_input(x, IMAGE)):
            with pytest.raises(RuntimeError, match="internal data"):
                action()
        part = held[0]
        del held
        with pytest.raises(RuntimeError):
            interpreter.invoke()
        del part
        interpreter.invoke()
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-4, atol=1e-6)


def test_a_view_outlives_its_interpreter(classifier):
    interpreter = Ours(classifier)
    interpreter.allocate_tensors()
    view = interpreter.tensor(interpreter.get_input_details()[0]["index"])()
    view[:] = 3
    del interpreter
    assert view.sum() == 3 * view.size


def test_constants_cannot_be_written(classifier):
    interpreter = Ours(classifier)
    interpreter.allocate_tensors()
    weights = next(d for d in interpreter.get_tensor_details() if interpreter._about[0].tensors[d["index"]].constant)
    view = interpreter.tensor(weights["index"])()
    with pytest.raises(ValueError):
        view[...] = 0


def test_intermediates_need_to_be_kept(classifier):
    interpreter = Ours(classifier)
    interpreter.allocate_tensors()
    interpreter.invoke()
    first = interpreter._get_ops_details()[0]["outputs"][0]
    with pytest.raises(ValueError, match="experimental_preserve_all_tensors"):
        interpreter.get_tensor(first)


def test_signatures_run(classifier):
    results = []
    for make in (Ours, Theirs):
        interpreter = make(model_path=classifier)
        runner = interpreter.get_signature_runner()
        details = runner.get_input_details()
        array = random_input(details["input_1"])
        results.append((details, runner.get_output_details(), runner(input_1=array)))
        for arguments, kind in (({}, ValueError), ({"other": array}, ValueError), ({"input_1": [1.0]}, AttributeError)):
            with pytest.raises(kind):
                runner(**arguments)
    assert same(results[0][0], results[1][0]) and same(results[0][1], results[1][1])
    assert results[0][2].keys() == results[1][2].keys()
    np.testing.assert_allclose(results[0][2]["predictions"], results[1][2]["predictions"], rtol=1e-3, atol=1e-5)


def test_threads_meet_an_exception_and_nothing_breaks():
    interpreter = Ours(LANDMARKS)  # long enough to be met
    interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]["index"]
    interpreter.invoke()
    expected = interpreter.get_tensor(output)
    errors, start = [], threading.Barrier(3)

    def work():
        start.wait()
        for _ in range(20):
            error = raised(interpreter.invoke)
            if error is not None:
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors and all(isinstance(error, RuntimeError) and "thread" in str(error) for error in errors)
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.get_tensor(output), expected)


def test_interpreters_run_side_by_side_in_threads(classifier):
    content = open(classifier, "rb").read()
    array = np.random.default_rng(3).uniform(0, 255, IMAGE).astype(np.float32)
    results = [None] * 4

    def work(place):
        interpreter = Ours(model_content=content)
        interpreter.allocate_tensors()
        for _ in range(50):
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], array)
            interpreter.invoke()
        results[place] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, results[0]) for result in results)


def test_profile_tells_the_operators(classifier):
    interpreter = Ours(classifier)
    interpreter.allocate_tensors()
    interpreter.set_profiling(True)
    interpreter.invoke()
    times = interpreter.profile()
    assert {time.type for time in times} >= {"CONV_2D", "DEPTHWISE_CONV_2D"} and all(time.nanoseconds > 0 for time in times)
