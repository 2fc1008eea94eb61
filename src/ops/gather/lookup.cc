// EMBEDDING_LOOKUP, EMBEDDING_LOOKUP_SPARSE, HASHTABLE_LOOKUP: rows of a table by number or by key.
#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "ops/gather/op.h"
#include "ops/gather/rows.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// ---- EMBEDDING_LOOKUP with a quantized table ----

// out[j] = value `first + j` of a symmetric table of kBits bits, times scale.
template <size_t kBits, class Out>
void dequantize(const uint8_t* table, size_t first, size_t count, float scale, Out* out) noexcept {
  constexpr size_t kPerByte = 8 / kBits;
  for (size_t j = 0; j < count; ++j) {
    const size_t i = first + j;
    const auto high = static_cast<uint8_t>(table[i / kPerByte] << (8 - kBits - kBits * (i % kPerByte)));
    const float value = static_cast<float>(static_cast<int8_t>(high) >> (8 - kBits)) * scale;
    if constexpr (std::is_same_v<Out, float>) {
      out[j] = value;
    } else {
      out[j] = float_to_half(value);
    }
  }
}

struct HybridLookup {
  size_t rows = 0, columns = 0, lookups = 0, bits = 8;
  std::vector<float> scales;  // one, or one for each row

  template <class Out>
  void run(const RunArgs& args) const noexcept {
    const auto* ids = in<int32_t>(args, 0);
    const auto* table = in<uint8_t>(args, 1);
    parallel_for(args.pool, lookups, 1 + (size_t{1} << 14) / (columns + 1), [&](size_t begin, size_t end) noexcept {
      for (size_t i = begin; i < end; ++i) {
        Out* to = out<Out>(args) + i * columns;
        if (ids[i] < 0 || static_cast<size_t>(ids[i]) >= rows) {
          std::fill_n(to, columns, Out{0});
          continue;
        }
        const auto row = static_cast<size_t>(ids[i]);
        const float scale = scales[scales.size() == 1 ? 0 : row];
        switch (bits) {
          case 2: dequantize<2>(table, row * columns, columns, scale, to); break;
          case 4: dequantize<4>(table, row * columns, columns, scale, to); break;
          default: dequantize<8>(table, row * columns, columns, scale, to); break;
        }
      }
    });
  }
};

Result<Prepared> prepare_hybrid_lookup(const OpContext& context) {
  const TensorInfo& table = context.inputs[1];
  FB_TRY(require_type(context, table, "the table", {DType::kInt8, DType::kUInt8, DType::kInt4, DType::kInt2}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kFloat32, DType::kFloat16}));
  const QuantParams& quant = *table.quant;
  const auto rows = static_cast<size_t>(table.dim(0));
  if (quant.details != nullptr) return context.fail(ErrorCode::kUnsupported, "the table is not quantized by rows");
  if (quant.scale.size() != 1 && (quant.scale.size() != rows || quant.axis != 0)) {
    return context.fail(ErrorCode::kInvalidModel, "a table of {} rows has {} scales along dimension {}", rows,
                        quant.scale.size(), quant.axis);
  }
  if (std::any_of(quant.zero_point.begin(), quant.zero_point.end(), [](int64_t zero) { return zero != 0; })) {
    return context.fail(ErrorCode::kUnsupported, "the table is not quantized symmetrically");
  }
  HybridLookup lookup{.rows = rows,
                      .columns = count_dims(table.shape, 1, table.rank()),
                      .lookups = context.inputs[0].count(),
                      .bits = dtype_bits(table.dtype),
                      .scales = quant.scale};
  const std::string choice = std::string("embedding_lookup, ") + dtype_name(table.dtype) + " table";
  if (context.outputs[0].dtype == DType::kFloat16) {
    return make_kernel([lookup = std::move(lookup)](const RunArgs& args) noexcept { lookup.run<uint16_t>(args); },
                       choice);
  }
  return make_kernel([lookup = std::move(lookup)](const RunArgs& args) noexcept { lookup.run<float>(args); }, choice);
}

// ---- EMBEDDING_LOOKUP_SPARSE ----

