// How elementwise operators walk operands of different shapes: the dimensions merged as far as strides allow, then row
// by row.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "base/thread_pool.h"
#include "kernels/independent_loop.h"

namespace fewbits {

inline constexpr size_t kMaxBroadcastRank = 8;  // after merging
inline constexpr size_t kCheapGrain = 32768;    // elements a thread should get of a few instructions each
inline constexpr size_t kCostlyGrain = 2048;    // of transcendental functions

// N operands that broadcast to one contiguous output. Strides are in elements, 0 where an operand is repeated.
template <size_t N>
struct Broadcast {
  size_t rank = 1;
  std::array<size_t, kMaxBroadcastRank> dims{};  // of the output, outermost first; the last one is the row
  std::array<std::array<size_t, kMaxBroadcastRank>, N> strides{};

  size_t row() const noexcept { return dims[rank - 1]; }
  size_t row_stride(size_t n) const noexcept { return strides[n][rank - 1]; }
};

// The walk over `shapes`, which must broadcast to `out` with a product that fits size_t; nothing when more than
// kMaxBroadcastRank dimensions are left after merging.
template <size_t N>
std::optional<Broadcast<N>> plan_broadcast(const std::array<std::span<const int32_t>, N>& shapes,
                                           std::span<const int32_t> out) {
  Broadcast<N> plan;
  plan.rank = 0;
  std::array<size_t, N> size;  // elements of each operand inside the dimensions seen so far
  size.fill(1);
  const auto operand_dim = [&](size_t n, size_t from_end) {
    const auto& shape = shapes[n];
    return from_end < shape.size() ? static_cast<size_t>(shape[shape.size() - 1 - from_end]) : size_t{1};
  };
  // Innermost first; turned round at the end.
  for (size_t i = 0; i < out.size(); ++i) {
    const auto dim = static_cast<size_t>(out[out.size() - 1 - i]);
    if (dim == 0) return Broadcast<N>{};  // one row of nothing
    if (dim == 1) continue;
    std::array<size_t, N> stride;
    for (size_t n = 0; n < N; ++n) {
      stride[n] = operand_dim(n, i) == 1 ? 0 : size[n];
      size[n] *= operand_dim(n, i);
    }
    bool merges = plan.rank > 0;
    for (size_t n = 0; merges && n < N; ++n)
      merges = stride[n] == plan.strides[n][plan.rank - 1] * plan.dims[plan.rank - 1];
    if (merges) {
      plan.dims[plan.rank - 1] *= dim;
      continue;
    }
    if (plan.rank == kMaxBroadcastRank) return std::nullopt;
    plan.dims[plan.rank] = dim;
    for (size_t n = 0; n < N; ++n) plan.strides[n][plan.rank] = stride[n];
    ++plan.rank;
  }
  if (plan.rank == 0) {
    plan.rank = 1;
    plan.dims[0] = 1;
    for (size_t n = 0; n < N; ++n) plan.strides[n][0] = 1;
  }
  for (size_t i = 0; i < plan.rank / 2; ++i) {
    std::swap(plan.dims[i], plan.dims[plan.rank - 1 - i]);
    for (size_t n = 0; n < N; ++n) std::swap(plan.strides[n][i], plan.strides[n][plan.rank - 1 - i]);
  }
  return plan;
}

// Calls row(offsets, out_offset, length) for pieces of rows that cover the output, on the pool's threads, each with
// about `grain` elements or more. Offsets are those of the piece's first element in each operand.
template <size_t N, class Row>
void for_each_row(const Broadcast<N>& plan, const ThreadPool* pool, size_t grain, const Row& row) noexcept {
  const size_t length = plan.row();
  if (length == 0) return;
  if (plan.rank == 1) {
    parallel_for(pool, length, grain, [&](size_t begin, size_t end) {
      std::array<size_t, N> offsets;
      for (size_t n = 0; n < N; ++n) offsets[n] = begin * plan.row_stride(n);
      row(offsets, begin, end - begin);
    });
    return;
  }
  size_t rows = 1;
  for (size_t i = 0; i + 1 < plan.rank; ++i) rows *= plan.dims[i];
  parallel_for(pool, rows, length >= grain ? 1 : grain / length, [&](size_t begin, size_t end) {
    std::array<size_t, kMaxBroadcastRank> index{};
    std::array<size_t, N> offsets{};
    size_t rest = begin;
    for (size_t i = plan.rank - 1; i-- > 0; rest /= plan.dims[i]) {
      index[i] = rest % plan.dims[i];
      for (size_t n = 0; n < N; ++n) offsets[n] += index[i] * plan.strides[n][i];
    }
    for (size_t r = begin; r < end; ++r) {
      row(offsets, r * length, length);
      for (size_t i = plan.rank - 1; i-- > 0;) {
        for (size_t n = 0; n < N; ++n) offsets[n] += plan.strides[n][i];
        if (++index[i] < plan.dims[i]) break;
        for (size_t n = 0; n < N; ++n) offsets[n] -= plan.dims[i] * plan.strides[n][i];
        index[i] = 0;
      }
    }
  });
}

// out = f(a, b) over broadcast operands.
template <class A, class B, class Out, class F>
void map_broadcast(const Broadcast<2>& plan, const A* a, const B* b, Out* out, const ThreadPool* pool, size_t grain,
                   const F& shared) noexcept {
  const bool a_repeats = plan.row_stride(0) == 0;
  const bool b_repeats = plan.row_stride(1) == 0;
  for_each_row(plan, pool, grain, [&](const std::array<size_t, 2>& offsets, size_t at, size_t length) {
    const A* x = a + offsets[0];
    const B* y = b + offsets[1];
    Out* z = out + at;
    const std::decay_t<F> f = shared;  // its members cannot be what z[i] overwrites
    if (a_repeats) {
      const A value = *x;
      FB_INDEPENDENT_LOOP
      for (size_t i = 0; i < length; ++i) z[i] = f(value, y[i]);
    } else if (b_repeats) {
      const B value = *y;
      FB_INDEPENDENT_LOOP
      for (size_t i = 0; i < length; ++i) z[i] = f(x[i], value);
    } else {
      FB_INDEPENDENT_LOOP
      for (size_t i = 0; i < length; ++i) z[i] = f(x[i], y[i]);
    }
  });
}

// out = f(in) over `count` elements.
template <class In, class Out, class F>
void map_elements(const In* in, Out* out, size_t count, const ThreadPool* pool, size_t grain,
                  const F& shared) noexcept {
  parallel_for(pool, count, grain, [&](size_t begin, size_t end) {
    const std::decay_t<F> f = shared;
    FB_INDEPENDENT_LOOP
    for (size_t i = begin; i < end; ++i) out[i] = f(in[i]);
  });
}

}  // namespace fewbits
