// The OpDef table of the data movement family.
#include "ops/data_movement/op.h"

#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

constexpr OperandRule kSameParams{.kind = OperandQuant::kSame};
constexpr OperandRule kUnquantized{};

// Quantized elements keep their bytes: every value operand has one scale and zero point. `inputs`: as OpDef::quant.
QuantRule moves(std::vector<OperandRule> inputs, bool int16 = true) {
  return {.int8 = true, .int16 = int16, .inputs = std::move(inputs), .outputs = {kSameParams}};
}

// "1; 2 for int8", and versions for other types after it.
struct TypeVersion {
  DType type;
  int32_t version;
};
template <size_t kCount>
int32_t version_of(DType type, const TypeVersion (&versions)[kCount]) {
  for (const TypeVersion& entry : versions) {
    if (entry.type == type) return entry.version;
  }
  return 1;
}

int32_t transpose_version(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  if (input.rank() > 5) return 6;
  if (input.dtype == DType::kInt16) return 5;
  if (input.rank() > 4) return 4;
  return version_of(input.dtype, {{DType::kBool, 3}, {DType::kInt8, 2}});
}

int32_t slice_version(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  if (input.dtype == DType::kUInt32) return 6;
  if (input.rank() > 4) return 5;
  return version_of(input.dtype, {{DType::kInt16, 4}, {DType::kInt8, 2}});
}

int32_t strided_slice_version(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  const auto* options = context.node->options->AsStridedSliceOptions();
  if (options != nullptr && options->offset) return 8;
  if (input.dtype == DType::kUInt32) return 7;
  if (options != nullptr && (options->ellipsis_mask != 0 || options->new_axis_mask != 0)) return 6;
  if (input.rank() > 4) return 4;
  return version_of(input.dtype, {{DType::kBool, 3}, {DType::kInt8, 2}});
}

int32_t concatenation_version(const OpContext& context) {
  return version_of(context.inputs[0].dtype, {{DType::kInt8, 2}, {DType::kInt16, 3}, {DType::kUInt32, 4}});
}
int32_t split_version(const OpContext& context) {
  return version_of(context.inputs[1].dtype, {{DType::kInt8, 2}, {DType::kInt32, 3}, {DType::kInt16, 4}});
}
int32_t int8_version(const OpContext& context) { return version_of(context.inputs[0].dtype, {{DType::kInt8, 2}}); }
int32_t pack_version(const OpContext& context) {
  return version_of(context.inputs[0].dtype, {{DType::kInt8, 2}, {DType::kInt16, 3}, {DType::kUInt32, 4}});
}
int32_t unpack_version(const OpContext& context) {
  return version_of(context.inputs[0].dtype,
                    {{DType::kInt8, 2}, {DType::kUInt8, 2}, {DType::kBool, 3}, {DType::kInt16, 4}});
}
int32_t tile_version(const OpContext& context) { return version_of(context.inputs[0].dtype, {{DType::kInt8, 3}}); }
int32_t fill_version(const OpContext& context) {
  return version_of(context.inputs[1].dtype,
                    {{DType::kBool, 2}, {DType::kInt8, 3}, {DType::kInt16, 3}, {DType::kFloat16, 4}});
}
int32_t broadcast_to_version(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  return type == DType::kInt8 || type == DType::kInt16 ? 3 : 2;
}
int32_t reverse_version(const OpContext& context) {
  return version_of(context.inputs[0].dtype, {{DType::kBool, 2}, {DType::kInt8, 3}});
}
int32_t batch_space_version(const OpContext& context) {
  if (context.inputs[0].dtype == DType::kInt16) return 4;
  if (context.inputs[0].rank() != 4) return 3;
  return version_of(context.inputs[0].dtype, {{DType::kInt8, 2}});
}
int32_t range_version(const OpContext& context) { return version_of(context.inputs[0].dtype, {{DType::kInt64, 2}}); }
int32_t dynamic_update_slice_version(const OpContext& context) {
  const int32_t by_type = version_of(context.inputs[0].dtype, {{DType::kInt16, 4}, {DType::kFloat16, 3}});
  return by_type == 1 && context.inputs[2].dtype == DType::kInt64 ? 2 : by_type;
}