struct SparseLookup {
  size_t rows = 0, columns = 0, lookups = 0, outputs = 0;
  IndexTuples buckets;  // of the output's leading dimensions; a tuple has one index more, which does not matter here
  size_t tuple = 1;
  tflite::CombinerType combiner = tflite::CombinerType::SUM;

  // TFLite divides a bucket whenever the next lookup belongs to another one.
  void finish(float* bucket, float weights, float squares, size_t count) const noexcept {
    if (combiner == tflite::CombinerType::SUM || count == 0) return;
    const float divisor = combiner == tflite::CombinerType::MEAN ? weights : std::sqrt(squares);
    for (size_t k = 0; k < columns; ++k) bucket[k] /= divisor;
  }

  void run(const RunArgs& args) const noexcept {
    const auto* ids = in<int32_t>(args, 0);
    const auto* indices = in<int32_t>(args, 1);
    const auto* weights = in<float>(args, 3);
    const auto* table = in<float>(args, 4);
    auto* result = out<float>(args);
    std::fill_n(result, outputs, 0.0f);
    int64_t current = 0;
    float total = 0.0f, squares = 0.0f;
    size_t count = 0;
    for (size_t i = 0; i < lookups; ++i) {
      const int64_t bucket = buckets.row(indices + i * tuple, 0);
      if (bucket < 0 || ids[i] < 0 || static_cast<size_t>(ids[i]) >= rows) continue;
      if (bucket != current) {
        finish(result + static_cast<size_t>(current) * columns, total, squares, count);
        total = squares = 0.0f;
        count = 0;
        current = bucket;
      }
      ++count;
      total += weights[i];
      squares += weights[i] * weights[i];
      const float* row = table + static_cast<size_t>(ids[i]) * columns;
      float* sum = result + static_cast<size_t>(bucket) * columns;
      for (size_t k = 0; k < columns; ++k) sum[k] += row[k] * weights[i];
    }
    if (count > 0) finish(result + static_cast<size_t>(current) * columns, total, squares, count);
  }
};

}  // namespace

