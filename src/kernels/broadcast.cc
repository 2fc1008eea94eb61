// Merging the dimensions of broadcast operands, and walking them.
#include "kernels/broadcast.h"

namespace fewbits {

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

template <size_t N>
void walk_rows(const Broadcast<N>& plan, const ThreadPool* pool, size_t grain, BroadcastRow<N> row,
               const void* context) noexcept {
  const size_t length = plan.row();
  if (length == 0) return;
  if (plan.rank == 1) {
    parallel_for(pool, length, grain, [&](size_t begin, size_t end) {
      std::array<size_t, N> offsets;
      for (size_t n = 0; n < N; ++n) offsets[n] = begin * plan.row_stride(n);
      row(context, offsets, begin, end - begin);
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
      row(context, offsets, r * length, length);
      for (size_t i = plan.rank - 1; i-- > 0;) {
        for (size_t n = 0; n < N; ++n) offsets[n] += plan.strides[n][i];
        if (++index[i] < plan.dims[i]) break;
        for (size_t n = 0; n < N; ++n) offsets[n] -= plan.dims[i] * plan.strides[n][i];
        index[i] = 0;
      }
    }
  });
}

template std::optional<Broadcast<2>> plan_broadcast<2>(const std::array<std::span<const int32_t>, 2>&,
                                                       std::span<const int32_t>);
template std::optional<Broadcast<3>> plan_broadcast<3>(const std::array<std::span<const int32_t>, 3>&,
                                                       std::span<const int32_t>);
template void walk_rows<2>(const Broadcast<2>&, const ThreadPool*, size_t, BroadcastRow<2>, const void*) noexcept;
template void walk_rows<3>(const Broadcast<3>&, const ThreadPool*, size_t, BroadcastRow<3>, const void*) noexcept;

}  // namespace fewbits
