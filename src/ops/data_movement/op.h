// Operators that only put elements elsewhere: slices, joins, permutations, blocks, repeats, and the few that write a
// pattern (RANGE, ONE_HOT, MATRIX_DIAG).
//
// Elements are bytes here: any type with a size is moved, 4- and 2-bit types too, and quantized tensors must have equal
// parameters on both sides (a writer guarantees it; a reader does not check, as LiteRT does not). Up to 8 dimensions.
//
// Where we go beyond LiteRT's kernels, which refuse the model: CONCATENATION applies a fused activation and rescales
// int8 and int16 inputs whose parameters differ from the output's, by the formula that uint8 has there (value * s_in /
// s_out in float32, rounded half away); REVERSE_V2 takes any set of axes; an ellipsis may stand for no dimension at
// all, as in TensorFlow. Operands that only the run knows are checked when shapes are inferred at run time. Where
// shapes do not depend on them they are clamped into the tensor: the begin of SLICE and DYNAMIC_UPDATE_SLICE, the
// lengths of REVERSE_SEQUENCE.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> data_movement_ops() noexcept;

// slice.cc, strided_slice.cc
Status infer_slice(OpContext& context);
Result<Prepared> prepare_slice(const OpContext& context);
Status infer_strided_slice(OpContext& context);
Result<Prepared> prepare_strided_slice(const OpContext& context);
Status infer_dynamic_update_slice(OpContext& context);
Result<Prepared> prepare_dynamic_update_slice(const OpContext& context);

// join.cc: many tensors along one axis of another
Status infer_concatenation(OpContext& context);
Result<Prepared> prepare_concatenation(const OpContext& context);
Status infer_pack(OpContext& context);
Result<Prepared> prepare_pack(const OpContext& context);
Status infer_split(OpContext& context);
Result<Prepared> prepare_split(const OpContext& context);
Status infer_split_v(OpContext& context);
Result<Prepared> prepare_split_v(const OpContext& context);
Status infer_unpack(OpContext& context);
Result<Prepared> prepare_unpack(const OpContext& context);

// permute.cc
Status infer_transpose(OpContext& context);
Result<Prepared> prepare_transpose(const OpContext& context);
Status infer_reverse(OpContext& context);
Result<Prepared> prepare_reverse(const OpContext& context);
Status infer_reverse_sequence(OpContext& context);
Result<Prepared> prepare_reverse_sequence(const OpContext& context);

// blocks.cc
Status infer_space_to_depth(OpContext& context);
Result<Prepared> prepare_space_to_depth(const OpContext& context);
Status infer_depth_to_space(OpContext& context);
Result<Prepared> prepare_depth_to_space(const OpContext& context);
Status infer_space_to_batch(OpContext& context);
Result<Prepared> prepare_space_to_batch(const OpContext& context);
Status infer_batch_to_space(OpContext& context);
Result<Prepared> prepare_batch_to_space(const OpContext& context);

// repeat.cc
Status infer_tile(OpContext& context);
Result<Prepared> prepare_tile(const OpContext& context);
Status infer_fill(OpContext& context);
Result<Prepared> prepare_fill(const OpContext& context);
Status infer_broadcast_to(OpContext& context);
Result<Prepared> prepare_broadcast_to(const OpContext& context);
Status infer_broadcast_args(OpContext& context);
Result<Prepared> prepare_broadcast_args(const OpContext& context);

// pattern.cc
Status infer_range(OpContext& context);
Result<Prepared> prepare_range(const OpContext& context);
Status infer_one_hot(OpContext& context);
Result<Prepared> prepare_one_hot(const OpContext& context);
Status infer_matrix_diag(OpContext& context);
Result<Prepared> prepare_matrix_diag(const OpContext& context);
Status infer_matrix_set_diag(OpContext& context);
Result<Prepared> prepare_matrix_set_diag(const OpContext& context);
Status infer_dilate(OpContext& context);
Result<Prepared> prepare_dilate(const OpContext& context);

}  // namespace fewbits::ops
