// int8 matrix products for AVX-512 VNNI: vpdpbusd sums four products a lane.
//
// A is read where it lies, four bytes at a time broadcast to a vector; nothing is staged, and sums stay in registers
// until they are outputs. That is what makes thin products (few inputs or outputs a row) as fast as deep ones.
//
// vpdpbusd wants one operand unsigned: 128 is added to activations, by xor, and the sums of the weights take it back.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/gemm_s8_finish_avx512.h"

namespace fewbits {
namespace {

using Args = GemmS8Args;

constexpr size_t kGroup = 4;   // inputs of a lane
constexpr size_t kLanes = 16;  // columns of a vector
constexpr size_t kNr = 64;
constexpr size_t kTall = 8;                 // rows of a tile under panels of one or two vectors
constexpr size_t kWideTall = 6;             // and of four: 24 sums, 4 vectors of weights, 1 of activations
constexpr size_t kBlockBytes = 256 * 1024;  // of A, which stays in L2 while all panels pass over it

// A row of panels: all of four vectors but the last ones, which are as narrow as their columns allow.
FB_INLINE size_t panel_vectors(size_t columns_left) { return columns_left > 48 ? 4 : columns_left > 16 ? 2 : 1; }

FB_INLINE size_t padded_depth(size_t taps, size_t tap_k) { return taps * round_up(tap_k, kGroup); }
FB_INLINE size_t column_bytes(size_t depth) { return ByteWeights::kHeaderBytes + depth; }

size_t packed_size(size_t n, size_t taps, size_t tap_k) noexcept {
  return round_up(n, kLanes) * column_bytes(padded_depth(taps, tap_k));
}

// Four inputs of one column; `count` of them exist.
FB_INLINE void pack_group(const GemmWeights<int8_t>& w, const int8_t* from, size_t count, int8_t* to) {
  for (size_t g = 0; g < kGroup; ++g) {
    to[g] = g < count ? ByteWeights::pack_one(w, from[g * w.k_stride]) : int8_t{0};
  }
}

// A panel: the sums of its columns' weights, then [k / 4][vectors][16 columns][4], columns in accumulator order.
void pack_panel(const GemmWeights<int8_t>& w, size_t n, size_t vectors, uint8_t* out) {
  const size_t depth = padded_depth(w.taps, w.tap_k), width = vectors * kLanes;
  int8_t* const groups = reinterpret_cast<int8_t*>(out + width * ByteWeights::kHeaderBytes);
  for (size_t i = 0; i < width; ++i) {
    const size_t column = n + natural_channel(vectors, i / kLanes, i % kLanes);
    int8_t* to = groups + i * kGroup;
    uint32_t sum = 0;
    if (column >= w.n) {
      for (size_t k = 0; k < depth; k += kGroup, to += width * kGroup) __builtin_memset(to, 0, kGroup);
    } else {
      const int8_t* from = w.data + column * w.n_stride;
      for (size_t t = 0; t < w.taps; ++t) {
        for (size_t k = 0; k < w.tap_k; k += kGroup, to += width * kGroup) {
          pack_group(w, from + (t * w.tap_k + k) * w.k_stride, smaller(kGroup, w.tap_k - k), to);
          sum += static_cast<uint32_t>(to[0] + to[1] + to[2] + to[3]);
        }
      }
    }
    __builtin_memcpy(out + i * sizeof sum, &sum, sizeof sum);
  }
}

void pack(const GemmWeights<int8_t>& w, void* packed) noexcept {
  auto* out = static_cast<uint8_t*>(packed);
  for (size_t n = 0; n < w.n;) {
    const size_t vectors = panel_vectors(w.n - n);
    pack_panel(w, n, vectors, out);
    n += vectors * kLanes;
    out += vectors * kLanes * column_bytes(padded_depth(w.taps, w.tap_k));
  }
}

constexpr size_t kMostRowSums = 480;  // rows whose sums are kept while the panels pass

template <size_t kRows, size_t kWidth, GemmS8Output kOutput>
struct Tile {
  const Args& args;
  const Panel& panel;
  PanelRows<kRows, kWidth, kOutput> rows;
  __m512i acc[kRows][kWidth];

