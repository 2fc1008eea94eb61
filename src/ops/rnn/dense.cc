// Products of rows with stacked weight matrices.
#include "ops/rnn/dense.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/cpu.h"
#include "kernels/quantize.h"

namespace fewbits::ops::rnn {

template <class Kernel>
PackedStack<Kernel>::PackedStack(const OpContext& context, const Kernel& kernel, std::vector<int> operands, size_t rows,
                                 size_t k, Workspace& workspace)
    : kernel_(&kernel), operands_(std::move(operands)), rows_(rows), k_(k) {
  using T = typename Kernel::Weight;
  constant_ = std::all_of(operands_.begin(), operands_.end(),
                          [&](int i) { return context.inputs[static_cast<size_t>(i)].is_const; });
  const size_t packed_size = kernel.packed_size(n(), 1, k);
  if (!constant_) {
    stacked_at_ = workspace.add<T>(n() * k);
    packed_at_ = workspace.add<std::byte>(packed_size);
    return;
  }
  std::vector<const void*> data;
  for (int i : operands_) data.push_back(context.inputs[static_cast<size_t>(i)].data);
  std::vector<T> stacked(n() * k);
  packed_.resize((packed_size + sizeof(PackedLine) - 1) / sizeof(PackedLine));
  stack_and_pack(data.data(), stacked.data(), packed_.data());
}

template <class Kernel>
void PackedStack<Kernel>::stack_and_pack(const void* const* data, typename Kernel::Weight* stacked,
                                         void* packed) const noexcept {
  for (size_t i = 0; i < operands_.size(); ++i) {
    std::memcpy(stacked + i * rows_ * k_, data[i], rows_ * k_ * sizeof(*stacked));
  }
  kernel_->pack({.data = stacked, .n = n(), .taps = 1, .tap_k = k_, .n_stride = k_}, packed);
}

template <class Kernel>
void PackedStack<Kernel>::begin_run(const RunArgs& args) const noexcept {
  if (constant_) return;
  const void* data[8] = {};  // a stack is four gates at most
  for (size_t i = 0; i < operands_.size() && i < std::size(data); ++i) data[i] = args.in[operands_[i]];
  stack_and_pack(data, array_at<typename Kernel::Weight>(args, stacked_at_), args.workspace + packed_at_);
}

template class PackedStack<GemmF32Kernel>;
template class PackedStack<GemmS8Kernel>;

Dense::Dense(const OpContext& context, const std::vector<int>& operands, size_t rows, size_t k, size_t max_m,
             bool asymmetric, Workspace& workspace)
    : asymmetric_(asymmetric) {
  const TensorInfo& first = context.inputs[static_cast<size_t>(operands[0])];
  if (first.dtype == DType::kFloat32) {
    float_.emplace_back(context, select_gemm_f32(isa()), operands, rows, k, workspace);
    return;
  }
  int8_.emplace_back(context, select_gemm_s8(isa()), operands, rows, k, workspace);
  for (int i : operands) {
    channel_scale_.insert(channel_scale_.end(), rows, context.inputs[static_cast<size_t>(i)].scale());
  }
  quantized_at_ = workspace.add<int8_t>(max_m * k);
  scale_at_ = workspace.add<float>(max_m);
  zero_point_at_ = workspace.add<int32_t>(max_m);
}

void Dense::begin_run(const RunArgs& args) const noexcept {
  for (const auto& weights : float_) weights.begin_run(args);
  for (const auto& weights : int8_) weights.begin_run(args);
}

const char* Dense::kernel_name() const noexcept {
  return float_.empty() ? int8_[0].kernel().name : float_[0].kernel().name;
}

void Dense::run(const RunArgs& args, const float* x, size_t x_stride, size_t m, float* y,
                size_t y_stride) const noexcept {
  if (m == 0) return;
  if (float_.empty()) return run_hybrid(args, x, x_stride, m, y, y_stride);
  const PackedStack<GemmF32Kernel>& weights = float_[0];
  GemmF32Args gemm;
  gemm.a = {.data = x, .row_stride = x_stride, .tap_k = weights.k()};
  gemm.m = m;
  gemm.n = weights.n();
  gemm.packed = weights.packed(args);
  gemm.out = y;
  gemm.out_stride = y_stride;
  gemm.lo = -std::numeric_limits<float>::infinity();
  gemm.hi = std::numeric_limits<float>::infinity();
  run_gemm(args.pool, weights.kernel(), gemm);
}

void Dense::run_hybrid(const RunArgs& args, const float* x, size_t x_stride, size_t m, float* y,
                       size_t y_stride) const noexcept {
  const PackedStack<GemmS8Kernel>& weights = int8_[0];
  const size_t k = weights.k();
  auto* quantized = array_at<int8_t>(args, quantized_at_);
  auto* scale = array_at<float>(args, scale_at_);
  auto* zero_point = array_at<int32_t>(args, zero_point_at_);
  const QuantizeKernels& quantize = select_quantize(isa());
  for (size_t i = 0; i < m; ++i) {
    const DynamicParams params = quantize.f32_to_s8_dynamic(x + i * x_stride, quantized + i * k, k, !asymmetric_);
    scale[i] = params.scale;
    zero_point[i] = params.zero_point;
  }
  GemmS8Args gemm;
  gemm.a = {.data = quantized, .row_stride = k, .tap_k = k};
  gemm.m = m;
  gemm.n = weights.n();
  gemm.packed = weights.packed(args);
  gemm.row_zero_point = zero_point;
  gemm.output = GemmS8Output::kFloat;
  gemm.out = y;
  gemm.out_stride = y_stride;
  gemm.row_scale = scale;
  gemm.channel_scale = channel_scale_.data();
  gemm.float_lo = -std::numeric_limits<float>::infinity();
  gemm.float_hi = std::numeric_limits<float>::infinity();
  run_gemm(args.pool, weights.kernel(), gemm);
}

IntegerDense::IntegerDense(const OpContext& context, const std::vector<int>& operands, size_t rows, size_t k,
                           int32_t zero_point, Workspace& workspace)
    : weights_(context, select_gemm_s8(isa()), operands, rows, k, workspace), zero_point_(zero_point) {}

void IntegerDense::run(const RunArgs& args, const int8_t* x, size_t x_stride, size_t m, int32_t* y,
                       size_t y_stride) const noexcept {
  if (m == 0) return;
  GemmS8Args gemm;
  gemm.a = {.data = x, .row_stride = x_stride, .tap_k = weights_.k()};
  gemm.m = m;
  gemm.n = weights_.n();
  gemm.packed = weights_.packed(args);
  gemm.a_zero_point = zero_point_;
  gemm.output = GemmS8Output::kInt32;
  gemm.out = y;
  gemm.out_stride = y_stride;
  run_gemm(args.pool, weights_.kernel(), gemm);
}

}  // namespace fewbits::ops::rnn
