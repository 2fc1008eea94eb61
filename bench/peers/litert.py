"""LiteRT with XNNPACK, its default. Called by run.py: litert.py MODEL THREADS INPUTS.npz OUTPUTS.npz RUNS WARMUP."""

import adapter
from ai_edge_litert.interpreter import Interpreter


def load(model, threads):
    interpreter = Interpreter(model, num_threads=threads)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def feed(arrays):
        for detail, array in zip(inputs, arrays):
            interpreter.set_tensor(detail["index"], array.reshape(detail["shape"]))

    return feed, interpreter.invoke, lambda: [interpreter.get_tensor(detail["index"]) for detail in outputs]


adapter.main(load)
