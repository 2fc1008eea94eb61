// prepare() of QUANTIZE from floats, DEQUANTIZE and FAKE_QUANT.
#include <cmath>

#include "base/half.h"
#include "kernels/quantize.h"
#include "ops/quantize/axis.h"
#include "ops/quantize/op.h"
#include "ops/quantize/ref.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

using SharedParams = std::shared_ptr<const ChannelParams>;

// ---- QUANTIZE ----

// flip: 0x80 for uint8, whose zero points are then 128 lower.
Prepared quantize_to_bytes(const SharedParams& params, uint8_t flip) {
  const QuantizeKernels& kernels = select_quantize(isa());
  return make_kernel(
      [params, flip, &kernels](const RunArgs& args) noexcept {
        for_each_run(*params, args.pool, [&](size_t first, size_t length, size_t c) {
          kernels.f32_to_s8(in<float>(args, 0) + first, out<int8_t>(args) + first, length, params->scale[c],
                            params->zero_point[c] - flip, -128, 127, flip);
        });
      },
      std::string("quantize 8 bits ") + kernels.name);
}

Prepared quantize_to_words(const SharedParams& params) {
  const QuantizeKernels& kernels = select_quantize(isa());
  return make_kernel(
      [params, &kernels](const RunArgs& args) noexcept {
        for_each_run(*params, args.pool, [&](size_t first, size_t length, size_t c) {
          kernels.f32_to_s16(in<float>(args, 0) + first, out<int16_t>(args) + first, length, params->scale[c],
                             params->zero_point[c], -32768, 32767);
        });
      },
      std::string("quantize 16 bits ") + kernels.name);
}

Prepared quantize_packed(const SharedParams& params, PackedInts packed) {
  return make_kernel(
      [params, packed](const RunArgs& args) noexcept {
        const size_t count = params->count();
        parallel_for(args.pool, (count + packed.per_byte() - 1) / packed.per_byte(), kCostlyGrain,
                     [&](size_t begin, size_t end) {
                       for (size_t byte = begin; byte < end; ++byte) {
                         packed.put_byte(out<uint8_t>(args), byte, count, [&](size_t i) {
                           const size_t c = params->channel_of(i);
                           return quantize_value(in<float>(args, 0)[i], params->scale[c], params->zero_point[c],
                                                 packed.lo(), packed.hi());
                         });
                       }
                     });
      },
      "quantize packed");
}

// ---- DEQUANTIZE ----

Prepared dequantize_bytes(const SharedParams& params, uint8_t flip) {
  const QuantizeKernels& kernels = select_quantize(isa());
  return make_kernel(
      [params, flip, &kernels](const RunArgs& args) noexcept {
        for_each_run(*params, args.pool, [&](size_t first, size_t length, size_t c) {
          kernels.s8_to_f32(in<int8_t>(args, 0) + first, out<float>(args) + first, length, params->scale[c],
                            params->zero_point[c] - flip, flip);
        });
      },
      std::string("dequantize 8 bits ") + kernels.name);
}

Prepared dequantize_words(const SharedParams& params) {
  const QuantizeKernels& kernels = select_quantize(isa());
  return make_kernel(
      [params, &kernels](const RunArgs& args) noexcept {
        for_each_run(*params, args.pool, [&](size_t first, size_t length, size_t c) {
          kernels.s16_to_f32(in<int16_t>(args, 0) + first, out<float>(args) + first, length, params->scale[c],
                             params->zero_point[c]);
        });
      },
      std::string("dequantize 16 bits ") + kernels.name);
}

// get(args, i): stored value i.
template <class Get>
Prepared dequantize_values(const SharedParams& params, const Get& get, const char* choice) {
  return make_kernel(
      [params, get](const RunArgs& args) noexcept {
        parallel_for(args.pool, params->count(), kCheapGrain, [&](size_t begin, size_t end) {
          for (size_t i = begin; i < end; ++i) {
            const size_t c = params->channel_of(i);
            out<float>(args)[i] = dequantize_value(get(args, i), params->scale[c], params->zero_point[c]);
          }
        });
      },
      choice);
}

Prepared widen_half(size_t count) {
  return make_kernel(
      [count](const RunArgs& args) noexcept {
        parallel_for(args.pool, count, kCheapGrain, [&](size_t begin, size_t end) {
          half_to_float(in<uint16_t>(args, 0) + begin, out<float>(args) + begin, end - begin);
        });
      },
      "float16 to float32");
}

Prepared widen_bfloat16(size_t count) {
  return make_kernel(
      [count](const RunArgs& args) noexcept {
        map_elements(in<uint16_t>(args, 0), out<float>(args), count, args.pool, kCheapGrain, bfloat16_to_float);
      },
      "bfloat16 to float32");
}

}  // namespace

