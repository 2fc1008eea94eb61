// REDUCE_WINDOW: one value for each place of a strided, dilated window. Operands: input, initial value, and the
// window's shape, strides and dilations as constant int64, one number a dimension.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "ops/reduce/op.h"
#include "ops/reduce/plan.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

struct Geometry {
  std::vector<int64_t> window, strides, dilations;
};

Result<std::optional<Geometry>> read_geometry(const OpContext& context) {
  Geometry geometry;
  std::vector<int64_t>* const parts[] = {&geometry.window, &geometry.strides, &geometry.dilations};
  const auto rank = context.inputs[0].shape.size();
  for (size_t i = 0; i < 3; ++i) {
    FB_ASSIGN(auto values, int_values(context, i + 2));
    if (!values) return std::optional<Geometry>();
    if (values->size() != rank) {
      return context.fail(ErrorCode::kInvalidModel, "operand {} has {} numbers for an input of rank {}", i + 2,
                          values->size(), rank);
    }
    for (int64_t value : *values) {
      if (value < 1 || value > INT32_MAX)
        return context.fail(ErrorCode::kInvalidModel, "operand {} holds {}", i + 2, value);
    }
    *parts[i] = std::move(*values);
  }
  return std::optional(std::move(geometry));
}

// f(accumulator, value); All and Any of numbers give 0 or 1.
struct Add {
  template <class T>
  T operator()(T a, T b) const noexcept {
    if constexpr (std::is_integral_v<T>) {
      using Wide = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
      return static_cast<T>(static_cast<Wide>(a) + static_cast<Wide>(b));
    } else {
      return a + b;
    }
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const noexcept {
    if constexpr (std::is_integral_v<T>) {
      using Wide = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
      return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b));
    } else {
      return a * b;
    }
  }
};
struct Least {
  template <class T>
  T operator()(T a, T b) const noexcept {
    return a <= b ? a : b;
  }
};
struct Most {
  template <class T>
  T operator()(T a, T b) const noexcept {
    return a >= b ? a : b;
  }
};
struct All {
  template <class T>
  T operator()(T a, T b) const noexcept {
    return static_cast<T>(a != 0 && b != 0);
  }
};
struct Any {
  template <class T>
  T operator()(T a, T b) const noexcept {
    return static_cast<T>(a != 0 || b != 0);
  }
};

// A function that takes `count` values, `stride` elements apart, into *total.
using Fold = void (*)(const void* first, size_t count, size_t stride, void* total) noexcept;

template <class F, class T>
void fold(const void* first, size_t count, size_t stride, void* total) noexcept {
  const T* at = static_cast<const T*>(first);
  T sum = *static_cast<T*>(total);
  for (size_t i = 0; i < count; ++i, at += stride) sum = F()(sum, *at);
  *static_cast<T*>(total) = sum;
}

// places: where windows begin; window: where the values of one lie from there. The loop around `fold` is one for all types.
Prepared window_kernel(const Loops& places, const Loops& window, size_t size, Fold fold, const char* choice) {
  Loops lines = window;  // without the innermost dimension
  const size_t length = window.dims[--lines.rank], stride = window.strides[lines.rank];
  return make_kernel(
      [=](const RunArgs& args) noexcept {
        if (places.count() == 0) return;  // then the window may be larger than any count
        parallel_for(args.pool, places.count(), kCheapGrain / (window.count() + 1) + 1, [&](size_t begin, size_t end) {
          for (size_t place = begin; place < end; ++place) {
            const uint8_t* first = in<uint8_t>(args, 0) + places.offset(place) * size;
            uint8_t* total = out<uint8_t>(args) + place * size;
            std::memcpy(total, args.in[1], size);
            for_each_offset(lines, [&](size_t offset) { fold(first + offset * size, length, stride, total); });
          }
        });
      },
      choice);
}