// EMBEDDING_LOOKUP(ids, table).
Status infer_embedding_lookup(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& ids = context.inputs[0].shape;
  const Shape& table = context.inputs[1].shape;
  if (ids.size() != 1 || table.size() < 2) {
    return context.fail(ErrorCode::kInvalidModel, "ids of shape {} and a table {} are not a list and rows",
                        shape_text(ids), shape_text(table));
  }
  std::vector<int64_t> shape(table.begin(), table.end());
  shape[0] = ids[0];
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_embedding_lookup(const OpContext& context) {
  const TensorInfo& ids = context.inputs[0];
  const TensorInfo& table = context.inputs[1];
  FB_TRY(require_type(context, ids, "the ids", {DType::kInt32}));
  FB_TRY(check_constant_tuples(context, 0, IndexTuples({table.dim(0)}, 1, ids.dtype), ids.count()));
  if (table.dtype != context.outputs[0].dtype) return prepare_hybrid_lookup(context);
  FB_TRY(require_movable(context, {1}));
  const auto bytes = row_bytes(table.dtype, count_dims(table.shape, 1, table.rank()));
  if (!bytes) return unsupported_types(context);
  return make_kernel(
      [rows = table.dim(0), lookups = ids.count(), size = *bytes](const RunArgs& args) noexcept {
        const auto* row = in<int32_t>(args, 0);
        copy_rows(args.in[1], args.out[0], lookups, size, args.pool,
                  [&](size_t i) { return row[i] < 0 || row[i] >= rows ? int64_t{-1} : int64_t{row[i]}; });
      },
      "embedding_lookup");
}

// EMBEDDING_LOOKUP_SPARSE(ids, indices, dense_shape, weights, table): rows of the table, weighted and added up in the
// places that indices name in a tensor of dense_shape without its last dimension.
Status infer_embedding_lookup_sparse(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& indices = context.inputs[1];
  const Shape& table = context.inputs[4].shape;
  const size_t lookups = context.inputs[0].count();
  const bool fits = indices.rank() == 2 && indices.dim(1) >= 1 && static_cast<size_t>(indices.dim(0)) == lookups &&
                    context.inputs[2].count() == static_cast<size_t>(indices.dim(1)) &&
                    context.inputs[3].count() == lookups && table.size() >= 2;
  if (!fits) {
    return context.fail(ErrorCode::kInvalidModel,
                        "{} ids, indices {}, {} weights and a table {} do not belong together", lookups,
                        shape_text(indices.shape), context.inputs[3].count(), shape_text(table));
  }
  FB_ASSIGN(auto shape, int_values(context, 2));
  if (!shape) return infer_dynamic(context);
  shape->pop_back();
  shape->insert(shape->end(), table.begin() + 1, table.end());
  return set_shape(context, 0, *shape);
}

Result<Prepared> prepare_embedding_lookup_sparse(const OpContext& context) {
  const TensorInfo& table = context.inputs[4];
  FB_TRY(require_type(context, context.inputs[0], "the ids", {DType::kInt32}));
  FB_TRY(require_type(context, context.inputs[1], "the indices", {DType::kInt32}));
  FB_TRY(require_type(context, context.inputs[3], "the weights", {DType::kFloat32}));
  FB_TRY(require_type(context, table, "the table", {DType::kFloat32}));
  FB_TRY(require_movable(context, {4}));
  const auto* options = context.node->options->AsEmbeddingLookupSparseOptions();
  const auto tuple = static_cast<size_t>(context.inputs[1].dim(1));
  const SparseLookup lookup{.rows = static_cast<size_t>(table.dim(0)),
                            .columns = count_dims(table.shape, 1, table.rank()),
                            .lookups = context.inputs[0].count(),
                            .outputs = context.outputs[0].count(),
                            .buckets = IndexTuples(context.outputs[0].shape, tuple - 1, DType::kInt32),
                            .tuple = tuple,
                            .combiner = options == nullptr ? tflite::CombinerType::SUM : options->combiner};
  return make_kernel([lookup](const RunArgs& args) noexcept { lookup.run(args); }, "embedding_lookup_sparse");
}

// HASHTABLE_LOOKUP(queries, keys, values) -> rows, hits. Keys are sorted, as LiteRT's binary search needs them.
Status infer_hashtable_lookup(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& queries = context.inputs[0].shape;
  const Shape& keys = context.inputs[1].shape;
  const Shape& values = context.inputs[2].shape;
  if (queries.size() != 1 || keys.size() != 1 || values.empty() || values[0] != keys[0]) {
    return context.fail(ErrorCode::kInvalidModel, "queries {}, keys {} and values {} do not belong together",
                        shape_text(queries), shape_text(keys), shape_text(values));
  }
  std::vector<int64_t> shape(values.begin(), values.end());
  shape[0] = queries[0];
  FB_TRY(set_shape(context, 0, shape));
  return set_shape(context, 1, std::array<int64_t, 1>{queries[0]});
}

Result<Prepared> prepare_hashtable_lookup(const OpContext& context) {
  const TensorInfo& values = context.inputs[2];
  FB_TRY(require_type(context, context.inputs[0], "the queries", {DType::kInt32}));
  FB_TRY(require_type(context, context.inputs[1], "the keys", {DType::kInt32}));
  FB_TRY(require_type(context, context.outputs[1], "the hits", {DType::kUInt8}));
  const auto bytes = row_bytes(values.dtype, count_dims(values.shape, 1, values.rank()));
  if (!bytes || values.dtype != context.outputs[0].dtype || mover_element(values.dtype) == 0)
    return unsupported_types(context);
  return make_kernel(
      [queries = context.inputs[0].count(), keys = context.inputs[1].count(),
       size = *bytes](const RunArgs& args) noexcept {
        const auto* query = in<int32_t>(args, 0);
        const auto* key = in<int32_t>(args, 1);
        auto* hits = out<uint8_t>(args, 1);
        for (size_t i = 0; i < queries; ++i) hits[i] = std::binary_search(key, key + keys, query[i]) ? 1 : 0;
        copy_rows(args.in[2], args.out[0], queries, size, args.pool, [&](size_t i) {
          return hits[i] == 0 ? int64_t{-1} : static_cast<int64_t>(std::lower_bound(key, key + keys, query[i]) - key);
        });
      },
      "hashtable_lookup");
}

}  // namespace fewbits::ops
