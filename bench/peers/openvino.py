"""OpenVINO on the .tflite itself. Called by run.py as litert.py is; its default precision, or float32 with FEWBITS_PEER_F32=1."""

import os
import sys

sys.path = [*sys.path[1:], sys.path[0]]  # this file must not stand for the package of its name
import adapter  # noqa: E402
import openvino as ov  # noqa: E402


def load(model, threads):
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    if os.environ.get("FEWBITS_PEER_F32"):
        options["INFERENCE_PRECISION_HINT"] = "f32"
    request = ov.Core().compile_model(model, "CPU", options).create_infer_request()

    def feed(arrays):
        for i, array in enumerate(arrays):
            request.get_input_tensor(i).data[:] = array.reshape(request.get_input_tensor(i).data.shape)

    return feed, request.infer, lambda: [tensor.data.copy() for tensor in request.output_tensors]


adapter.main(load)
