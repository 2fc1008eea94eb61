// Operators that take rows by index, put rows by index, or look for elements: GATHER, GATHER_ND, EMBEDDING_LOOKUP,
// EMBEDDING_LOOKUP_SPARSE, HASHTABLE_LOOKUP, SCATTER_ND, SPARSE_TO_DENSE, SEGMENT_SUM, UNSORTED_SEGMENT_*, WHERE,
// UNIQUE, BUCKETIZE.
//
// Gathers move elements of any type with a size; scatters and segments that add up take float32, int32 and what the
// table in prepare names. Integer sums and products wrap. EMBEDDING_LOOKUP with a float result dequantizes a symmetric
// int8, int4 or int2 table as it reads, with one scale or one for each row.
// A row of an int4 or int2 table may begin inside a byte; LiteRT reads such rows from the first element of that byte.
//
// Indices: constant ones that lead outside are an error when the plan is made. At run time, where LiteRT ends the run
// with an error, a gather gives zero bytes for such an index and a scatter or a segment leaves it out. Negative indices
// lead outside. WHERE, UNIQUE, SEGMENT_SUM: the size of the result depends on values, so it is dynamic unless these are
// constants.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> gather_ops() noexcept;

// gather.cc
Status infer_gather(OpContext& context);
Result<Prepared> prepare_gather(const OpContext& context);
Status infer_gather_nd(OpContext& context);
Result<Prepared> prepare_gather_nd(const OpContext& context);

// lookup.cc
Status infer_embedding_lookup(OpContext& context);
Result<Prepared> prepare_embedding_lookup(const OpContext& context);
Status infer_embedding_lookup_sparse(OpContext& context);
Result<Prepared> prepare_embedding_lookup_sparse(const OpContext& context);
Status infer_hashtable_lookup(OpContext& context);
Result<Prepared> prepare_hashtable_lookup(const OpContext& context);

// scatter.cc
Status infer_scatter_nd(OpContext& context);
Result<Prepared> prepare_scatter_nd(const OpContext& context);
Status infer_sparse_to_dense(OpContext& context);
Result<Prepared> prepare_sparse_to_dense(const OpContext& context);

// segment.cc
Status infer_segment_sum(OpContext& context);
Status infer_unsorted_segment(OpContext& context);
Result<Prepared> prepare_segment(const OpContext& context);  // SEGMENT_SUM and UNSORTED_SEGMENT_*

// search.cc
Status infer_where(OpContext& context);
Result<Prepared> prepare_where(const OpContext& context);
Status infer_unique(OpContext& context);
Result<Prepared> prepare_unique(const OpContext& context);
Result<Prepared> prepare_bucketize(const OpContext& context);

}  // namespace fewbits::ops
