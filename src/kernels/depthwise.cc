// The lists of depthwise kernels, the choice among them, and the cutting of the rows into tasks.
#include "kernels/depthwise.h"

#include "kernels/depthwise_kernels.h"

namespace fewbits {
namespace {

constexpr const DepthwiseF32Kernel* kF32[] = {
#if defined(__x86_64__)
    &kDepthwiseF32Avx512, &kDepthwiseF32Avx2,
#elif defined(__aarch64__)
    &kDepthwiseF32Neon,
#endif
    &kDepthwiseF32Ref};

constexpr const DepthwiseS8Kernel* kS8[] = {
#if defined(__x86_64__)
    &kDepthwiseS8Avx512Vnni, &kDepthwiseS8Avx512, &kDepthwiseS8Avx2,
#elif defined(__aarch64__)
    &kDepthwiseS8NeonDot, &kDepthwiseS8Neon,
#endif
    &kDepthwiseS8Ref};

constexpr const DepthwiseS16S8Kernel* kS16S8[] = {
#if defined(__x86_64__)
    &kDepthwiseS16S8Avx512,
#endif
    &kDepthwiseS16S8Ref};

// Whether whole blocks compute at most half as many channels again as there are.
template <class Kernel>
bool fits(const Kernel& kernel, size_t channels) noexcept {
  const size_t computed = (channels + kernel.channel_block - 1) / kernel.channel_block * kernel.channel_block;
  return kernel.channel_block <= 16 || computed <= channels + channels / 2;
}

template <class Kernel>
const Kernel& select(std::span<const Kernel* const> list, Isa isa, size_t depth_multiplier, int32_t zero_point,
                     size_t channels) noexcept {
  for (const Kernel* kernel : list) {
    const bool able =
        (depth_multiplier == 1 || kernel->any_depth_multiplier) && (zero_point == 0 || kernel->any_weight_zero_point);
    if (kernel->isa <= isa && able && fits(*kernel, channels)) return *kernel;
  }
  return *list.back();
}

constexpr size_t kLeastWork = 16384;  // multiplications that are worth a task
constexpr size_t kRowsAtOnce = 4;     // kernels take rows by this many

template <class Kernel>
void run(const ThreadPool* pool, const Kernel& kernel, const typename Kernel::Args& args, RowsTo rows) noexcept {
  const size_t work_of_row = args.in.taps * args.channels + 1;
  const size_t grain = (kLeastWork / work_of_row / kRowsAtOnce + 1) * kRowsAtOnce;
  const size_t block =
      rows.sink == nullptr ? args.rows : (rows.sink->at_once() + kRowsAtOnce - 1) / kRowsAtOnce * kRowsAtOnce;
  parallel_for(pool, args.rows, grain, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; i += block) {
      const size_t block_end = std::min(i + block, end);
      kernel.run(args, i, block_end);
      rows.take(i, block_end);
    }
  });
}

}  // namespace

std::span<const DepthwiseF32Kernel* const> depthwise_f32_kernels() noexcept { return kF32; }
std::span<const DepthwiseS8Kernel* const> depthwise_s8_kernels() noexcept { return kS8; }
std::span<const DepthwiseS16S8Kernel* const> depthwise_s16s8_kernels() noexcept { return kS16S8; }

const DepthwiseF32Kernel& select_depthwise_f32(Isa isa, size_t depth_multiplier, size_t channels) noexcept {
  return select(depthwise_f32_kernels(), isa, depth_multiplier, 0, channels);
}
const DepthwiseS8Kernel& select_depthwise_s8(Isa isa, size_t depth_multiplier, int32_t weight_zero_point,
                                             size_t channels) noexcept {
  return select(depthwise_s8_kernels(), isa, depth_multiplier, weight_zero_point, channels);
}
const DepthwiseS16S8Kernel& select_depthwise_s16s8(Isa isa, size_t depth_multiplier) noexcept {
  return select(depthwise_s16s8_kernels(), isa, depth_multiplier, 0, 0);
}

void run_depthwise(const ThreadPool* pool, const DepthwiseF32Kernel& kernel, const DepthwiseF32Args& args,
                   RowsTo rows) noexcept {
  run(pool, kernel, args, rows);
}
void run_depthwise(const ThreadPool* pool, const DepthwiseS8Kernel& kernel, const DepthwiseS8Args& args,
                   RowsTo rows) noexcept {
  run(pool, kernel, args, rows);
}
void run_depthwise(const ThreadPool* pool, const DepthwiseS16S8Kernel& kernel, const DepthwiseS16S8Args& args,
                   RowsTo rows) noexcept {
  run(pool, kernel, args, rows);
}

}  // namespace fewbits
