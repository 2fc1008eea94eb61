// prepare() of quantized arithmetic: int8, uint8 and int16 with scales.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "ops/binary/byte_rows.h"
#include "ops/binary/op.h"
#include "ops/binary/ref.h"
#include "ops/binary/rows.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// Elements for which it is worth trying the rule on all 65,536 pairs, once, to be faster in every run.
constexpr size_t kWorthAllPairs = 1024;

template <class T, class Out, class F>
Prepared quantized_kernel(const Broadcast<2>& plan, F f, const char* choice) {
  return make_kernel(
      [plan, f](const RunArgs& args) noexcept {
        map_broadcast(plan, in<T>(args, 0), in<T>(args, 1), out<Out>(args), args.pool, kCheapGrain,
                      [&f](T a, T b) noexcept { return static_cast<Out>(f(a, b)); });
      },
      choice);
}

template <class F>
Prepared quantized_kernel(const OpContext& context, const Broadcast<2>& plan, F f, const char* choice) {
  switch (context.outputs[0].dtype) {
    case DType::kInt8: return quantized_kernel<int8_t, int8_t>(plan, f, choice);
    case DType::kUInt8: return quantized_kernel<uint8_t, uint8_t>(plan, f, choice);
    default: return quantized_kernel<int16_t, int16_t>(plan, f, choice);
  }
}

// Rows by the best ISA; they want shifts of at most 31, which scales of any sense give.
std::optional<RowMultiplier> row_multiplier(FixedMultiplier m) {
  if (m.shift > 31 || m.shift < -31) return std::nullopt;
  return RowMultiplier{m.value, std::max(m.shift, 0), std::max(-m.shift, 0)};
}

// Where one operand is a short row that every row of the other meets, as the gates of squeeze-and-excite are: which one,
// and how many rows make a long one.
struct RepeatedRow {
  size_t operand = 0, copies = 0;
};
std::optional<RepeatedRow> repeated_row(const Broadcast<2>& plan) {
  constexpr size_t kLongRow = 1024;
  const size_t length = plan.row();
  if (plan.rank != 2 || plan.row_stride(0) != 1 || plan.row_stride(1) != 1 || length == 0 || length >= kLongRow)
    return std::nullopt;
  for (size_t n = 0; n < 2; ++n) {
    if (plan.strides[n][0] == 0 && plan.strides[1 - n][0] == length)
      return RepeatedRow{n, std::min(kLongRow / length + 1, plan.dims[0])};
  }
  return std::nullopt;
}

template <class T, class Args, class Row>
Prepared rows_kernel(const Broadcast<2>& plan, const Args& row_args, Row row, std::string choice) {
  if (const auto repeated = repeated_row(plan)) {
    // Its copies lie side by side in workspace, for as many rows at a time.
    const size_t length = plan.row(), rows = plan.dims[0], copies = repeated->copies;
    return make_kernel(
        [row_args, row, length, rows, copies, operand = repeated->operand](const RunArgs& args) noexcept {
          auto* const side_by_side = reinterpret_cast<T*>(args.workspace);
          for (size_t i = 0; i < copies; ++i) std::copy_n(in<T>(args, operand), length, side_by_side + i * length);
          parallel_for(args.pool, rows, kCheapGrain / length + 1, [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; i += copies) {
              const T* other = in<T>(args, 1 - operand) + i * length;
              row(row_args, operand == 0 ? side_by_side : other, 1, operand == 0 ? other : side_by_side, 1,
                  out<T>(args) + i * length, std::min(copies, end - i) * length);
            }
          });
        },
        choice + ", rows side by side", copies * length * sizeof(T));
  }
  return make_kernel(
      [plan, row_args, row](const RunArgs& args) noexcept {
        for_each_row(plan, args.pool, kCheapGrain, [&](const std::array<size_t, 2>& offsets, size_t at, size_t length) {
          row(row_args, in<T>(args, 0) + offsets[0], plan.row_stride(0), in<T>(args, 1) + offsets[1],
              plan.row_stride(1), out<T>(args) + at, length);
        });
      },
      std::move(choice));
}

// The gate's copies become floats once.
template <class T>
Prepared gate_kernel(const Broadcast<2>& plan, const RepeatedRow& gate, FloatProductArgs product, FloatGateRow row,
                     std::string choice) {
  if (gate.operand == 0) std::swap(product.a_zero, product.b_zero);
  const size_t length = plan.row(), rows = plan.dims[0], copies = gate.copies;
  return make_kernel(
      [product, row, length, rows, copies, operand = gate.operand](const RunArgs& args) noexcept {
        auto* const side_by_side = reinterpret_cast<float*>(args.workspace);
        const T* in_gate = in<T>(args, operand);
        for (size_t i = 0; i < length; ++i) {
          side_by_side[i] = static_cast<float>(static_cast<int8_t>(in_gate[i] ^ product.flip)) - product.b_zero;
        }
        for (size_t i = 1; i < copies; ++i) std::copy_n(side_by_side, length, side_by_side + i * length);
        parallel_for(args.pool, rows, kCheapGrain / length + 1, [&](size_t begin, size_t end) {
          for (size_t i = begin; i < end; i += copies) {
            row(product, in<T>(args, 1 - operand) + i * length, side_by_side, out<T>(args) + i * length,
                std::min(copies, end - i) * length);
          }
        });
      },
      choice + ", rows side by side", copies * length * sizeof(float));
}

