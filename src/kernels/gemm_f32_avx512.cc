// Float matrix products for AVX-512. A is read where it lies, an element at a time broadcast to a vector; nothing is
// staged, and sums stay in registers until they are outputs.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/gemm_tiles.h"

namespace fewbits {
namespace {

using Args = GemmF32Args;

constexpr size_t kLanes = Simd::kLanes;
constexpr size_t kNr = 64;
constexpr size_t kTall = 8;                 // rows of a tile under panels of one or two vectors
constexpr size_t kWideTall = 6;             // and of four: 24 sums, 4 vectors of weights, 1 of A
constexpr size_t kBlockBytes = 256 * 1024;  // of A, which stays in L2 while all panels pass over it

// A row of panels: all of four vectors but the last ones, which are as narrow as their columns allow.
FB_INLINE size_t panel_vectors(size_t columns_left) { return columns_left > 48 ? 4 : columns_left > 16 ? 2 : 1; }

size_t packed_size(size_t n, size_t taps, size_t tap_k) noexcept {
  return round_up(n, kLanes) * taps * tap_k * sizeof(float);
}

// Panels of [k][columns]. The loop that reads neighbours goes innermost: these weights may be activations, packed in every
// run.
void pack(const GemmWeights<float>& w, void* packed) noexcept {
  auto* out = static_cast<float*>(packed);
  const size_t depth = w.taps * w.tap_k;
  for (size_t n = 0; n < w.n;) {
    const size_t width = panel_vectors(w.n - n) * kLanes, columns = smaller(width, w.n - n);
    if (w.n_stride == 1) {
      for (size_t k = 0; k < depth; ++k) {
        const float* from = w.data + n + k * w.k_stride;
        for (size_t i = 0; i < width; ++i) out[k * width + i] = i < columns ? from[i] : 0.0f;
      }
    } else {
      for (size_t i = 0; i < width; ++i) {
        const float* from = w.data + (n + smaller(i, columns - 1)) * w.n_stride;
        for (size_t k = 0; k < depth; ++k) out[k * width + i] = i < columns ? from[k * w.k_stride] : 0.0f;
      }
    }
    n += width;
    out += width * depth;
  }
}

template <size_t kRows, size_t kWidth>
struct Tile {
  const Args& args;
  const float* panel;
  size_t n, columns;
  size_t m, rows;  // rows past the last are the last again, and written to the same place

  FB_INLINE size_t row(size_t r) const { return m + smaller(r, rows - 1); }

  FB_INLINE void run() const {
    __m512 acc[kRows][kWidth];
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = Simd::zero(); }); });
    const float* w = panel;
    for (size_t t = 0; t < args.a.taps; ++t) {
      const float* in[kRows];
      unroll<kRows>([&]<size_t r>() FB_LAMBDA { in[r] = tap_of(args.a, row(r), t); });
      for (size_t k = 0; k < args.a.tap_k; ++k, w += kWidth * kLanes) {
        __m512 weights[kWidth];
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA { weights[v] = Simd::load(w + v * kLanes); });
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          const __m512 x = Simd::set(in[r][k]);
          unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = Simd::fma(x, weights[v], acc[r][v]); });
        });
      }
    }
    finish(acc);
  }

  FB_INLINE void finish(const __m512 (&acc)[kRows][kWidth]) const {
    const __m512 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
      constexpr size_t kBegin = v * kLanes;
      if (columns <= kBegin) return;
      const size_t count = smaller(columns - kBegin, kLanes);
      const __m512 bias = args.bias != nullptr ? load_columns(args.bias + n + kBegin, count) : Simd::zero();
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const __m512 x = Simd::min(hi, Simd::max(lo, Simd::add(acc[r][v], bias)));
        float* out = args.out + row(r) * args.out_stride + n + kBegin;
        if (count == kLanes) {
          Simd::store(out, x);
        } else {
          Simd::store(out, x, count);
        }
      });
    });
  }
};

template <size_t kRows, size_t kWidth>
__attribute__((noinline)) void run_tile(const Args& args, const float* panel, size_t n, size_t m, size_t rows) {
  Tile<kRows, kWidth>{args, panel, n, smaller(args.n - n, kWidth * kLanes), m, rows}.run();
}

// Rows [m, m_end) in tiles of about equal height.
template <size_t kWidth>
void run_panel(const Args& args, size_t n, const float* panel, size_t m, size_t m_end) {
  constexpr size_t kMost = kWidth == 4 ? kWideTall : kTall;
  const size_t count = m_end - m, tiles = (count + kMost - 1) / kMost;
  const size_t least = count / tiles, taller = count % tiles;
  for (size_t i = 0; i < tiles; ++i) {
    const size_t rows = least + (i < taller);
    if (rows > 4) {
      run_tile<kMost, kWidth>(args, panel, n, m, rows);
    } else if (rows > 2) {
      run_tile<4, kWidth>(args, panel, n, m, rows);
    } else if (rows == 2) {
      run_tile<2, kWidth>(args, panel, n, m, rows);
    } else {
      run_tile<1, kWidth>(args, panel, n, m, rows);
    }
    m += rows;
  }
}

void run(const Args& args, const GemmRange& range) noexcept {
  const size_t depth = args.a.taps * args.a.tap_k;
  const size_t block = round_up(kBlockBytes / sizeof(float) / (depth + 1) + 1, kWideTall * kTall);
  for (size_t m = range.m_begin; m < range.m_end; m += block) {
    const size_t m_end = smaller(m + block, range.m_end);
    for (size_t n = range.n_begin; n < range.n_end;) {
      const float* panel = static_cast<const float*>(args.packed) + n * depth;
      const size_t vectors = panel_vectors(args.n - n);
      if (vectors == 4) run_panel<4>(args, n, panel, m, m_end);
      if (vectors == 2) run_panel<2>(args, n, panel, m, m_end);
      if (vectors == 1) run_panel<1>(args, n, panel, m, m_end);
      n += vectors * kLanes;
    }
  }
}

}  // namespace

const GemmF32Kernel kGemmF32Avx512 = {"gemm_f32_6x64_avx512", Isa::kAvx512, kWideTall, kNr, &packed_size, &pack, &run};

}  // namespace fewbits
