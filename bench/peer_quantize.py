"""LiteRT Quantizer on a float .tflite, with the samples that fewbits calibrates on.

    peer_quantize.py weights|int8|int8-minmax IN.tflite OUT.tflite SAMPLES.npz      (one array, samples first; unused for weights)

int8 is its default (a moving average of the ranges), int8-minmax the better of its observers on the benchmark networks.
"""

import pathlib
import sys
import tempfile

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from litert_quantizer import calibrator, quantizer, recipe
from litert_quantizer.utils import qsv_utils, tfl_flatbuffer_utils

import flatbuffers


def with_signature(source, folder):
    """Its calibration runs signatures only, and it reads operator codes of newer files only: an older model gets both."""
    if Interpreter(source).get_signature_list():
        return source
    model = tfl_flatbuffer_utils.read_model(source)
    for code in model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    signature = schema.SignatureDefT()
    signature.signatureKey = b"serving_default"
    signature.subgraphIndex = 0
    graph = model.subgraphs[0]
    for kind in ("inputs", "outputs"):
        maps = []
        for index in getattr(graph, kind):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = graph.tensors[index].name, index
            maps.append(entry)
        setattr(signature, kind, maps)
    model.signatureDefs = [signature]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    target = pathlib.Path(folder) / "signed.tflite"
    target.write_bytes(builder.Output())
    return str(target)


def main():
    kind, source, target, samples = sys.argv[1:5]
    with tempfile.TemporaryDirectory() as folder:
        source = with_signature(source, folder)
        made = quantizer.Quantizer(source)
        if kind == "weights":
            made.load_quantization_recipe(recipe.dynamic_wi8_afp32())
            made.quantize().export_model(target, overwrite=True)
            return
        made.load_quantization_recipe(recipe.static_wi8_ai8())
        key, signature = next(iter(Interpreter(source).get_signature_list().items()))
        with np.load(samples) as arrays:
            array = arrays[arrays.files[0]]
        data = {key: [{signature["inputs"][0]: sample[None]} for sample in array]}
        if kind == "int8":
            ranges = made.calibrate(data)
        else:
            with_minmax = calibrator.Calibrator(source, qsv_update_func=qsv_utils.min_max_update)
            with_minmax.calibrate(data, made._recipe_manager)
            ranges = with_minmax.get_model_qsvs()
        made.quantize(ranges).export_model(target, overwrite=True)


if __name__ == "__main__":
    main()
