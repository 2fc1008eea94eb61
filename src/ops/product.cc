// What the operators that multiply by weights share.
#include "ops/product.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "kernels/gemm_s8b4.h"
#include "ops/sparse_constant.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

bool is_narrow_integer(DType type) noexcept {
  return type == DType::kInt8 || type == DType::kInt4 || type == DType::kInt2;
}

// One scale a channel, whatever the tensor has.
Result<std::vector<float>> weight_scales(const OpContext& context, const ProductOperands& operands) {
  const TensorInfo& weights = operands.weights;
  const QuantParams& quant = *weights.quant;
  const auto channels = static_cast<size_t>(operands.channels);
  if (quant.details != nullptr) {
    return context.fail(ErrorCode::kUnsupported,
                        "the weights '{}' are not quantized by scales of the tensor or its channels",
                        weights.value->name);
  }
  const size_t count = quant.scale.size();
  if (count != 1 && count != channels) {
    return context.fail(ErrorCode::kInvalidModel, "the weights '{}' have {} scales for {} output channels",
                        weights.value->name, count, channels);
  }
  if (count > 1 && quant.axis != operands.axis) {
    return context.fail(ErrorCode::kInvalidModel, "the scales of the weights '{}' lie along dimension {}, not {}",
                        weights.value->name, quant.axis, operands.axis);
  }
  for (float scale : quant.scale) {
    if (!(scale >= 0) || !std::isfinite(scale)) {
      return context.fail(ErrorCode::kInvalidModel, "the weights '{}' have the scale {}", weights.value->name, scale);
    }
  }
  const bool any_zero_point =
      std::any_of(quant.zero_point.begin(), quant.zero_point.end(), [](int64_t z) { return z != 0; });
  const bool allowed = weights.dtype == DType::kUInt8 ||
                       (count == 1 && operands.weights_may_be_asymmetric && operands.input.dtype == DType::kInt8);
  if (any_zero_point && !allowed) {
    return context.fail(ErrorCode::kUnsupported, "the weights '{}' must have the zero point 0", weights.value->name);
  }
  return count == channels ? quant.scale : std::vector<float>(channels, count == 0 ? 0.0f : quant.scale[0]);
}

Status check_bias(const OpContext& context, const ProductOperands& operands, ProductSpec& spec) {
  if (operands.bias == nullptr) return {};
  const TensorInfo& bias = *operands.bias;
  if (bias.count() != static_cast<size_t>(operands.channels)) {
    return context.fail(ErrorCode::kInvalidModel,
                        "the bias '{}' has the shape {}, not one element for each of {} channels", bias.value->name,
                        shape_text(bias.shape), operands.channels);
  }
  spec.has_bias = true;
  switch (spec.scheme) {
    case Scheme::kFloat:
    case Scheme::kHybrid: return require_type(context, bias, "the bias", {DType::kFloat32});
    case Scheme::kInt8:
    case Scheme::kUInt8: return require_type(context, bias, "the bias", {DType::kInt32});
    case Scheme::kInt16: break;
  }
  spec.narrow_bias = bias.dtype == DType::kInt32;
  spec.short_rule = spec.narrow_bias ? ShortRule::kInt32 : ShortRule::kReduced;
  return require_type(context, bias, "the bias", {DType::kInt64, DType::kInt32});
}

// Scales to multipliers: s_in * s_w / s_out, rounded once.
Status fill_multipliers(const OpContext& context, const ProductOperands& operands, ProductSpec& spec) {
  const double in = operands.input.scale(), out = operands.output.scale();
  for (float& scale : spec.scales) {
    const double real = in * static_cast<double>(scale) / out;
    // The 16-bit multipliers of int16 outputs end at 2^7.
    if (!(real < (spec.scheme == Scheme::kInt16 ? 128.0 : 1e9))) {
      return context.fail(ErrorCode::kUnsupported,
                          "the scales {} (input), {} (weights) and {} (output) are too far apart", in, scale, out);
    }
    if (spec.scheme == Scheme::kInt16) spec.fixed.push_back(quantize_multiplier(real));
    scale = static_cast<float>(real);
  }
  return {};
}

Status fill_integers(const OpContext& context, const ProductOperands& operands, ProductSpec& spec) {
  FB_TRY(require_per_tensor(context, operands.input, "the input"));
  FB_TRY(require_per_tensor(context, operands.output, "the output"));
  FB_ASSIGN(spec.limits, activation_range_quantized(context, operands.activation, operands.output));
  spec.in_zero_point = operands.input.zero_point();
  spec.out_zero_point = operands.output.zero_point();
  if (spec.scheme == Scheme::kUInt8 || spec.weight_zero_point != 0) {
    FB_TRY(require_per_tensor(context, operands.weights, "the weights"));
  }
  if (spec.scheme == Scheme::kUInt8) {
    spec.flip = 0x80;
    spec.in_zero_point -= 128;
    spec.weight_zero_point -= 128;
    spec.out_zero_point -= 128;
    spec.limits = {spec.limits.lo - 128, spec.limits.hi - 128};
  }
  return fill_multipliers(context, operands, spec);
}

}  // namespace