template <class F>
Fold fold_of(DType type) {
  switch (type) {
    case DType::kFloat32: return &fold<F, float>;
    case DType::kFloat64: return &fold<F, double>;
    case DType::kInt8: return &fold<F, int8_t>;
    case DType::kUInt8:
    case DType::kBool: return &fold<F, uint8_t>;
    case DType::kInt16: return &fold<F, int16_t>;
    case DType::kUInt16: return &fold<F, uint16_t>;
    case DType::kInt32: return &fold<F, int32_t>;
    case DType::kUInt32: return &fold<F, uint32_t>;
    case DType::kInt64: return &fold<F, int64_t>;
    case DType::kUInt64: return &fold<F, uint64_t>;
    default: return nullptr;
  }
}

template <class F>
Result<Prepared> choose_type(const OpContext& context, const Loops& places, const Loops& window, const char* choice) {
  const DType type = context.inputs[0].dtype;
  const Fold fold = fold_of<F>(type);
  const auto size = byte_size(type, 1);
  if (fold == nullptr || !size) return unsupported_types(context);
  return window_kernel(places, window, *size, fold, choice);
}

}  // namespace

Status infer_reduce_window(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  if (input.rank() < 1 || input.rank() > static_cast<int>(kMaxReduceRank) || context.inputs[1].count() != 1) {
    return context.fail(ErrorCode::kInvalidModel,
                        "the input must have 1 to {} dimensions, and there must be one initial value", kMaxReduceRank);
  }
  FB_ASSIGN(const auto geometry, read_geometry(context));
  if (!geometry) return infer_dynamic(context);
  Shape shape(input.shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t span = (geometry->window[i] - 1) * geometry->dilations[i] + 1;
    const int64_t left = int64_t{input.shape[i]} - span;
    shape[i] = left < 0 ? 0 : static_cast<int32_t>(left / geometry->strides[i] + 1);
  }
  context.outputs[0].shape = std::move(shape);
  return {};
}

Result<Prepared> prepare_reduce_window(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  if (input.dtype != output.dtype || input.dtype != context.inputs[1].dtype) return unsupported_types(context);
  for (size_t i = 2; i < 5; ++i) {
    if (!context.inputs[i].is_const)
      return context.fail(ErrorCode::kUnsupported, "the window's shape, strides and dilations must be constants");
  }
  FB_ASSIGN(const auto geometry, read_geometry(context));
  if (!geometry) return context.fail(ErrorCode::kInternal, "the window has no values");
  Loops places, window;
  places.rank = window.rank = input.shape.size();
  size_t stride = 1;
  for (size_t i = input.shape.size(); i-- > 0;) {
    places.dims[i] = static_cast<size_t>(output.shape[i]);
    places.strides[i] = stride * static_cast<size_t>(geometry->strides[i]);
    window.dims[i] = static_cast<size_t>(geometry->window[i]);
    window.strides[i] = stride * static_cast<size_t>(geometry->dilations[i]);
    stride *= static_cast<size_t>(input.shape[i]);
  }
  const auto* options = context.node->options2->AsReduceWindowOptions();
  switch (options == nullptr ? tflite::ReduceWindowFunction::UNSUPPORTED : options->reduce_function) {
    case tflite::ReduceWindowFunction::ADD: return choose_type<Add>(context, places, window, "window sum");
    case tflite::ReduceWindowFunction::MUL: return choose_type<Multiply>(context, places, window, "window product");
    case tflite::ReduceWindowFunction::MINIMUM: return choose_type<Least>(context, places, window, "window minimum");
    case tflite::ReduceWindowFunction::MAXIMUM: return choose_type<Most>(context, places, window, "window maximum");
    case tflite::ReduceWindowFunction::ALL: return choose_type<All>(context, places, window, "window all");
    case tflite::ReduceWindowFunction::ANY: return choose_type<Any>(context, places, window, "window any");
    default: return context.fail(ErrorCode::kUnsupported, "this reduce function cannot be run");
  }
}

}  // namespace fewbits::ops
