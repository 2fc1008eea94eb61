// Products of rows with stacked weight matrices, as recurrent operators need them: float, hybrid and integer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ir/op_def.h"
#include "kernels/gemm.h"

namespace fewbits::ops::rnn {

// Lays out a kernel's workspace: each array begins at a multiple of 64 bytes.
class Workspace {
 public:
  template <class T>
  size_t add(size_t count) noexcept {
    const size_t offset = size_;
    size_ = (size_ + count * sizeof(T) + 63) / 64 * 64;
    return offset;
  }
  size_t size() const noexcept { return size_; }

 private:
  size_t size_ = 0;
};
template <class T>
T* array_at(const RunArgs& args, size_t offset) noexcept {
  return reinterpret_cast<T*>(args.workspace + offset);
}

struct alignas(kPackedAlignment) PackedLine {
  std::byte bytes[kPackedAlignment];
};

// The [rows, k] matrices of some operands, stacked in their order and packed for a gemm kernel: when the plan is made
// where all are constant, else at the beginning of each run.
template <class Kernel>
class PackedStack {
 public:
  PackedStack(const OpContext& context, const Kernel& kernel, std::vector<int> operands, size_t rows, size_t k,
              Workspace& workspace);

  const Kernel& kernel() const noexcept { return *kernel_; }
  size_t n() const noexcept { return operands_.size() * rows_; }
  size_t k() const noexcept { return k_; }
  void begin_run(const RunArgs& args) const noexcept;  // packs what is not constant
  const void* packed(const RunArgs& args) const noexcept {
    return constant_ ? static_cast<const void*>(packed_.data()) : args.workspace + packed_at_;
  }

 private:
  void stack_and_pack(const void* const* data, typename Kernel::Weight* stacked, void* packed) const noexcept;

  const Kernel* kernel_;
  std::vector<int> operands_;
  size_t rows_, k_;
  bool constant_;
  std::vector<PackedLine> packed_;
  size_t stacked_at_ = 0, packed_at_ = 0;
};

// Float rows times float weights, or times int8 weights after each row has been quantized on the fly.
class Dense {
 public:
  // The operands are [rows, k] matrices of one type, float32, int8 or uint8; max_m is the most rows of one call.
  Dense(const OpContext& context, const std::vector<int>& operands, size_t rows, size_t k, size_t max_m,
        bool asymmetric, Workspace& workspace);

  void begin_run(const RunArgs& args) const noexcept;
  // y[i, :] = W * x[i, :] for i < m; strides in elements.
  void run(const RunArgs& args, const float* x, size_t x_stride, size_t m, float* y, size_t y_stride) const noexcept;
  const char* kernel_name() const noexcept;

 private:
  void run_hybrid(const RunArgs& args, const float* x, size_t x_stride, size_t m, float* y,
                  size_t y_stride) const noexcept;

  std::vector<PackedStack<GemmF32Kernel>> float_;  // exactly one of both has one element
  std::vector<PackedStack<GemmS8Kernel>> int8_;
  std::vector<float> channel_scale_;
  bool asymmetric_ = false;
  size_t quantized_at_ = 0, scale_at_ = 0, zero_point_at_ = 0;
};

// int8 rows times int8 weights: y[i, r] = sum of W[r, c] * (x[i, c] - zero_point), int32.
class IntegerDense {
 public:
  IntegerDense(const OpContext& context, const std::vector<int>& operands, size_t rows, size_t k, int32_t zero_point,
               Workspace& workspace);

  void begin_run(const RunArgs& args) const noexcept { weights_.begin_run(args); }
  void run(const RunArgs& args, const int8_t* x, size_t x_stride, size_t m, int32_t* y, size_t y_stride) const noexcept;
  const char* kernel_name() const noexcept { return weights_.kernel().name; }

 private:
  PackedStack<GemmS8Kernel> weights_;
  int32_t zero_point_;
};

}  // namespace fewbits::ops::rnn
