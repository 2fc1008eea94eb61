// prepare() of the random family.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "ops/random/op.h"
#include "ops/random/philox.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

struct Seeds {
  uint64_t seed = 0, seed2 = 0;
  const Node* node = nullptr;  // whose state it is
};

Seeds seeds(const OpContext& context) {
  const auto* options = context.node->options->AsRandomOptions();
  Seeds result{.node = context.node};
  if (options != nullptr) {
    result.seed = static_cast<uint64_t>(options->seed);
    result.seed2 = static_cast<uint64_t>(options->seed2);
  }
  return result;
}

Philox generator(const Seeds& seeds, ResourceStore& resources) {
  const auto found = resources.generator_state.find(seeds.node);
  if (found != resources.generator_state.end()) return Philox(found->second);
  if (seeds.seed != 0 || seeds.seed2 != 0) return Philox(seeds.seed, seeds.seed2);
  std::random_device device;
  const auto draw = [&] { return uint64_t{device()} << 32 | device(); };
  return Philox(draw(), draw());
}

// [0, 1): the low 23 bits as a fraction.
float uniform(uint32_t bits) noexcept { return std::bit_cast<float>((bits & 0x7fffff) | 0x3f800000) - 1.0f; }
double uniform(uint32_t high, uint32_t low) noexcept {
  return std::bit_cast<double>(uint64_t{high & 0xfffff} << 32 | low | uint64_t{0x3ff} << 52) - 1.0;
}

void fill_uniform(Philox& philox, float* to, size_t count) noexcept {
  for (size_t i = 0; i < count; i += 4) {
    const Philox::Block block = philox();
    for (size_t j = i; j < std::min(i + 4, count); ++j) to[j] = uniform(block[j - i]);
  }
}

// Box-Muller: two uniform numbers give two normal ones.
void fill_normal(Philox& philox, float* to, size_t count) noexcept {
  for (size_t i = 0; i < count; i += 4) {
    const Philox::Block block = philox();
    for (size_t j = i; j < std::min(i + 4, count); j += 2) {
      const float radius = std::sqrt(-2.0f * std::log(std::max(uniform(block[j - i]), 1.0e-7f)));
      const auto angle = static_cast<float>(2 * std::numbers::pi * static_cast<double>(uniform(block[j - i + 1])));
      to[j] = std::sin(angle) * radius;
      if (j + 1 < count) to[j + 1] = std::cos(angle) * radius;
    }
  }
}

using Fill = void (*)(Philox&, float*, size_t) noexcept;

Result<Prepared> prepare_fill(const OpContext& context, Fill fill, const char* choice) {
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kFloat32}));
  return make_dynamic_kernel(
      [seeds = seeds(context), fill, shape = context.outputs[0].shape](DynamicArgs& args) -> Status {
        Philox philox = generator(seeds, args.resources());
        FB_ASSIGN(void* const to, args.resize_output(0, shape));
        fill(philox, static_cast<float*>(to), element_count(shape));
        args.resources().generator_state[seeds.node] = philox.state();
        return {};
      },
      choice);
}

// The running sums of exp(logit - greatest); logits that are not finite have no weight.
std::vector<double> cumulative(const float* logits, size_t classes) {
  float greatest = std::numeric_limits<float>::lowest();
  for (size_t i = 0; i < classes; ++i) {
    if (std::isfinite(logits[i])) greatest = std::max(greatest, logits[i]);
  }
  std::vector<double> sums(classes);
  double sum = 0;
  for (size_t i = 0; i < classes; ++i) {
    if (std::isfinite(logits[i])) sum += std::exp(static_cast<double>(logits[i]) - static_cast<double>(greatest));
    sums[i] = sum;
  }
  return sums;
}

template <class Int>
void fill_multinomial(Philox philox, const float* logits, size_t batch, size_t classes, size_t samples, Int* to) {
  Philox::Block block{};
  size_t used = block.size();
  for (size_t b = 0; b < batch; ++b) {
    const std::vector<double> sums = cumulative(logits + b * classes, classes);
    for (size_t i = 0; i < samples; ++i) {
      if (used == block.size()) {
        block = philox();
        used = 0;
      }
      const double wanted = uniform(block[used], block[used + 1]) * sums.back();
      used += 2;
      *to++ = static_cast<Int>(std::upper_bound(sums.begin(), sums.end(), wanted) - sums.begin());
    }
  }
}

}  // namespace

Result<Prepared> prepare_random_uniform(const OpContext& context) {
  return prepare_fill(context, fill_uniform, "philox uniform");
}

Result<Prepared> prepare_random_standard_normal(const OpContext& context) {
  return prepare_fill(context, fill_normal, "philox normal");
}

Result<Prepared> prepare_multinomial(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the logits", {DType::kFloat32}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt32, DType::kInt64}));
  const auto classes = static_cast<size_t>(context.inputs[0].dim(1));
  if (classes == 0) return context.fail(ErrorCode::kInvalidModel, "there are no classes to draw from");
  return make_dynamic_kernel(
      [seeds = seeds(context), shape = context.outputs[0].shape, classes,
       wide = context.outputs[0].dtype == DType::kInt64](DynamicArgs& args) -> Status {
        const auto batch = static_cast<size_t>(shape[0]), samples = static_cast<size_t>(shape[1]);
        Philox philox = generator(seeds, args.resources());
        FB_ASSIGN(void* const to, args.resize_output(0, shape));
        const auto* logits = static_cast<const float*>(args.inputs()[0].data);
        if (wide) {
          fill_multinomial(philox, logits, batch, classes, samples, static_cast<int64_t*>(to));
        } else {
          fill_multinomial(philox, logits, batch, classes, samples, static_cast<int32_t*>(to));
        }
        // TensorFlow reserves this much of the sequence for a call, however little it used.
        philox.skip(batch * ((samples + 3) / 4 * 4) * 2 * 256);
        args.resources().generator_state[seeds.node] = philox.state();
        return {};
      },
      "philox multinomial");
}

}  // namespace fewbits::ops