template <class T, class Args>
Prepared row_kernel(const OpContext& context, const Broadcast<2>& plan, const Args& row_args, const char* name) {
  const char* isa = "";
  const BinaryRow<Args, T> row = select_binary_row<Args, T>(&isa);
  const std::string choice = std::string(name) + dtype_name(context.outputs[0].dtype);
  if constexpr (sizeof(T) == 1 && std::is_same_v<Args, SumRowArgs>) {
    const char* float_isa = "";
    const FloatRow float_row = select_float_row(&float_isa);
    if (context.outputs[0].count() >= kWorthAllPairs) {
      if (const auto formula = find_float_row<T>(float_row, row, row_args)) {
        return rows_kernel<T>(plan, *formula, float_row, choice + " float rows " + float_isa);
      }
    }
  }
  if constexpr (sizeof(T) == 1 && std::is_same_v<Args, ProductRowArgs>) {
    const char* float_isa = "";
    const FloatProductRows float_rows = select_float_product_rows(&float_isa);
    if (context.outputs[0].count() >= kWorthAllPairs) {
      if (const auto formula = find_float_product<T>(float_rows.row, row, row_args)) {
        const std::string chosen = choice + " float rows " + float_isa;
        const auto gate = repeated_row(plan);
        return gate ? gate_kernel<T>(plan, *gate, *formula, float_rows.gate, chosen)
                    : rows_kernel<T>(plan, *formula, float_rows.row, chosen);
      }
    }
    const char* byte_isa = "";
    const ByteProductRow byte_row = select_byte_product_row(&byte_isa);
    const auto byte_args = byte_product_args<T>(row_args);
    if (byte_row != nullptr && byte_args) {
      return rows_kernel<T>(plan, *byte_args, byte_row, choice + " byte rows " + byte_isa);
    }
  }
  return rows_kernel<T>(plan, row_args, row, choice + " rows " + isa);
}

template <class Args>
Prepared row_kernel(const OpContext& context, const Broadcast<2>& plan, const Args& args, const char* name) {
  switch (context.outputs[0].dtype) {
    case DType::kInt8: return row_kernel<int8_t>(context, plan, args, name);
    case DType::kUInt8: return row_kernel<uint8_t>(context, plan, args, name);
    default: return row_kernel<int16_t>(context, plan, args, name);
  }
}

// log2 of a scale that is a power of two within TFLite's tolerance.
std::optional<int> power_of_two(float scale) {
  const float exponent = std::log(scale) * (1.0f / std::log(2.0f));
  const float rounded = std::round(exponent);
  if (std::abs(exponent - rounded) >= 1e-3f) return std::nullopt;
  return static_cast<int>(rounded);
}

bool wants_power_of_two(const Node& node) {
  if (const auto* add = node.options->AsAddOptions()) return add->pot_scale_int16;
  if (const auto* sub = node.options->AsSubOptions()) return sub->pot_scale_int16;
  return false;
}

// The shifts of the power-of-two form, where the option and the scales ask for it; nothing: the general form.
Result<std::optional<PowerOfTwoAdd>> power_of_two_form(const OpContext& context, IntRange clamp) {
  if (context.outputs[0].dtype != DType::kInt16 || !wants_power_of_two(*context.node))
    return std::optional<PowerOfTwoAdd>();
  const auto a = power_of_two(context.inputs[0].scale());
  const auto b = power_of_two(context.inputs[1].scale());
  const auto result = power_of_two(context.outputs[0].scale());
  if (!a || !b || !result) return std::optional<PowerOfTwoAdd>();
  const int a_shift = *result - *a, b_shift = *result - *b;
  if (a_shift < 0 || b_shift < 0 || a_shift > 31 || b_shift > 31 || (a_shift != 0 && b_shift != 0)) {
    return context.fail(
        ErrorCode::kUnsupported,
        "power-of-two scales 2^{}, 2^{} -> 2^{}: one input must have the output's scale, the other a smaller one", *a,
        *b, *result);
  }
  return std::optional(PowerOfTwoAdd{a_shift, b_shift, context.node->op == Op::SUB, clamp});
}

CommonScaleArgs common_scale_args(const OpContext& context, int left_shift, IntRange clamp) {
  const TensorInfo &a = context.inputs[0], &b = context.inputs[1], &result = context.outputs[0];
  CommonScaleArgs args{a.zero_point(), b.zero_point(), result.zero_point(), left_shift};
  args.clamp = clamp;
  const double twice_larger = 2 * static_cast<double>(std::max(a.scale(), b.scale()));
  args.a = quantize_multiplier(a.scale() / twice_larger);
  args.b = quantize_multiplier(b.scale() / twice_larger);
  const double square = context.node->op == Op::SQUARED_DIFFERENCE ? twice_larger * twice_larger : twice_larger;
  const int shift_out = context.node->op == Op::SQUARED_DIFFERENCE ? 2 * left_shift : left_shift;
  args.out = quantize_multiplier(square / (static_cast<double>(1 << shift_out) * static_cast<double>(result.scale())));
  return args;
}

