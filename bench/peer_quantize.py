"""LiteRT Quantizer on a float .tflite, with the samples that fewbits calibrates on.

    peer_quantize.py weights|int8 IN.tflite OUT.tflite SAMPLES.npz      (one array, samples first; unused for weights)
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from litert_quantizer import quantizer, recipe


def main():
    kind, source, target, samples = sys.argv[1:5]
    made = quantizer.Quantizer(source)
    if kind == "weights":
        made.load_quantization_recipe(recipe.dynamic_wi8_afp32())
        made.quantize().export_model(target, overwrite=True)
        return
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    interpreter = Interpreter(source)
    signatures = interpreter.get_signature_list()
    key = next(iter(signatures)) if signatures else "main"
    name = signatures[key]["inputs"][0] if signatures else interpreter.get_input_details()[0]["name"]
    with np.load(samples) as arrays:
        array = arrays[arrays.files[0]]
    result = made.calibrate({key: [{name: sample[None]} for sample in array]})
    made.quantize(result).export_model(target, overwrite=True)


if __name__ == "__main__":
    main()
