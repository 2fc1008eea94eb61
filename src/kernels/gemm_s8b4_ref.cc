// int4 weights in blocks: packing, which is the same for every kernel, and the product that specifies them.
#include <cmath>

#include "base/half.h"
#include "kernels/gemm_s8b4.h"
#include "kernels/gemm_s8b4_layout.h"

namespace fewbits {
namespace {

constexpr size_t kColumns = BlockLayout::kColumns;

// Input k of column c in the packed form.
size_t byte_of(size_t c, size_t k) noexcept {
  return k / BlockLayout::kLineInputs * BlockLayout::kLine + c * 4 + k % 4;
}
int shift_of(size_t k) noexcept { return k % BlockLayout::kLineInputs < 4 ? 0 : 4; }

// Element i of what TFLite stores.
int stored(const uint8_t* data, size_t i) noexcept {
  const int four = data[i / 2] >> (i % 2 == 0 ? 0 : 4) & 0xf;
  return (four ^ 8) - 8;
}

void pack_column(const BlockWeights& w, const BlockLayout& layout, size_t n, uint8_t* panel) noexcept {
  const size_t c = n % kColumns;
  uint8_t* const lines = panel + layout.lines_at();
  auto* const scales = reinterpret_cast<uint16_t*>(panel + BlockLayout::kScalesAt);
  float total = 0;
  for (size_t b = 0; b < layout.blocks; ++b) {
    int32_t sum = 0;
    for (size_t k = b * w.block; k < (b + 1) * w.block; ++k) {
      const int weight = stored(w.data, n * w.k + k);
      sum += weight;
      uint8_t& byte = lines[byte_of(c, k)];
      byte = static_cast<uint8_t>((byte & ~(0xf << shift_of(k))) | (weight + BlockLayout::kOffset) << shift_of(k));
    }
    const uint16_t scale = w.scales[n * layout.blocks + b];
    scales[b * kColumns + c] = scale;
    total = std::fma(half_to_float(scale), static_cast<float>(sum), total);
  }
  reinterpret_cast<float*>(panel)[c] = total;
}

float product(const GemmS8B4Args& args, const BlockLayout& layout, size_t m, size_t n) noexcept {
  const uint8_t* panel = layout.panel(args.packed, n);
  const size_t c = n % kColumns;
  const uint8_t* lines = panel + layout.lines_at();
  const auto* scales = reinterpret_cast<const uint16_t*>(panel + BlockLayout::kScalesAt);
  const int8_t* a = args.a.data + m * args.a.row_stride;
  const auto zero_point = static_cast<float>(args.row_zero_point != nullptr ? args.row_zero_point[m] : 0);
  float acc = 0.0f - zero_point * reinterpret_cast<const float*>(panel)[c];
  for (size_t b = 0; b < layout.blocks; ++b) {
    int32_t sum = 0;
    for (size_t k = b * layout.block; k < (b + 1) * layout.block; ++k) {
      sum += a[k] * ((lines[byte_of(c, k)] >> shift_of(k) & 0xf) - BlockLayout::kOffset);
    }
    acc = std::fma(half_to_float(scales[b * kColumns + c]), static_cast<float>(sum), acc);
  }
  return acc;
}

void run(const GemmS8B4Args& args, const GemmRange& range) noexcept {
  const BlockLayout layout(args.a.tap_k, args.block);
  for (size_t m = range.m_begin; m < range.m_end; ++m) {
    for (size_t n = range.n_begin; n < range.n_end; ++n) {
      const float scaled = product(args, layout, m, n) * args.row_scale[m];
      const float value = scaled + (args.bias != nullptr ? args.bias[n] : 0.0f);
      const float raised = value < args.lo ? args.lo : value;
      args.out[m * args.out_stride + n] = raised > args.hi ? args.hi : raised;
    }
  }
}

}  // namespace

size_t packed_b4_size(size_t n, size_t k, size_t block) noexcept {
  return round_up(n, kColumns) / kColumns * BlockLayout(k, block).panel_bytes();
}

void pack_b4(const BlockWeights& w, void* packed) noexcept {
  const BlockLayout layout(w.k, w.block);
  auto* panel = static_cast<uint8_t*>(packed);
  for (size_t n = 0; n < w.n; n += kColumns, panel += layout.panel_bytes()) {
    constexpr uint8_t kTwoZeros = BlockLayout::kOffset << 4 | BlockLayout::kOffset;
    const size_t lines_at = layout.lines_at();
    __builtin_memset(panel, 0, lines_at);
    __builtin_memset(panel + lines_at, kTwoZeros, layout.panel_bytes() - lines_at);
    for (size_t i = n; i < n + kColumns && i < w.n; ++i) pack_column(w, layout, i, panel);
  }
}

const GemmS8B4Kernel kGemmS8B4Ref = {"gemm_s8b4_ref", Isa::kBaseline, 1, kColumns, &run};

}  // namespace fewbits
