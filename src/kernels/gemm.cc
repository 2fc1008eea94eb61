// The lists of matrix product kernels, the choice among them, and the cutting of a product into tasks.
#include "kernels/gemm.h"

#include <algorithm>
#include <type_traits>

#include "kernels/gemm_kernels.h"
#include "kernels/gemm_s8b4.h"
#include "kernels/select.h"

namespace fewbits {
namespace {

constexpr const GemmF32Kernel* kF32[] = {
#if defined(__x86_64__)
    &kGemmF32Amx, &kGemmF32Avx512, &kGemmF32Avx2,
#elif defined(__aarch64__)
    &kGemmF32Neon,
#endif
    &kGemmF32Ref};

constexpr const GemmS8Kernel* kS8[] = {
#if defined(__x86_64__)
    &kGemmS8Amx, &kGemmS8Avx512Vnni, &kGemmS8Avx512, &kGemmS8Avx2,
#elif defined(__aarch64__)
    &kGemmS8NeonDot, &kGemmS8Neon,
#endif
    &kGemmS8Ref};

constexpr const GemmS16S8Kernel* kS16S8[] = {
#if defined(__x86_64__)
    &kGemmS16S8Avx512Vnni, &kGemmS16S8Avx512, &kGemmS16S8Avx2,
#endif
    &kGemmS16S8Ref};

constexpr const GemmS8B4Kernel* kS8B4[] = {
#if defined(__x86_64__)
    &kGemmS8B4Amx, &kGemmS8B4Avx512Vnni, &kGemmS8B4Avx2,
#elif defined(__aarch64__)
    &kGemmS8B4NeonDot,
#endif
    &kGemmS8B4Ref};

constexpr size_t divide_up(size_t a, size_t b) noexcept { return (a + b - 1) / b; }

constexpr size_t kTasksPerThread = 4;
constexpr double kLeastWork = 32768;  // multiplications that are worth waking a thread

constexpr size_t kWeightsToPassAgain =
    256 * 1024;  // bytes of weights that are worth reading again for every block of rows

// Rows that are not cut.
template <class Kernel>
size_t unit_of(const Kernel& kernel, const typename Kernel::Args& args) noexcept {
  return args.a.run > 0 ? args.a.run : kernel.mr;
}

template <class Kernel>
size_t weight_bytes(const Kernel& kernel, const typename Kernel::Args& args) noexcept {
  if constexpr (std::is_same_v<Kernel, GemmS8B4Kernel>) {
    return packed_b4_size(args.n, args.a.tap_k, args.block);
  } else {
    return kernel.packed_size(args.n, args.a.taps, args.a.tap_k);
  }
}

// All columns of some rows, handed on in blocks.
template <class Kernel>
void run_rows(const Kernel& kernel, const typename Kernel::Args& args, size_t begin, size_t end, RowsTo rows) noexcept {
  size_t block = end - begin;
  if (rows.sink != nullptr && weight_bytes(kernel, args) <= kWeightsToPassAgain) {
    block = divide_up(rows.sink->at_once(), unit_of(kernel, args)) * unit_of(kernel, args);
  }
  for (size_t m = begin; m < end; m += block) {
    const size_t m_end = std::min(m + block, end);
    kernel.run(args, {m, m_end, 0, args.n});
    rows.take(m, m_end);
  }
}

template <class Kernel>
void run(const ThreadPool* pool, const Kernel& kernel, const typename Kernel::Args& args, RowsTo rows) noexcept {
  const size_t unit = unit_of(kernel, args), m_tiles = divide_up(args.m, unit);
  const size_t panels = divide_up(args.n, kernel.nr);
  const double work = static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.a.taps) *
                      static_cast<double>(args.a.tap_k);
  if (pool == nullptr || pool->threads() == 1 || work < 2 * kLeastWork) {
    return run_rows(kernel, args, 0, args.m, rows);
  }
  // Rows first: each task then stages its rows once. Columns as well where rows are too few for all threads.
  const size_t wanted =
      std::min<size_t>(static_cast<size_t>(pool->threads()) * kTasksPerThread, static_cast<size_t>(work / kLeastWork));
  const size_t m_step = divide_up(m_tiles, wanted) * unit;
  const size_t m_tasks = divide_up(args.m, m_step);
  const size_t n_step = divide_up(panels, divide_up(wanted, m_tasks)) * kernel.nr;
  const size_t n_tasks = divide_up(args.n, n_step);
  if (n_tasks == 1) {
    return pool->parallel_for(m_tasks, 1, [&](size_t begin, size_t end) {
      for (size_t task = begin; task < end; ++task) {
        run_rows(kernel, args, task * m_step, std::min((task + 1) * m_step, args.m), rows);
      }
    });
  }
  pool->parallel_for(m_tasks * n_tasks, 1, [&](size_t begin, size_t end) {
    for (size_t task = begin; task < end; ++task) {
      const size_t m = task / n_tasks * m_step, n = task % n_tasks * n_step;
      kernel.run(args, {m, std::min(m + m_step, args.m), n, std::min(n + n_step, args.n)});
    }
  });
  if (rows.sink == nullptr) return;
  pool->parallel_for(args.m, 1, [&](size_t begin, size_t end) { rows.take(begin, end); });
}

}  // namespace

std::span<const GemmF32Kernel* const> gemm_f32_kernels() noexcept { return kF32; }
std::span<const GemmS8Kernel* const> gemm_s8_kernels() noexcept { return kS8; }
std::span<const GemmS16S8Kernel* const> gemm_s16s8_kernels() noexcept { return kS16S8; }
std::span<const GemmS8B4Kernel* const> gemm_s8b4_kernels() noexcept { return kS8B4; }

const GemmF32Kernel& select_gemm_f32(Isa isa) noexcept {
  std::span<const GemmF32Kernel* const> exact = gemm_f32_kernels();
  while (exact.front()->isa == Isa::kAmx) exact = exact.subspan(1);
  return first_usable(exact, isa);
}
const GemmF32Kernel& select_fast_gemm_f32(Isa isa, size_t m, size_t n, size_t k) noexcept {
  constexpr size_t kLeastRows = 16, kLeastColumns = 17, kLeastDepth = 64;
  const GemmF32Kernel& best = *kF32[0];
  return best.isa <= isa && m >= kLeastRows && n >= kLeastColumns && k >= kLeastDepth ? best : select_gemm_f32(isa);
}
const GemmS8Kernel& select_gemm_s8(Isa isa) noexcept { return first_usable(gemm_s8_kernels(), isa); }
const GemmS16S8Kernel& select_gemm_s16s8(Isa isa) noexcept { return first_usable(gemm_s16s8_kernels(), isa); }
const GemmS8B4Kernel& select_gemm_s8b4(Isa isa) noexcept { return first_usable(gemm_s8b4_kernels(), isa); }

void run_gemm(const ThreadPool* pool, const GemmF32Kernel& kernel, const GemmF32Args& args, RowsTo rows) noexcept {
  run(pool, kernel, args, rows);
}
void run_gemm(const ThreadPool* pool, const GemmS8Kernel& kernel, const GemmS8Args& args, RowsTo rows) noexcept {
  run(pool, kernel, args, rows);
}
void run_gemm(const ThreadPool* pool, const GemmS16S8Kernel& kernel, const GemmS16S8Args& args, RowsTo rows) noexcept {
  run(pool, kernel, args, rows);
}

void run_gemm(const ThreadPool* pool, const GemmS8B4Kernel& kernel, const GemmS8B4Args& args, RowsTo rows) noexcept {
  run(pool, kernel, args, rows);
}

}  // namespace fewbits
