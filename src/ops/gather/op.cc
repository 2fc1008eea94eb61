// The OpDef table of the gather family.
#include "ops/gather/op.h"

#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

int32_t gather_version(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  const auto* options = context.node->options->AsGatherOptions();
  if (type == DType::kInt4) return 7;
  if (context.inputs[1].dtype == DType::kInt16) return 6;
  if (options != nullptr && options->batch_dims != 0) return 5;
  switch (type) {
    case DType::kInt16: return 4;
    case DType::kBool: return 3;
    case DType::kInt8: return 2;
    default: return 1;
  }
}

int32_t gather_nd_version(const OpContext& context) {
  if (context.inputs[0].dtype == DType::kBool) return 5;
  if (context.inputs[1].dtype == DType::kInt16) return 4;
  return context.inputs[0].dtype == DType::kInt16 ? 3 : 1;
}

int32_t embedding_lookup_version(const OpContext& context) {
  const TensorInfo& table = context.inputs[1];
  if (table.dtype == DType::kInt2) return 5;
  if (table.dtype == DType::kInt4 || table.quant->per_axis()) return 4;
  return table.dtype == DType::kInt8 ? 3 : 1;
}

int32_t sparse_to_dense_version(const OpContext& context) {
  switch (context.inputs[2].dtype) {
    case DType::kInt8:
    case DType::kUInt8: return 3;
    case DType::kInt64: return 2;
    default: return 1;
  }
}

int32_t where_version(const OpContext& context) { return context.inputs[0].dtype == DType::kBool ? 1 : 2; }

// Quantized rows keep their bytes.
QuantRule gather_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kSame}, {}},
          .outputs = {{.kind = OperandQuant::kSame}}};
}

QuantRule embedding_rule() {
  return {.inputs = {{}, {.kind = OperandQuant::kWeights, .axis = 0}}, .hybrid_weights = {1}, .hybrid_per_axis = true};
}

// SCATTER_ND and SPARSE_TO_DENSE have no quantized form: what they leave at zero is zero bytes, not a zero point, and
// sums of integers are not sums of what they stand for.
const OpDef kOps[] = {
    {.op = Op::GATHER,
     .inputs = {2, 2},
     .flags = kTable,
     .infer = infer_gather,
     .prepare = prepare_gather,
     .version = gather_version,
     .quant = gather_rule()},
    {.op = Op::GATHER_ND,
     .inputs = {2, 2},
     .infer = infer_gather_nd,
     .prepare = prepare_gather_nd,
     .version = gather_nd_version,
     .quant = gather_rule()},
    {.op = Op::EMBEDDING_LOOKUP,
     .inputs = {2, 2},
     .infer = infer_embedding_lookup,
     .prepare = prepare_embedding_lookup,
     .version = embedding_lookup_version,
     .quant = embedding_rule()},
    {.op = Op::EMBEDDING_LOOKUP_SPARSE,
     .inputs = {5, 5},
     .infer = infer_embedding_lookup_sparse,
     .prepare = prepare_embedding_lookup_sparse},
    {.op = Op::HASHTABLE_LOOKUP,
     .inputs = {3, 3},
     .outputs = {2, 2},
     .infer = infer_hashtable_lookup,
     .prepare = prepare_hashtable_lookup},
    {.op = Op::SCATTER_ND, .inputs = {3, 3}, .infer = infer_scatter_nd, .prepare = prepare_scatter_nd},
    {.op = Op::SPARSE_TO_DENSE,
     .inputs = {4, 4},
     .infer = infer_sparse_to_dense,
     .prepare = prepare_sparse_to_dense,
     .version = sparse_to_dense_version},
    {.op = Op::SEGMENT_SUM, .inputs = {2, 2}, .infer = infer_segment_sum, .prepare = prepare_segment},
    {.op = Op::UNSORTED_SEGMENT_PROD, .inputs = {3, 3}, .infer = infer_unsorted_segment, .prepare = prepare_segment},
    {.op = Op::UNSORTED_SEGMENT_MAX, .inputs = {3, 3}, .infer = infer_unsorted_segment, .prepare = prepare_segment},
    {.op = Op::UNSORTED_SEGMENT_SUM, .inputs = {3, 3}, .infer = infer_unsorted_segment, .prepare = prepare_segment},
    {.op = Op::UNSORTED_SEGMENT_MIN, .inputs = {3, 3}, .infer = infer_unsorted_segment, .prepare = prepare_segment},
    {.op = Op::WHERE, .infer = infer_where, .prepare = prepare_where, .version = where_version},
    {.op = Op::UNIQUE, .outputs = {2, 2}, .infer = infer_unique, .prepare = prepare_unique},
    {.op = Op::BUCKETIZE, .infer = infer_same_as_input, .prepare = prepare_bucketize},
};

}  // namespace

std::span<const OpDef> gather_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
