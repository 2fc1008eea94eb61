// The specification of the conv family.
#include "ops/conv/ref.h"

#include <algorithm>
#include <vector>

#include "kernels/quantize.h"
#include "kernels/requantize.h"

namespace fewbits::ops {
namespace {

// The input position along one dimension that the tap `k` of output position `o` meets, or -1.
int32_t input_position(const ConvGeometry& g, size_t dim, int32_t o, int32_t k) noexcept {
  int64_t at;
  if (g.transposed) {
    const int64_t scaled = static_cast<int64_t>(o) + g.pad[dim] - static_cast<int64_t>(k) * g.dilation[dim];
    if (scaled < 0 || scaled % g.stride[dim] != 0) return -1;
    at = scaled / g.stride[dim];
  } else {
    at = static_cast<int64_t>(o) * g.stride[dim] - g.pad[dim] + static_cast<int64_t>(k) * g.dilation[dim];
  }
  return at < 0 || at >= g.in[dim] ? -1 : static_cast<int32_t>(at);
}

// The sum of one output element. `image`: the input of this batch element; value(x, w): one product.
template <class Acc, class In, class Weight, class Product>
Acc sum_at(const ConvRefArgs& args, const In* image, const Weight* filter, const Spatial& o, int32_t channel,
           const Product& product) noexcept {
  const ConvGeometry& g = args.geometry;
  const int32_t depth = g.in_channels / g.groups, first = channel / (g.out_channels / g.groups) * depth;
  Acc sum = 0;
  for (int32_t kz = 0; kz < g.filter[0]; ++kz) {
    for (int32_t ky = 0; ky < g.filter[1]; ++ky) {
      for (int32_t kx = 0; kx < g.filter[2]; ++kx) {
        const int32_t z = input_position(g, 0, o[0], kz), y = input_position(g, 1, o[1], ky),
                      x = input_position(g, 2, o[2], kx);
        if (z < 0 || y < 0 || x < 0) continue;
        const auto tap = static_cast<size_t>((kz * g.filter[1] + ky) * g.filter[2] + kx);
        const In* pixel =
            image +
            (static_cast<size_t>(z * g.in[1] + y) * static_cast<size_t>(g.in[2]) + static_cast<size_t>(x)) *
                static_cast<size_t>(g.in_channels) +
            first;
        const Weight* w = filter + static_cast<size_t>(channel) * args.strides.out + tap * args.strides.tap;
        for (int32_t c = 0; c < depth; ++c) sum += product(pixel[c], w[static_cast<size_t>(c) * args.strides.in]);
      }
    }
  }
  return sum;
}

// Every output element in order: out = finish(sum, channel).
template <class Acc, class In, class Weight, class Out, class Product, class Finish>
void each_output(const ConvRefArgs& args, int32_t batch, const In* in, const Weight* filter, Out* out,
                 const Product& product, const Finish& finish) noexcept {
  const ConvGeometry& g = args.geometry;
  for (int32_t n = 0; n < batch; ++n, in += g.in_image()) {
    for (int32_t z = 0; z < g.out[0]; ++z) {
      for (int32_t y = 0; y < g.out[1]; ++y) {
        for (int32_t x = 0; x < g.out[2]; ++x) {
          for (int32_t c = 0; c < g.out_channels; ++c) {
            *out++ = finish(sum_at<Acc>(args, in, filter, {z, y, x}, c, product), static_cast<size_t>(c));
          }
        }
      }
    }
  }
}

float clamp(float value, const FloatRange& range) noexcept { return std::min(std::max(value, range.lo), range.hi); }

int32_t flipped(int8_t value, uint8_t flip) noexcept { return static_cast<int8_t>(static_cast<uint8_t>(value) ^ flip); }

}  // namespace

void conv_ref(const ConvRefArgs& args, const ProductSpec& spec, const float* in, const float* filter, const float* bias,
              float* out) noexcept {
  each_output<float>(
      args, args.geometry.batch, in, filter, out, [](float x, float w) { return x * w; },
      [&](float sum, size_t c) { return clamp(sum + (bias != nullptr ? bias[c] : 0.0f), spec.float_limits); });
}

void conv_ref(const ConvRefArgs& args, const ProductSpec& spec, const int8_t* in, const int8_t* filter,
              const int32_t* bias, int8_t* out) noexcept {
  each_output<int32_t>(
      args, args.geometry.batch, in, filter, out,
      [&](int8_t x, int8_t w) {
        return (flipped(x, spec.flip) - spec.in_zero_point) * (flipped(w, spec.flip) - spec.weight_zero_point);
      },
      [&](int32_t sum, size_t c) {
        const int32_t q = requantize(sum + (bias != nullptr ? bias[c] : 0), spec.scales[c], spec.rounding,
                                     spec.out_zero_point, spec.limits.lo, spec.limits.hi);
        return static_cast<int8_t>(flipped(static_cast<int8_t>(q), spec.flip));
      });
}

void conv_ref(const ConvRefArgs& args, const ProductSpec& spec, const int16_t* in, const int8_t* filter,
              const int64_t* bias, int16_t* out) noexcept {
  each_output<int64_t>(
      args, args.geometry.batch, in, filter, out,
      [&](int16_t x, int8_t w) { return (static_cast<int64_t>(x) - spec.in_zero_point) * w; },
      [&](int64_t sum, size_t c) {
        sum += bias != nullptr ? bias[c] : 0;
        return requantize_s16(sum, spec.fixed[c], spec.short_rule, spec.out_zero_point, spec.limits.lo, spec.limits.hi);
      });
}

void conv_ref_hybrid(const ConvRefArgs& args, const ProductSpec& spec, bool symmetric, const float* in,
                     const int8_t* filter, const float* bias, float* out) noexcept {
  const ConvGeometry& g = args.geometry;
  std::vector<int8_t> image(g.in_image());
  for (int32_t n = 0; n < g.batch; ++n, in += g.in_image(), out += g.out_image()) {
    const DynamicParams q = quantize_kernels().back()->f32_to_s8_dynamic(in, image.data(), image.size(), symmetric);
    each_output<int32_t>(
        args, 1, image.data(), filter, out, [&](int8_t x, int8_t w) { return (x - q.zero_point) * w; },
        [&](int32_t sum, size_t c) {
          const float value = static_cast<float>(sum) * (q.scale * spec.scales[c]);
          return clamp(value + (bias != nullptr ? bias[c] : 0.0f), spec.float_limits);
        });
  }
}

}  // namespace fewbits::ops