// MATRIX_DIAG and MATRIX_SET_DIAG have no integer form: their zeros are bytes, not zero points.
const OpDef kOps[] = {
    {.op = Op::TRANSPOSE,
     .inputs = {2, 2},
     .infer = infer_transpose,
     .prepare = prepare_transpose,
     .version = transpose_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::SLICE,
     .inputs = {3, 3},
     .infer = infer_slice,
     .prepare = prepare_slice,
     .version = slice_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::STRIDED_SLICE,
     .inputs = {4, 4},
     .infer = infer_strided_slice,
     .prepare = prepare_strided_slice,
     .version = strided_slice_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::DYNAMIC_UPDATE_SLICE,
     .inputs = {3, 3},
     .flags = kInPlace,
     .infer = infer_dynamic_update_slice,
     .prepare = prepare_dynamic_update_slice,
     .version = dynamic_update_slice_version,
     .quant = moves({kSameParams, kSameParams, kUnquantized})},
    {.op = Op::CONCATENATION,
     .inputs = {1, -1},
     .infer = infer_concatenation,
     .prepare = prepare_concatenation,
     .version = concatenation_version,
     .quant = moves({kSameParams})},
    {.op = Op::PACK,
     .inputs = {1, -1},
     .infer = infer_pack,
     .prepare = prepare_pack,
     .version = pack_version,
     .quant = moves({kSameParams})},
    {.op = Op::SPLIT,
     .inputs = {2, 2},
     .outputs = {1, -1},
     .infer = infer_split,
     .prepare = prepare_split,
     .version = split_version,
     .quant = moves({kUnquantized, kSameParams})},
    {.op = Op::SPLIT_V,
     .inputs = {3, 3},
     .outputs = {1, -1},
     .infer = infer_split_v,
     .prepare = prepare_split_v,
     .version = int8_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::UNPACK,
     .outputs = {1, -1},
     .infer = infer_unpack,
     .prepare = prepare_unpack,
     .version = unpack_version,
     .quant = moves({kSameParams})},
    {.op = Op::TILE,
     .inputs = {2, 2},
     .infer = infer_tile,
     .prepare = prepare_tile,
     .version = tile_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::FILL,
     .inputs = {2, 2},
     .infer = infer_fill,
     .prepare = prepare_fill,
     .version = fill_version,
     .quant = moves({kUnquantized, kSameParams})},
    {.op = Op::BROADCAST_TO,
     .inputs = {2, 2},
     .infer = infer_broadcast_to,
     .prepare = prepare_broadcast_to,
     .version = broadcast_to_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::BROADCAST_ARGS, .inputs = {2, 2}, .infer = infer_broadcast_args, .prepare = prepare_broadcast_args},
    {.op = Op::REVERSE_V2,
     .inputs = {2, 2},
     .infer = infer_reverse,
     .prepare = prepare_reverse,
     .version = reverse_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::REVERSE_SEQUENCE,
     .inputs = {2, 2},
     .infer = infer_reverse_sequence,
     .prepare = prepare_reverse_sequence},
    {.op = Op::SPACE_TO_BATCH_ND,
     .inputs = {3, 3},
     .infer = infer_space_to_batch,
     .prepare = prepare_space_to_batch,
     .version = batch_space_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::BATCH_TO_SPACE_ND,
     .inputs = {3, 3},
     .infer = infer_batch_to_space,
     .prepare = prepare_batch_to_space,
     .version = batch_space_version,
     .quant = moves({kSameParams, kUnquantized})},
    {.op = Op::SPACE_TO_DEPTH,
     .infer = infer_space_to_depth,
     .prepare = prepare_space_to_depth,
     .version = int8_version,
     .quant = moves({kSameParams}, false)},
    {.op = Op::DEPTH_TO_SPACE,
     .infer = infer_depth_to_space,
     .prepare = prepare_depth_to_space,
     .version = int8_version,
     .quant = moves({kSameParams}, false)},
    {.op = Op::RANGE, .inputs = {3, 3}, .infer = infer_range, .prepare = prepare_range, .version = range_version},
    {.op = Op::ONE_HOT, .inputs = {4, 4}, .infer = infer_one_hot, .prepare = prepare_one_hot},
    {.op = Op::MATRIX_DIAG, .infer = infer_matrix_diag, .prepare = prepare_matrix_diag},
    {.op = Op::MATRIX_SET_DIAG, .inputs = {2, 2}, .infer = infer_matrix_set_diag, .prepare = prepare_matrix_set_diag},
    {.op = Op::DILATE,
     .inputs = {3, 3},
     .infer = infer_dilate,
     .prepare = prepare_dilate,
     .quant = moves({kSameParams, kUnquantized, kSameParams})},
};

}  // namespace

std::span<const OpDef> data_movement_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
