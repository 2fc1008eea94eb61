// Parameters of a tensor that is quantized as a whole or along one dimension, as the kernels walk it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/broadcast.h"
#include "ops/support.h"

namespace fewbits::ops {

// The tensor as [outer, channels, inner], one scale and zero point a channel; one channel for the whole: [1, 1, count].
struct ChannelParams {
  size_t outer = 1, inner = 1;
  std::vector<float> scale;
  std::vector<int32_t> zero_point;

  size_t channels() const noexcept { return scale.size(); }
  size_t count() const noexcept { return outer * channels() * inner; }
  size_t channel_of(size_t i) const noexcept { return i / inner % channels(); }
};

// The parameters of a tensor; an error when there are none, they do not fit its shape, or are not of the affine kind.
Result<ChannelParams> channel_params(const OpContext& context, const TensorInfo& tensor, const char* what);

// Calls run(first, length, channel) for pieces of one channel that cover [0, count), on the pool's threads.
template <class Run>
void for_each_run(const ChannelParams& params, const ThreadPool* pool, const Run& run) noexcept {
  if (params.channels() == 1) {
    parallel_for(pool, params.count(), kCheapGrain,
                 [&](size_t begin, size_t end) { run(begin, end - begin, size_t{0}); });
    return;
  }
  parallel_for(pool, params.outer * params.channels(), kCheapGrain / (params.inner + 1) + 1,
               [&](size_t begin, size_t end) {
                 for (size_t r = begin; r < end; ++r) run(r * params.inner, params.inner, r % params.channels());
               });
}

}  // namespace fewbits::ops
