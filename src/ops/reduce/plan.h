// How a reduction walks its input: the dimensions merged into alternating groups that are kept and reduced.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "kernels/broadcast.h"
#include "ops/support.h"

namespace fewbits::ops {

inline constexpr size_t kMaxReduceRank = 16;

// Dimensions and strides (in elements) of nested loops, outermost first.
struct Loops {
  size_t rank = 0;
  std::array<size_t, kMaxReduceRank> dims{}, strides{};

  size_t count() const noexcept {
    size_t product = 1;
    for (size_t i = 0; i < rank; ++i) product *= dims[i];
    return product;
  }
  // Where iteration `index` begins.
  size_t offset(size_t index) const noexcept {
    size_t at = 0;
    for (size_t i = rank; i-- > 0; index /= dims[i]) at += index % dims[i] * strides[i];
    return at;
  }
};

// Calls body(offset) for all iterations, in order.
template <class Body>
void for_each_offset(const Loops& loops, const Body& body) noexcept {
  std::array<size_t, kMaxReduceRank> index{};
  size_t offset = 0;
  for (size_t left = loops.count(); left > 0; --left) {
    body(offset);
    for (size_t i = loops.rank; i-- > 0;) {
      offset += loops.strides[i];
      if (++index[i] < loops.dims[i]) break;
      offset -= loops.dims[i] * loops.strides[i];
      index[i] = 0;
    }
  }
}

// The innermost group is contiguous: `inner` outputs side by side (inner_kept), or `inner` values of one output.
struct ReducePlan {
  Loops kept, reduced;  // without the innermost group
  bool inner_kept = false;
  size_t inner = 1;

  size_t outputs() const noexcept { return kept.count() * (inner_kept ? inner : 1); }
  size_t values() const noexcept { return reduced.count() * (inner_kept ? 1 : inner); }  // of one output
};

// axes: bit i for dimension i. Allocates nothing; the shape has at most kMaxReduceRank dimensions.
ReducePlan plan_reduction(std::span<const int32_t> shape, uint32_t axes) noexcept;

// The axes of a reduction: those that a constant operand names, or what the operand holds when the kernel runs.
struct Axes {
  uint32_t known = 0;
  bool live = false, wide = false;  // wide: int64
  size_t count = 0;
  size_t rank = 0;

  // Numbers outside the rank are left out.
  uint32_t read(const void* operand) const noexcept;
};
// Operand `i` of the node as axes; an error for another type or an axis outside the input's rank.
Result<Axes> read_axes(const OpContext& context, size_t i);

// ---- the loops ----

// A reducer R has: Value and Out, the types of the input and the output; Acc, with R::start() and R::add(Acc, Value),
// which may be taken over kBlock values at most before R::fold adds them to a Total (start_total()); finish(Total) ->
// Out. kOrdered: values are taken one after the other in the input's order. It may have column_sums, a function of
// column_sums.h or null, whose sums over kBlock rows are such an Acc.

template <class R>
struct ReduceLoops {
  using Value = typename R::Value;
  using Acc = typename R::Acc;
  using Total = typename R::Total;
  static constexpr size_t kChunk = 128;  // outputs side by side that are reduced together
  static constexpr size_t kLanes = R::kOrdered ? 1 : 16;

  // `length` outputs, at most kChunk, whose values lie side by side from `in` on.
  static void columns(const R& r, const Loops& reduced, const Value* in, typename R::Out* out, size_t length) noexcept {
    std::array<Acc, kChunk> accumulators;
    std::array<Total, kChunk> totals;
    for (size_t i = 0; i < length; ++i) accumulators[i] = r.start();
    for (size_t i = 0; i < length; ++i) totals[i] = r.start_total();
    if constexpr (requires { r.column_sums; }) {
      if (r.column_sums != nullptr && reduced.rank == 1) {
        const size_t stride = reduced.strides[0];
        for (size_t row = 0; row < reduced.dims[0];) {
          const size_t rows = std::min(R::kBlock, reduced.dims[0] - row);
          r.column_sums(in + row * stride, rows, stride, length, accumulators.data());
          for (size_t i = 0; i < length; ++i) totals[i] = r.fold(totals[i], accumulators[i]);
          row += rows;
        }
        for (size_t i = 0; i < length; ++i) out[i] = r.finish(totals[i]);
        return;
      }
    }
    size_t taken = 0;
    const auto fold = [&] {
      for (size_t i = 0; i < length; ++i) {
        totals[i] = r.fold(totals[i], accumulators[i]);
        accumulators[i] = r.start();
      }
      taken = 0;
    };
    for_each_offset(reduced, [&](size_t offset) {
      const Value* row = in + offset;
      for (size_t i = 0; i < length; ++i) accumulators[i] = r.add(accumulators[i], row[i]);
      if (++taken == R::kBlock) fold();
    });
    fold();
    for (size_t i = 0; i < length; ++i) out[i] = r.finish(totals[i]);
  }

