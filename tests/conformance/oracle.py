"""Runs models with LiteRT's reference kernels in child processes, because some malformed models crash it.

Every model runs in two processes whose fresh memory is filled with different bytes: an output that a kernel did not
write, or that it computed from memory nobody wrote, differs between them and is refused.
"""

import ctypes
import multiprocessing
import os

import numpy as np

REFERENCE, BUILTIN = "reference", "builtin"
M_PERTURB = -6  # glibc's mallopt: fill what malloc returns
FILL = (0x00, 0x55)


class Rejected(Exception):
    """The oracle cannot prepare or run a model; the text is its reason."""


def _read(interpreter, detail):
    if 0 in detail["shape"]:  # get_tensor refuses an empty tensor
        return np.zeros(detail["shape"], detail["dtype"])
    return interpreter.get_tensor(detail["index"])


def _write(interpreter, index, array):
    if array.size:
        interpreter.set_tensor(index, array)


def _run(interpreter_module, model, runs, resize, kernels):
    resolvers = interpreter_module.OpResolverType
    resolver = resolvers.BUILTIN_REF if kernels == REFERENCE else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = interpreter_module.Interpreter(
        model_content=model, num_threads=1, experimental_op_resolver_type=resolver
    )
    inputs = [d["index"] for d in interpreter.get_input_details()]
    for position, shape in resize.items():
        interpreter.resize_tensor_input(inputs[position], shape)
    interpreter.allocate_tensors()
    results = []
    for run in runs:
        for index, array in zip(inputs, run, strict=True):
            _write(interpreter, index, array)
        interpreter.invoke()
        results.append([_read(interpreter, d) for d in interpreter.get_output_details()])
    return results


def _serve(connection, fill):
    from ai_edge_litert import interpreter as interpreter_module

    ctypes.CDLL(None).mallopt(M_PERTURB, fill)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    while True:
        request = connection.recv()
        try:
            connection.send(("ok", _run(interpreter_module, *request)))
        except Exception as error:  # pylint: disable=broad-except
            connection.send(("rejected", str(error)))


class Worker:
    """One child process; it is restarted when a model kills it."""

    def __init__(self, fill, timeout_s=20):
        self._fill = fill
        self._timeout_s = timeout_s
        self._start()

    def _start(self):
        context = multiprocessing.get_context("fork")
        self._connection, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(child, self._fill), daemon=True)
        self._process.start()
        child.close()

    def stop(self):
        self._process.kill()
        self._process.join()
        self._connection.close()

    def run(self, model, runs, resize, kernels):
        """Outputs per run, or Rejected."""
        try:
            self._connection.send((model, runs, resize, kernels))
            if not self._connection.poll(self._timeout_s):
                raise TimeoutError
            status, result = self._connection.recv()
        except (EOFError, ConnectionError, TimeoutError) as error:
            self.stop()
            self._start()
            what = "did not finish" if isinstance(error, TimeoutError) else "crashed"
            raise Rejected(f"LiteRT {what}") from None
        if status != "ok":
            raise Rejected(" ".join(result.split("Node number")[0].split()) or result)
        return result


def same(first, second):
    """Whether two results are equal bit by bit."""
    return all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for run_a, run_b in zip(first, second, strict=True)
        for a, b in zip(run_a, run_b, strict=True)
    )


class Oracle:
    """LiteRT's answers; a context manager around the processes."""

    def __enter__(self):
        self._workers = [Worker(fill) for fill in FILL]
        return self

    def __exit__(self, *unused):
        for worker in self._workers:
            worker.stop()

    def restart(self):
        self.__exit__()
        self.__enter__()

    def first(self, model, runs, resize, optimized=False):
        """(outputs per run, kernels): the reference kernels, or where they lack the operator the optimized ones."""
        if optimized:
            return self._workers[0].run(model, runs, resize, BUILTIN), BUILTIN
        try:
            return self._workers[0].run(model, runs, resize, REFERENCE), REFERENCE
        except Rejected as reason:
            if "Didn't find op" not in str(reason):
                raise
        return self._workers[0].run(model, runs, resize, BUILTIN), BUILTIN

    def confirm(self, model, runs, resize, kernels, expected):
        """Runs again over differently filled memory and returns the outputs; Rejected if they differ."""
        again = self._workers[1].run(model, runs, resize, kernels)
        if not same(expected, again):
            self.restart()  # what strays when it reads may also write
            raise Rejected("LiteRT's answer depends on uninitialised memory")
        return again
