// WHERE, UNIQUE, BUCKETIZE: where elements are, which there are, and between which bounds they lie.
#include <algorithm>
#include <bit>
#include <cstring>

#include "ops/gather/op.h"
#include "ops/mover.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// Calls body with a T of the type's representation; false for types that are not listed.
template <class Body>
bool with_type(DType type, const Body& body) {
  switch (type) {
    case DType::kFloat32: body(float{}); return true;
    case DType::kInt8: body(int8_t{}); return true;
    case DType::kUInt8: body(uint8_t{}); return true;
    case DType::kBool: body(uint8_t{}); return true;
    case DType::kInt16: body(int16_t{}); return true;
    case DType::kInt32: body(int32_t{}); return true;
    case DType::kUInt32: body(uint32_t{}); return true;
    case DType::kInt64: body(int64_t{}); return true;
    default: return false;
  }
}

// ---- WHERE ----

template <class T>
size_t count_nonzero(const void* data, size_t count) noexcept {
  const T* values = static_cast<const T*>(data);
  return static_cast<size_t>(std::count_if(values, values + count, [](T value) { return value != T{0}; }));
}

// Writes the index tuples of the first `limit` elements that are not zero, in order.
template <class T>
void write_positions(const T* values, size_t count, const Shape& shape, int64_t* tuples, size_t limit) noexcept {
  std::array<int32_t, kMaxMoverRank> index{};
  size_t written = 0;
  for (size_t i = 0; i < count && written < limit; ++i) {
    if (values[i] != T{0}) {
      for (size_t d = 0; d < shape.size(); ++d) *tuples++ = index[d];
      ++written;
    }
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

// ---- UNIQUE ----

template <class T>
uint64_t hash(T value) noexcept {
  uint64_t bits = 0;
  if constexpr (std::is_same_v<T, float>) {
    bits = std::bit_cast<uint32_t>(value == 0.0f ? 0.0f : value);  // -0 equals 0
  } else {
    bits = static_cast<uint64_t>(value);
  }
  return (bits * 0x9e3779b97f4a7c15u) >> 20;
}

size_t slot_count(size_t count) noexcept { return std::bit_ceil(2 * count + 1); }

// The distinct values in the order in which they first come; indices[i]: which of them value i is. `slots`: a hash
// table of slot_count(count) entries. Where unique or indices is null, it is not written. Returns how many there are.
template <class T, class Index>
size_t find_unique(const T* values, size_t count, int32_t* slots, int32_t* firsts, T* unique, Index* indices,
                   size_t limit) noexcept {
  const size_t mask = slot_count(count) - 1;
  std::fill_n(slots, mask + 1, -1);
  size_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    size_t slot = hash(values[i]) & mask;
    while (slots[slot] >= 0 && !(values[firsts[slots[slot]]] == values[i])) slot = (slot + 1) & mask;
    if (slots[slot] < 0) {
      slots[slot] = static_cast<int32_t>(found);
      firsts[found] = static_cast<int32_t>(i);
      if (unique != nullptr && found < limit) unique[found] = values[i];
      ++found;
    }
    if (indices != nullptr) indices[i] = static_cast<Index>(slots[slot]);
  }
  return found;
}

}  // namespace

// WHERE(condition): the indices of what is not zero, a row each.
Status infer_where(OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  if (any_dynamic(context)) return {};
  if (input.data == nullptr && input.count() > 0) return infer_dynamic(context);
  size_t found = 0;
  if (!with_type(input.dtype, [&](auto type) { found = count_nonzero<decltype(type)>(input.data, input.count()); })) {
    return unsupported_types(context);
  }
  return set_shape(context, 0, std::array{static_cast<int64_t>(found), static_cast<int64_t>(input.rank())});
}

Result<Prepared> prepare_where(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt64}));
  if (input.rank() > kMaxMoverRank) return context.fail(ErrorCode::kUnsupported, "the input has too many dimensions");
  Prepared prepared;
  const bool known = with_type(input.dtype, [&](auto type) {
    using T = decltype(type);
    prepared = make_kernel(
        [shape = input.shape, count = input.count(), limit = static_cast<size_t>(context.outputs[0].dim(0))](
            const RunArgs& args) noexcept { write_positions(in<T>(args, 0), count, shape, out<int64_t>(args), limit); },
        "where");
  });
  if (!known) return unsupported_types(context);
  return prepared;
}

// UNIQUE(values) -> the distinct values, and for each value which of them it is.
Status infer_unique(OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  if (any_dynamic(context)) return {};
  if (input.rank() != 1) return context.fail(ErrorCode::kInvalidModel, "the input has rank {}, not 1", input.rank());
  context.outputs[1].shape = input.shape;
  if (input.data == nullptr && input.count() > 0) {
    context.outputs[0].dynamic = true;
    return {};
  }
  size_t found = 0;
  const bool known = with_type(input.dtype, [&](auto type) {
    using T = decltype(type);
    std::vector<int32_t> slots(slot_count(input.count())), firsts(input.count());
    found = find_unique<T, int32_t>(input.as<T>(), input.count(), slots.data(), firsts.data(), nullptr, nullptr, 0);
  });
  if (!known) return unsupported_types(context);
  return set_shape(context, 0, std::array{static_cast<int64_t>(found)});
}

Result<Prepared> prepare_unique(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  FB_TRY(require_type(context, context.outputs[1], "the indices", {DType::kInt32, DType::kInt64}));
  if (input.dtype != context.outputs[0].dtype) return unsupported_types(context);
  const size_t count = input.count(), slots = slot_count(count);
  Prepared prepared;
  const bool known = with_type(input.dtype, [&](auto type) {
    using T = decltype(type);
    prepared = make_kernel(
        [count, slots, limit = context.outputs[0].count(),
         wide = context.outputs[1].dtype == DType::kInt64](const RunArgs& args) noexcept {
          auto* table = reinterpret_cast<int32_t*>(args.workspace);
          if (wide) {
            find_unique(in<T>(args, 0), count, table, table + slots, out<T>(args), out<int64_t>(args, 1), limit);
          } else {
            find_unique(in<T>(args, 0), count, table, table + slots, out<T>(args), out<int32_t>(args, 1), limit);
          }
        },
        "unique", (slots + count) * sizeof(int32_t));
  });
  if (!known) return unsupported_types(context);
  return prepared;
}

// BUCKETIZE(values): how many of the boundaries, which rise, are not above the value.
Result<Prepared> prepare_bucketize(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt32}));
  const auto* options = context.node->options->AsBucketizeOptions();
  std::vector<float> boundaries = options == nullptr ? std::vector<float>() : options->boundaries;
  if (!std::is_sorted(boundaries.begin(), boundaries.end()))
    return context.fail(ErrorCode::kInvalidModel, "the boundaries do not rise");
  const auto make = [&](auto type) {
    using T = decltype(type);
    return make_kernel(
        [boundaries, count = input.count()](const RunArgs& args) noexcept {
          const T* values = in<T>(args, 0);
          for (size_t i = 0; i < count; ++i) {
            const auto above = std::upper_bound(boundaries.begin(), boundaries.end(), values[i],
                                                [](T value, float boundary) { return value < boundary; });
            out<int32_t>(args)[i] = static_cast<int32_t>(above - boundaries.begin());
          }
        },
        "bucketize");
  };
  switch (input.dtype) {
    case DType::kFloat32: return make(float{});
    case DType::kFloat64: return make(double{});
    case DType::kInt32: return make(int32_t{});
    case DType::kInt64: return make(int64_t{});
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