Result<Scheme> product_scheme(const OpContext& context, const TensorInfo& input, const TensorInfo& weights,
                              const TensorInfo& output) {
  if (input.dtype == output.dtype) {
    switch (input.dtype) {
      case DType::kFloat32:
        if (weights.dtype == DType::kFloat32) return Scheme::kFloat;
        if (is_narrow_integer(weights.dtype)) return Scheme::kHybrid;
        break;
      case DType::kInt8:
        if (is_narrow_integer(weights.dtype)) return Scheme::kInt8;
        break;
      case DType::kUInt8:
        if (weights.dtype == DType::kUInt8) return Scheme::kUInt8;
        break;
      case DType::kInt16:
        if (is_narrow_integer(weights.dtype)) return Scheme::kInt16;
        break;
      default: break;
    }
  }
  return unsupported_types(context);
}

Result<ProductSpec> product_spec(const OpContext& context, const ProductOperands& operands) {
  ProductSpec spec;
  spec.fast_float = context.fast_float;
  FB_ASSIGN(spec.scheme, product_scheme(context, operands.input, operands.weights, operands.output));
  FB_TRY(check_bias(context, operands, spec));
  if (spec.scheme == Scheme::kFloat || spec.scheme == Scheme::kHybrid) {
    FB_ASSIGN(spec.float_limits, activation_range(context, operands.activation));
  }
  if (spec.scheme == Scheme::kFloat) return spec;
  if (spec.scheme == Scheme::kHybrid && is_blockwise(operands.weights)) return spec;  // see blockwise_weights()
  FB_ASSIGN(spec.scales, weight_scales(context, operands));
  spec.weight_zero_point = operands.weights.zero_point();
  if (spec.scheme != Scheme::kHybrid) FB_TRY(fill_integers(context, operands, spec));
  return spec;
}

void fill_args(const ProductSpec& spec, GemmF32Args& args) noexcept {
  args.lo = spec.float_limits.lo;
  args.hi = spec.float_limits.hi;
}

void fill_args(const ProductSpec& spec, DepthwiseF32Args& args) noexcept {
  args.lo = spec.float_limits.lo;
  args.hi = spec.float_limits.hi;
}

namespace {
// The fields that GemmS8Args and DepthwiseS8Args share.
template <class Args>
void fill_bytes(const ProductSpec& spec, Args& args) noexcept {
  args.out_flip = spec.flip;
  args.out_zero_point = spec.out_zero_point;
  args.lo = spec.limits.lo;
  args.hi = spec.limits.hi;
  args.multiplier = spec.scales.data();
  args.rounding = spec.rounding;
  if (spec.scheme != Scheme::kHybrid) return;
  args.output = GemmS8Output::kFloat;
  args.channel_scale = spec.scales.data();
  args.float_lo = spec.float_limits.lo;
  args.float_hi = spec.float_limits.hi;
}
template <class Args>
void fill_shorts(const ProductSpec& spec, Args& args) noexcept {
  args.multiplier = spec.fixed.data();
  args.rule = spec.short_rule;
  args.out_zero_point = spec.out_zero_point;
  args.lo = spec.limits.lo;
  args.hi = spec.limits.hi;
}
}  // namespace

void fill_args(const ProductSpec& spec, GemmS8Args& args) noexcept {
  args.channel_first = spec.channel_first;
  fill_bytes(spec, args);
  args.a_flip = spec.flip;
  args.a_zero_point = spec.in_zero_point;
  args.w_zero_point = spec.weight_zero_point;
}

void fill_args(const ProductSpec& spec, DepthwiseS8Args& args) noexcept {
  fill_bytes(spec, args);
  args.in_flip = spec.flip;
  args.in_zero_point = spec.in_zero_point;
}

void fill_args(const ProductSpec& spec, GemmS16S8Args& args) noexcept {
  fill_shorts(spec, args);
  args.a_zero_point = spec.in_zero_point;
}

void fill_args(const ProductSpec& spec, DepthwiseS16S8Args& args) noexcept {
  fill_shorts(spec, args);
  args.in_zero_point = spec.in_zero_point;
}

namespace {
// int4 or int2 elements, lowest bits first, to int8.
void unpack(const void* packed, size_t count, size_t bits, int8_t* out) noexcept {
  const auto* bytes = static_cast<const uint8_t*>(packed);
  const size_t per_byte = 8 / bits;
  for (size_t i = 0; i < count; ++i) {
    const auto high =
        static_cast<int8_t>(static_cast<uint8_t>(bytes[i / per_byte] << (8 - bits - i % per_byte * bits)));
    out[i] = static_cast<int8_t>(high >> (8 - bits));
  }
}
}  // namespace