  FB_INLINE void run() {
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = panel.term[v]; }); });
    multiply();
    rows.finish(acc);
  }

  FB_INLINE void multiply() {
    const GemmRows<int8_t>& a = args.a;
    const __m512i to_unsigned = _mm512_set1_epi8(static_cast<char>(args.a_flip ^ 0x80));
    const size_t whole = a.tail_readable ? round_up(a.tap_k, kGroup) : a.tap_k / kGroup * kGroup;
    const int8_t* w = panel.weights;
    const auto add_products = [&](const auto& four_of_row) FB_LAMBDA {
      __m512i weights[kWidth];
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA { weights[v] = _mm512_loadu_si512(w + v * 64); });
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const __m512i x = _mm512_xor_si512(_mm512_set1_epi32(four_of_row.template operator()<r>()), to_unsigned);
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], x, weights[v]); });
      });
      w += kWidth * 64;
    };
    for (size_t t = 0; t < a.taps; ++t) {
      const int8_t* in[kRows];
      unroll<kRows>([&]<size_t r>() FB_LAMBDA { in[r] = tap_of(a, rows.row(r), t); });
      for (size_t k = 0; k < whole; k += kGroup) {
        add_products([&]<size_t r>() FB_LAMBDA {
          int32_t four;
          __builtin_memcpy(&four, in[r] + k, sizeof four);
          return four;
        });
      }
      if (whole >= a.tap_k) continue;
      add_products([&]<size_t r>() FB_LAMBDA {
        uint32_t four = 0;
        for (size_t k = a.tap_k; k-- > whole;) four = four << 8 | static_cast<uint8_t>(in[r][k]);
        return static_cast<int32_t>(four);
      });
    }
  }
};

template <size_t kRows, size_t kWidth, GemmS8Output kOutput>
__attribute__((noinline)) void run_tile(const Args& args, const Panel& panel, size_t m, size_t rows) {
  Tile<kRows, kWidth, kOutput> tile{args, panel, {args, panel, m, rows}, {}};
  tile.run();
}

// Rows [m, m_end) in tiles of about equal height.
template <size_t kWidth, GemmS8Output kOutput>
void run_rows(const Args& args, const Panel& panel, size_t m, size_t m_end) {
  constexpr size_t kMost = kWidth == 4 ? kWideTall : kTall;
  const size_t count = m_end - m, tiles = (count + kMost - 1) / kMost;
  const size_t least = count / tiles, taller = count % tiles;
  for (size_t i = 0; i < tiles; ++i) {
    const size_t rows = least + (i < taller);
    if (rows > 4) {
      run_tile<kMost, kWidth, kOutput>(args, panel, m, rows);
    } else if (rows > 2) {
      run_tile<4, kWidth, kOutput>(args, panel, m, rows);
    } else if (rows == 2) {
      run_tile<2, kWidth, kOutput>(args, panel, m, rows);
    } else {
      run_tile<1, kWidth, kOutput>(args, panel, m, rows);
    }
    m += rows;
  }
}

template <size_t kWidth>
void run_panel(const Args& args, size_t n, const uint8_t* packed, const uint32_t* row_sums, size_t m, size_t m_end) {
  Panel panel;
  panel.row_sums = row_sums;
  panel.first_row = m;
  panel.open<kWidth>(args, n, packed, 128);
  switch (args.output) {
    case GemmS8Output::kInt8: return run_rows<kWidth, GemmS8Output::kInt8>(args, panel, m, m_end);
    case GemmS8Output::kInt32: return run_rows<kWidth, GemmS8Output::kInt32>(args, panel, m, m_end);
    case GemmS8Output::kFloat: return run_rows<kWidth, GemmS8Output::kFloat>(args, panel, m, m_end);
  }
}

void run(const Args& args, const GemmRange& range) noexcept {
  const size_t depth = padded_depth(args.a.taps, args.a.tap_k);
  const size_t fitting = round_up(kBlockBytes / (depth + 1) + 1, kWideTall * kTall);
  const size_t block = args.w_zero_point == 0 ? fitting : smaller(fitting, kMostRowSums);
  uint32_t row_sums[kMostRowSums];
  for (size_t m = range.m_begin; m < range.m_end; m += block) {
    const size_t m_end = smaller(m + block, range.m_end);
    for (size_t i = m; args.w_zero_point != 0 && i < m_end; ++i) row_sums[i - m] = row_sum(args, i);
    for (size_t n = range.n_begin; n < range.n_end;) {
      const uint8_t* packed = static_cast<const uint8_t*>(args.packed) + n * column_bytes(depth);
      const size_t vectors = panel_vectors(args.n - n);
      if (vectors == 4) run_panel<4>(args, n, packed, row_sums, m, m_end);
      if (vectors == 2) run_panel<2>(args, n, packed, row_sums, m, m_end);
      if (vectors == 1) run_panel<1>(args, n, packed, row_sums, m, m_end);
      n += vectors * kLanes;
    }
  }
}

}  // namespace

const GemmS8Kernel kGemmS8Avx512Vnni = {
    "gemm_s8_6x64_avx512vnni", Isa::kAvx512Vnni, kWideTall, kNr, &packed_size, &pack, &run};

}  // namespace fewbits