  // One output, whose values lie in rows of `inner`.
  static typename R::Out rows(const R& r, const Loops& reduced, size_t inner, const Value* in) noexcept {
    std::array<Acc, kLanes> lanes;
    lanes.fill(r.start());
    Total total = r.start_total();
    const auto fold = [&] {
      for (Acc& lane : lanes) {
        total = r.fold(total, lane);
        lane = r.start();
      }
    };
    for_each_offset(reduced, [&](size_t offset) {
      const Value* row = in + offset;
      size_t i = 0;
      while (i + kLanes <= inner) {
        const size_t blocks = std::min((inner - i) / kLanes, R::kBlock);
        for (size_t b = 0; b < blocks; ++b, i += kLanes) {
          for (size_t k = 0; k < kLanes; ++k) lanes[k] = r.add(lanes[k], row[i + k]);
        }
        if (!R::kOrdered) fold();
      }
      for (size_t k = 0; k < kLanes && i < inner; ++i, ++k) lanes[k] = r.add(lanes[k], row[i]);
      if (!R::kOrdered) fold();
    });
    fold();
    return r.finish(total);
  }

  static void run(const R& r, const ReducePlan& plan, const Value* in, typename R::Out* out,
                  const ThreadPool* pool) noexcept {
    const size_t kept = plan.kept.count();
    if (!plan.inner_kept) {
      parallel_for(pool, kept, kCheapGrain / (plan.values() + 1) + 1, [&](size_t begin, size_t end) {
        for (size_t o = begin; o < end; ++o) out[o] = rows(r, plan.reduced, plan.inner, in + plan.kept.offset(o));
      });
      return;
    }
    const size_t chunks = (plan.inner + kChunk - 1) / kChunk;
    parallel_for(pool, kept * chunks, kCheapGrain / (kChunk * plan.reduced.count() + 1) + 1,
                 [&](size_t begin, size_t end) {
                   for (size_t item = begin; item < end; ++item) {
                     const size_t outer = item / chunks, first = item % chunks * kChunk;
                     columns(r, plan.reduced, in + plan.kept.offset(outer) + first, out + outer * plan.inner + first,
                             std::min(kChunk, plan.inner - first));
                   }
                 });
  }
};

// The plan of a kernel whose axes may be known only when it runs.
class PlanSource {
 public:
  PlanSource(const OpContext& context, const Axes& axes)
      : axes_(axes), shape_(context.inputs[0].shape), known_(plan_reduction(shape_, axes.known)) {}
  // `room` holds a plan that is made for this run.
  const ReducePlan& plan(const RunArgs& args, ReducePlan& room) const noexcept {
    if (!axes_.live) return known_;
    room = plan_reduction(shape_, axes_.read(args.in[1]));
    return room;
  }

 private:
  Axes axes_;
  Shape shape_;
  ReducePlan known_;
};

// A kernel that reduces operand 0 over the axes of operand 1 into output 0.
template <class R>
Prepared reduce_kernel(const OpContext& context, const Axes& axes, const R& r, std::string choice) {
  return make_kernel(
      [r, source = PlanSource(context, axes)](const RunArgs& args) noexcept {
        ReducePlan room;
        ReduceLoops<R>::run(r, source.plan(args, room), in<typename R::Value>(args, 0), out<typename R::Out>(args),
                            args.pool);
      },
      std::move(choice));
}

}  // namespace fewbits::ops