Result<WeightData> weight_data(const OpContext& context, const TensorInfo& weights) {
  WeightData result{.count = weights.count(), .bits = dtype_bits(weights.dtype), .packs = context.packs};
  if (weights.value->sparsity != nullptr) {
    if (result.bits < 8) {
      return context.fail(ErrorCode::kUnsupported, "sparse {} weights ('{}') are not supported",
                          dtype_name(weights.dtype), weights.value->name);
    }
    FB_ASSIGN(result.storage, densify(context, weights, result.bits / 8));
    result.data = result.storage.data();
  } else if (weights.is_const && result.bits < 8) {
    result.storage.resize(result.count);
    unpack(weights.data, result.count, result.bits, reinterpret_cast<int8_t*>(result.storage.data()));
    result.data = result.storage.data();
  } else if (weights.is_const) {
    result.data = weights.data;
    result.lasting = weights.value->is_const && weights.value->data.identity() == weights.data;
  }
  return result;
}

PackedBytes::PackedBytes(const WeightData& weights, std::string how, size_t bytes,
                         const std::function<void(std::byte*)>& pack) {
  if (weights.packs == nullptr) {
    auto made = allocate_pack(bytes);
    pack(made.get());
    bytes_ = std::move(made);
    return;
  }
  const size_t source = weights.count * std::max<size_t>(weights.bits, 8) / 8;
  bytes_ = weights.packs->get({weights.data, source, weights.lasting, std::move(how)}, bytes, pack);
}

bool is_blockwise(const TensorInfo& weights) noexcept {
  return weights.quant->details != nullptr &&
         weights.quant->details->type == tflite::QuantizationDetails::BlockwiseQuantization;
}

Result<BlockwiseWeights> blockwise_weights(const OpContext& context, const TensorInfo& weights, size_t units,
                                           size_t depth) {
  const auto* details = weights.quant->details->AsBlockwiseQuantization();
  const std::string& name = weights.value->name;
  if (weights.dtype != DType::kInt4 || !weights.is_const || weights.value->sparsity != nullptr) {
    return context.fail(ErrorCode::kUnsupported,
                        "the weights '{}' are quantized in blocks, which only dense constants of int4 may be", name);
  }
  if (details->block_size <= 0 || depth % static_cast<size_t>(details->block_size) != 0) {
    return context.fail(ErrorCode::kInvalidModel, "the weights '{}' have {} inputs, which blocks of {} do not divide",
                        name, depth, details->block_size);
  }
  BlockwiseWeights blocks{.block = static_cast<size_t>(details->block_size)};
  if (blocks.block % kLeastBlock != 0) {
    return context.fail(ErrorCode::kUnsupported, "the weights '{}' have blocks of {}, not of a multiple of {}", name,
                        blocks.block, kLeastBlock);
  }
  if (details->zero_points >= 0) {
    return context.fail(ErrorCode::kUnsupported, "the blocks of the weights '{}' have zero points", name);
  }
  const Value* scales = context.graph->valid(details->scales) ? &context.graph->value(details->scales) : nullptr;
  if (scales == nullptr || !scales->is_const || scales->data.as<uint16_t>().size() < units * (depth / blocks.block)) {
    return context.fail(ErrorCode::kInvalidModel, "the weights '{}' lack the {} scales of their blocks", name,
                        units * (depth / blocks.block));
  }
  if (scales->dtype != DType::kFloat16) {
    return context.fail(ErrorCode::kUnsupported, "the scales '{}' of blocks of weights are {}, not float16",
                        scales->name, dtype_name(scales->dtype));
  }
  blocks.scales = scales->data.as<uint16_t>().data();
  for (const uint16_t scale : scales->data.as<uint16_t>()) {
    const float real = half_to_float(scale);
    if (!(real >= 0) || !std::isfinite(real)) {
      return context.fail(ErrorCode::kInvalidModel, "the weights '{}' have the scale {}", name, real);
    }
  }
  return blocks;
}

const void* LiveWeights::elements(const void* operand, std::byte* workspace) const noexcept {
  if (bits_ >= 8) return operand;
  auto* unpacked = reinterpret_cast<int8_t*>(workspace + at_);
  unpack(operand, count_, bits_, unpacked);
  return unpacked;
}

size_t bias_space(const ProductSpec& spec, size_t channels) noexcept {
  return spec.narrow_bias ? channels * sizeof(int64_t) : 0;
}

const void* widen_bias(const ProductSpec& spec, const void* bias, size_t channels, void* space) noexcept {
  if (!spec.narrow_bias || bias == nullptr) return bias;
  std::copy_n(static_cast<const int32_t*>(bias), channels, static_cast<int64_t*>(space));
  return space;
}

}  // namespace fewbits::ops
