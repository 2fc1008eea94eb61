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
                                           std::span<const int32_t> out);

// What a walk does to a piece of a row: `context`, offsets of its first element in each operand and in the output, length.
template <size_t N>
using BroadcastRow = void (*)(const void* context, const std::array<size_t, N>& offsets, size_t at, size_t length);
template <size_t N>
void walk_rows(const Broadcast<N>& plan, const ThreadPool* pool, size_t grain, BroadcastRow<N> row,
               const void* context) noexcept;

// Calls row(offsets, out_offset, length) for pieces of rows that cover the output, on the pool's threads, each with
// about `grain` elements or more. Offsets are those of the piece's first element in each operand. N is 2 or 3.
template <size_t N, class Row>
void for_each_row(const Broadcast<N>& plan, const ThreadPool* pool, size_t grain, const Row& row) noexcept {
  walk_rows<N>(
      plan, pool, grain,
      [](const void* context, const std::array<size_t, N>& offsets, size_t at, size_t length) {
        (*static_cast<const Row*>(context))(offsets, at, length);
      },
      &row);
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
