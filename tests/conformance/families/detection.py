"""Boxes: NON_MAX_SUPPRESSION_V4 and V5, and the custom operator TFLite_Detection_PostProcess."""

import numpy as np
from flatbuffers import flexbuffers

from builder import Q, T, const, value
from case import FLOAT, rng_for, single_op
from values import integers


def boxes(rng, count):
    """Corners in either order, many of them overlapping."""
    centers, sizes = rng.uniform(0, 4, (count, 2)), rng.uniform(0.5, 2, (count, 2))
    corners = np.concatenate([centers - sizes / 2, centers + sizes / 2], axis=1)
    flipped = corners[:, [2, 3, 0, 1]]
    return np.where(rng.random((count, 1)) < 0.2, flipped, corners).astype(np.float32)


def suppression(op, count, most, overlap, least, sigma=None, live=False):
    """One case; the number of boxes kept is an output."""
    parts = (
        f"n{count}",
        f"max{most}",
        f"iou{overlap:g}",
        f"score{least:g}",
        "" if sigma is None else f"sigma{sigma:g}",
        "live" if live else "",
    )
    rng = rng_for(op, parts)
    scores = rng.permutation(np.linspace(0.01, 0.99, count)).astype(np.float32)  # distinct: ties have no order
    limits = [np.int32(most), np.float32(overlap), np.float32(least)] + ([] if sigma is None else [np.float32(sigma)])
    outputs = [T("int32"), T("int32")] if sigma is None else [T("int32"), T("float32"), T("int32")]
    return single_op(
        op,
        "float32",
        parts,
        [value(boxes(rng, count)), value(scores), *[(value if live else const)(v) for v in limits]],
        outputs,
        None,
        1,
        FLOAT if sigma is not None else None,
        dynamic=live,
    )


def post_process(count, classes, regular, dtype="float32", most=6, per_detection=1):
    """Decoding of box offsets against anchors, then suppression, per class or over the best class."""
    op = "TFLite_Detection_PostProcess"
    parts = (f"n{count}", f"c{classes}", "regular" if regular else "fast", f"max{most}", f"per{per_detection}")
    rng = rng_for(op, dtype, parts)
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("max_detections"), builder.Int(most)
        builder.Key("max_classes_per_detection"), builder.Int(per_detection)
        builder.Key("detections_per_class"), builder.Int(most)
        builder.Key("use_regular_nms"), builder.Bool(regular)
        builder.Key("nms_score_threshold"), builder.Float(0.15)
        builder.Key("nms_iou_threshold"), builder.Float(0.5)
        builder.Key("num_classes"), builder.Int(classes)
        for name, scale in (("y_scale", 10.0), ("x_scale", 10.0), ("h_scale", 5.0), ("w_scale", 5.0)):
            builder.Key(name), builder.Float(scale)
    anchors = np.concatenate([rng.uniform(0.1, 0.9, (count, 2)), rng.uniform(0.1, 0.4, (count, 2))], axis=1).astype(
        np.float32
    )
    shapes = (1, count, 4), (1, count, classes + 1)
    if dtype == "float32":
        scores = rng.permutation(np.linspace(0.0, 1.0, count * (classes + 1))).reshape(shapes[1])
        operands = [
            value(rng.normal(0, 2, shapes[0]).astype(np.float32)),
            value(scores.astype(np.float32)),
            const(anchors),
        ]
    else:
        low = -128 if dtype == "int8" else 0
        scores = (rng.permutation(256)[: count * (classes + 1)] + low).reshape(shapes[1]).astype(dtype)
        operands = [
            T(dtype, shapes[0], Q(0.05, low + 128), value=integers(rng, shapes[0], dtype)),
            T(dtype, shapes[1], Q(1 / 256, low), value=scores),
            # LiteRT reads float anchors beside uint8 boxes as if they were uint8 too, so these are.
            const(np.round(anchors * 256).astype(np.uint8), q=Q(1 / 256)) if dtype == "uint8" else const(anchors),
        ]
    return single_op(
        op, dtype, parts, operands, [T("float32") for _ in range(4)], None, 1, FLOAT, custom=bytes(builder.Finish())
    )


def cases():
    for count in (1, 6, 30):
        for most in (1, 5, 40):
            for overlap, least in ((0.5, 0.0), (0.3, 0.4), (0.9, 0.1)):
                yield suppression("NON_MAX_SUPPRESSION_V4", count, most, overlap, least)
                for sigma in (0.0, 0.5):
                    yield suppression("NON_MAX_SUPPRESSION_V5", count, most, overlap, least, sigma)
    yield suppression("NON_MAX_SUPPRESSION_V4", 9, 4, 0.5, 0.1, live=True)
    yield suppression("NON_MAX_SUPPRESSION_V5", 9, 4, 0.5, 0.1, 0.3, live=True)
    for count, classes in ((6, 1), (20, 3), (40, 2)):
        for regular in (False, True):
            for dtype in ("float32", "uint8", "int8"):
                yield post_process(count, classes, regular, dtype)
    yield post_process(20, 5, False, per_detection=2)
    yield post_process(20, 5, True, most=3)