Status require_zero_points_of_zero(const OpContext& context) {
  if (context.inputs[0].zero_point() == 0 && context.inputs[1].zero_point() == 0 &&
      context.outputs[0].zero_point() == 0)
    return {};
  return context.fail(ErrorCode::kUnsupported, "int16 operands must have the zero point 0");
}

Result<Prepared> prepare_common_scale(const OpContext& context, const Broadcast<2>& plan, IntRange clamp) {
  const bool wide = context.outputs[0].dtype == DType::kInt16;
  if (context.node->op == Op::SQUARED_DIFFERENCE) {
    if (context.outputs[0].dtype != DType::kInt8) return unsupported_types(context);
    return quantized_kernel<int8_t, int8_t>(plan, QuantizedSquaredDifference{common_scale_args(context, 7, clamp)},
                                            "squared_difference_s8");
  }
  FB_ASSIGN(const auto shifted, power_of_two_form(context, clamp));
  if (shifted) {
    FB_TRY(require_zero_points_of_zero(context));
    return quantized_kernel<int16_t, int16_t>(plan, *shifted,
                                              shifted->subtract ? "sub_s16 power of two" : "add_s16 power of two");
  }
  const CommonScaleArgs args = common_scale_args(context, wide ? 15 : 20, clamp);
  const bool subtract = context.node->op == Op::SUB;
  const auto a = row_multiplier(args.a), b = row_multiplier(args.b), result = row_multiplier(args.out);
  if (a && b && result) {
    const SumRowArgs row{args.a_zero, args.b_zero, args.out_zero, args.left_shift, *a,
                         *b,          *result,     clamp.lo,      clamp.hi,        subtract};
    return row_kernel(context, plan, row, subtract ? "sub_" : "add_");
  }
  return subtract ? quantized_kernel(context, plan, QuantizedSub{args}, "sub of extreme scales")
                  : quantized_kernel(context, plan, QuantizedAdd{args}, "add of extreme scales");
}

Result<Prepared> prepare_product(const OpContext& context, const Broadcast<2>& plan, IntRange clamp) {
  const TensorInfo &a = context.inputs[0], &b = context.inputs[1], &result = context.outputs[0];
  ProductArgs args{a.zero_point(), b.zero_point(), result.zero_point(), {}, clamp};
  if (context.node->op == Op::DIV) {
    // float32 arithmetic, as LiteRT's.
    args.multiplier = quantize_multiplier(static_cast<double>(a.scale() / (b.scale() * result.scale())));
    return quantized_kernel(context, plan, QuantizedDiv{args}, result.dtype == DType::kInt16 ? "div_s16" : "div_8bit");
  }
  if (a.dtype == DType::kInt16) FB_TRY(require_zero_points_of_zero(context));
  args.multiplier = quantize_multiplier(static_cast<double>(a.scale() * b.scale() / result.scale()));
  if (const auto out_multiplier = row_multiplier(args.multiplier)) {
    return row_kernel(context, plan,
                      ProductRowArgs{args.a_zero, args.b_zero, args.out_zero, *out_multiplier, clamp.lo, clamp.hi},
                      "mul_");
  }
  return quantized_kernel(context, plan, QuantizedMul{args}, "mul of extreme scales");
}

}  // namespace

Result<Prepared> prepare_quantized_arithmetic(const OpContext& context, const Broadcast<2>& plan) {
  const DType type = context.outputs[0].dtype;
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt8, DType::kUInt8, DType::kInt16}));
  FB_TRY(require_per_tensor(context, context.inputs[0], "the first operand"));
  FB_TRY(require_per_tensor(context, context.inputs[1], "the second operand"));
  FB_TRY(require_per_tensor(context, context.outputs[0], "the output"));
  FB_ASSIGN(const IntRange clamp,
            activation_range_quantized(context, fused_activation(*context.node), context.outputs[0]));
  if (context.inputs[0].dtype == DType::kInt16 && type != DType::kInt16) {
    if (context.node->op != Op::MUL) return unsupported_types(context);
    const HighMul high{context.outputs[0].zero_point(), clamp};
    return type == DType::kInt8 ? quantized_kernel<int16_t, int8_t>(plan, high, "mul_s16s8")
                                : quantized_kernel<int16_t, uint8_t>(plan, high, "mul_s16u8");
  }
  if (context.inputs[0].dtype != type) return unsupported_types(context);
  const bool product = context.node->op == Op::MUL || context.node->op == Op::DIV;
  return product ? prepare_product(context, plan, clamp) : prepare_common_scale(context, plan, clamp);
}

}  // namespace fewbits::ops