Result<ChannelParams> channel_params(const OpContext& context, const TensorInfo& tensor, const char* what) {
  const QuantParams& quant = *tensor.quant;
  if (quant.details != nullptr) return context.fail(ErrorCode::kUnsupported, "{} is not quantized by scales", what);
  ChannelParams params;
  params.inner = tensor.count();
  if (quant.scale.size() > 1) {
    if (quant.axis < 0 || quant.axis >= tensor.rank() ||
        static_cast<size_t>(tensor.dim(quant.axis)) != quant.scale.size()) {
      return context.fail(ErrorCode::kInvalidModel, "{} has {} scales along dimension {} of {}", what,
                          quant.scale.size(), quant.axis, shape_text(tensor.shape));
    }
    params.inner = 1;
    for (int i = 0; i < tensor.rank(); ++i) {
      if (i != quant.axis) (i < quant.axis ? params.outer : params.inner) *= static_cast<size_t>(tensor.dim(i));
    }
  } else if (quant.scale.empty()) {
    return context.fail(ErrorCode::kInvalidModel, "{} has no scale", what);
  }
  if (quant.zero_point.size() > 1 && quant.zero_point.size() != quant.scale.size()) {
    return context.fail(ErrorCode::kInvalidModel, "{} has {} zero points for {} scales", what, quant.zero_point.size(),
                        quant.scale.size());
  }
  const size_t bits = dtype_bits(tensor.dtype);
  const bool is_unsigned =
      tensor.dtype == DType::kUInt8 || tensor.dtype == DType::kUInt4 || tensor.dtype == DType::kUInt16;
  const int64_t lo = is_unsigned ? 0 : -(int64_t{1} << (bits - 1));
  const int64_t hi = is_unsigned ? (int64_t{1} << bits) - 1 : (int64_t{1} << (bits - 1)) - 1;
  for (size_t c = 0; c < quant.scale.size(); ++c) {
    const float scale = quant.scale[c];
    const int64_t zero = quant.zero(c);
    // A scale of 0 is what quantizers write for a channel of zeros; only a division by it is an error.
    if (!(scale >= 0) || !std::isfinite(scale) || zero < lo || zero > hi) {
      return context.fail(ErrorCode::kInvalidModel, "{} has the scale {} and zero point {}", what, scale, zero);
    }
    params.scale.push_back(scale);
    params.zero_point.push_back(static_cast<int32_t>(zero));
  }
  return params;
}

Result<Prepared> prepare_quantize(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  if (input.dtype != DType::kFloat32) return prepare_requantize(context);
  FB_TRY(require_type(context, output, "the output",
                      {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kInt4, DType::kInt2, DType::kUInt4}));
  FB_ASSIGN(ChannelParams params, channel_params(context, output, "the output"));
  for (float scale : params.scale) {
    if (scale == 0) return context.fail(ErrorCode::kInvalidModel, "the output has a scale of 0");
  }
  const auto shared = std::make_shared<const ChannelParams>(std::move(params));
  switch (output.dtype) {
    case DType::kInt8: return quantize_to_bytes(shared, 0);
    case DType::kUInt8: return quantize_to_bytes(shared, 0x80);
    case DType::kInt16: return quantize_to_words(shared);
    default: return quantize_packed(shared, PackedInts(output.dtype));
  }
}

Result<Prepared> prepare_dequantize(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kFloat32}));
  if (input.dtype == DType::kFloat16) return widen_half(input.count());
  if (input.dtype == DType::kBFloat16) return widen_bfloat16(input.count());
  FB_TRY(require_type(context, input, "the input",
                      {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kUInt16, DType::kInt32, DType::kInt4,
                       DType::kUInt4, DType::kInt2, DType::kFloat16, DType::kBFloat16}));
  FB_ASSIGN(ChannelParams params, channel_params(context, input, "the input"));
  const auto shared = std::make_shared<const ChannelParams>(std::move(params));
  switch (input.dtype) {
    case DType::kInt8: return dequantize_bytes(shared, 0);
    case DType::kUInt8: return dequantize_bytes(shared, 0x80);
    case DType::kInt16: return dequantize_words(shared);
    case DType::kUInt16:
      return dequantize_values(
          shared, [](const RunArgs& args, size_t i) noexcept { return int32_t{in<uint16_t>(args, 0)[i]}; },
          "dequantize_u16");
    case DType::kInt32:
      return dequantize_values(
          shared, [](const RunArgs& args, size_t i) noexcept { return in<int32_t>(args, 0)[i]; }, "dequantize_s32");
    default:
      return dequantize_values(
          shared,
          [packed = PackedInts(input.dtype)](const RunArgs& args, size_t i) noexcept {
            return packed.get(in<uint8_t>(args, 0), i);
          },
          "dequantize packed");
  }
}

// The range moved so that 0 lies on the grid, then every value put on the grid (tflite's NudgeQuantizationRange).
Result<Prepared> prepare_fake_quant(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the input", {DType::kFloat32}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kFloat32}));
  const auto* options = context.node->options->AsFakeQuantOptions();
  if (options == nullptr || options->num_bits < 2 || options->num_bits > 16 || !(options->min <= 0) ||
      !(options->max >= 0) || !(options->min < options->max) || !std::isfinite(options->max - options->min)) {
    return context.fail(ErrorCode::kInvalidModel, "needs 2 to 16 bits and a range that contains 0");
  }
  const float least = options->narrow_range ? 1.0f : 0.0f;
  const auto most = static_cast<float>((1 << options->num_bits) - 1);
  const float scale = (options->max - options->min) / (most - least);
  const float zero = std::clamp(std::round(least - options->min / scale), least, most);
  const float lo = (least - zero) * scale, hi = (most - zero) * scale;
  return make_kernel(
      [scale, lo, hi, inverse = 1.0f / scale, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        map_elements(in<float>(args, 0), out<float>(args), count, args.pool, kCheapGrain, [=](float x) noexcept {
          const float above = x < lo ? lo : x;
          const float clamped = above > hi ? hi : above;
          return std::round((clamped - lo) * inverse) * scale + lo;
        });
      },
      "fake_quant");
}

}  // namespace fewbits::ops
