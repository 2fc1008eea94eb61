"""Sparse constants in the file format's TACO-like layout, and the operators that read them."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from builder import Q, T, numpy_type, opt
from case import FLOAT, rng_for, single_op
from values import floats, shape_name

DENSE, SPARSE_CSR = 0, 1


def _index_vector(values, width):
    """(union type, table) of an index array of 8, 16 or 32 bits."""
    name = {8: "Uint8Vector", 16: "Uint16Vector", 32: "Int32Vector"}[width]
    table = getattr(schema, name + "T")()
    table.values = np.asarray(values, {8: np.uint8, 16: np.uint16, 32: np.int32}[width])
    return getattr(schema.SparseIndexVector, name), table


def _dense(size):
    level = schema.DimensionMetadataT()
    level.format, level.denseSize = DENSE, size
    return level


def _compressed(segments, indices, width):
    level = schema.DimensionMetadataT()
    level.format = SPARSE_CSR
    level.arraySegmentsType, level.arraySegments = _index_vector(segments, width)
    level.arrayIndicesType, level.arrayIndices = _index_vector(indices, width)
    return level


def compress(matrix, block=None, width=32):
    """(stored values, sparsity) of a matrix: dense rows, compressed columns, and dense blocks of (rows, columns)."""
    matrix = np.asarray(matrix)
    rows, columns = block or (1, 1)
    tiles = matrix.reshape(matrix.shape[0] // rows, rows, matrix.shape[1] // columns, columns).transpose(0, 2, 1, 3)
    kept = tiles.any(axis=(2, 3))
    sparsity = schema.SparsityParametersT()
    segments = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    sparsity.dimMetadata = [_dense(tiles.shape[0]), _compressed(segments, np.nonzero(kept)[1], width)]
    sparsity.traversalOrder = [0, 1]
    if block:  # only dimensions that are split appear in the block map
        split = [d for d, size in enumerate(block) if size > 1]
        sparsity.blockMap = split
        sparsity.traversalOrder += range(2, 2 + len(split))
        sparsity.dimMetadata += [_dense(block[d]) for d in split]
    return tiles[kept].ravel(), sparsity


def random_sparse(rng, shape, block, dtype):
    """A matrix with whole blocks of zeros."""
    rows, columns = block or (1, 1)
    mask = np.kron(rng.random((shape[0] // rows, shape[1] // columns)) < 0.4, np.ones((rows, columns)))
    if dtype == "int8":
        return (rng.integers(1, 127, shape) * np.where(rng.random(shape) < 0.5, -1, 1) * mask).astype(np.int8)
    return ((np.abs(floats(rng, shape)) + 0.1) * mask).astype(numpy_type(dtype))


def sparse_tensor(rng, shape, block, dtype, q=None, width=32):
    stored, sparsity = compress(random_sparse(rng, shape, block, dtype), block, width)
    return T(dtype, shape, q, const=stored, sparsity=sparsity)


def densify_cases():
    for dtype in ("float32", "int8", "float16"):
        for shape, block in (((3, 5), None), ((8, 12), None), ((4, 8), (1, 4)), ((8, 16), (2, 4)), ((8, 4), (4, 1))):
            for width in (8, 16, 32):
                rng = rng_for("densify", dtype, shape, block, width)
                q = Q(0.1) if dtype == "int8" else None
                yield single_op(
                    "DENSIFY",
                    dtype,
                    (shape_name(shape), f"block{shape_name(block)}" if block else "csr", f"i{width}"),
                    [sparse_tensor(rng, shape, block, dtype, q, width)],
                    [T(dtype, q=q)],
                    opt("Densify"),
                )


def sparse_dense_cases():
    """FULLY_CONNECTED with sparse weights."""
    for shape, block in (((6, 10), None), ((8, 16), (1, 4)), ((16, 48), (1, 16)), ((8, 16), None)):
        for batch in (1, 3):
            rng = rng_for("sparse_fc", shape, block, batch)
            x = T("float32", (batch, shape[1]), value=floats(rng, (batch, shape[1]), 1.0))
            bias = T("float32", (shape[0],), const=floats(rng, (shape[0],)))
            name = (shape_name(shape), f"block{shape_name(block)}" if block else "csr", f"batch{batch}")
            yield single_op(
                "FULLY_CONNECTED",
                "sparse_float32",
                name,
                [x, sparse_tensor(rng, shape, block, "float32"), bias],
                [T("float32")],
                opt("FullyConnected"),
                8,
                FLOAT,
            )
            if block != (1, 16):
                continue  # LiteRT has no other sparse hybrid kernel, and answers at random
            w = sparse_tensor(rng, shape, block, "int8", Q(0.02))
            yield single_op(
                "FULLY_CONNECTED", "sparse_hybrid", name, [x, w, bias], [T("float32")], opt("FullyConnected"), 8, FLOAT
            )
