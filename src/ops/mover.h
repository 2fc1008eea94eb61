// What the operators that move elements without computing on them share: element sizes, packed types, operands that
// hold positions and sizes. Used by the families data_movement, pad, gather and resize.
//
// A mover sees bytes: float32, int32 and an int8 tensor of any scale differ only in the size of an element. Types of
// fewer than 8 bits are unpacked to one byte an element around the mover (make_mover), so that no mover knows of them.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/op_def.h"
#include "kernels/strided_copy.h"
#include "ops/support.h"

namespace fewbits::ops {

inline constexpr int kMaxMoverRank = 8;

// Bytes of an element inside a mover: 1 for packed types, 0 for types without a size (strings).
size_t mover_element(DType type) noexcept;
// That size, when the given inputs and every output share one type that has a size and have at most kMaxMoverRank
// dimensions.
Result<size_t> require_movable(const OpContext& context, std::initializer_list<size_t> inputs);
// An error unless input i holds integers that IntOperand can read.
Status require_integers(const OpContext& context, size_t i);

// Bytes from one index of each dimension to the next in a contiguous tensor; zeros when it has no elements.
std::array<int64_t, kMaxMoverRank> byte_strides(const Shape& shape, size_t element) noexcept;
// Product of the sizes of dimensions [begin, end).
size_t count_dims(const Shape& shape, int begin, int end) noexcept;

// One element that stands for real zero: the zero point of quantized integers, zero bytes of all others.
std::array<std::byte, 16> real_zero(const TensorInfo& tensor) noexcept;
// Writes `count` copies of the element at `value`.
StridedCopy fill_copy(size_t count, size_t element) noexcept;

// Sets the shape of output i; an error when a size is negative or the tensor is too large to address.
Status set_shape(OpContext& context, size_t i, std::span<const int64_t> shape);

// An integer operand read element by element, inside kernels too.
struct IntOperand {
  const void* data = nullptr;
  DType type = DType::kInt32;

  int64_t operator[](size_t i) const noexcept {
    switch (type) {
      case DType::kInt64: return static_cast<const int64_t*>(data)[i];
      case DType::kInt16: return static_cast<const int16_t*>(data)[i];
      case DType::kInt8: return static_cast<const int8_t*>(data)[i];
      case DType::kUInt8: return static_cast<const uint8_t*>(data)[i];
      default: return static_cast<const int32_t*>(data)[i];
    }
  }
};

// The operands of a node that are stored in fewer than 8 bits, and where their bytes go while the kernel runs.
class PackedOperands {
 public:
  // `offset`: bytes of workspace that the kernel itself uses; the rest is ours.
  PackedOperands(const OpContext& context, size_t offset);

  bool none() const noexcept { return inputs_.empty() && outputs_.empty(); }
  size_t workspace() const noexcept { return workspace_; }
  // The same arguments with unpacked copies of packed inputs and room for packed outputs.
  RunArgs unpack(const RunArgs& args) const noexcept;
  // Packs what the kernel wrote.
  void pack(const RunArgs& args) const noexcept;

 private:
  struct Operand {
    size_t index, count, bits, offset;
    bool is_signed;
  };
  std::vector<Operand> inputs_, outputs_;
  size_t input_count_ = 0, output_count_ = 0;
  size_t pointers_ = 0;  // offset of the pointer arrays in the workspace
  size_t workspace_ = 0;
};

// A kernel from `void(const RunArgs&)` that works on elements of whole bytes.
template <class Body>
Prepared make_mover(const OpContext& context, Body body, std::string choice, size_t workspace = 0) {
  PackedOperands packed(context, workspace);
  if (packed.none()) return make_kernel(std::move(body), std::move(choice), workspace);
  const size_t total = packed.workspace();
  return make_kernel(
      [packed = std::move(packed), body = std::move(body)](const RunArgs& args) noexcept {
        body(packed.unpack(args));
        packed.pack(args);
      },
      std::move(choice) + ", unpacked", total);
}

// A kernel that copies input `value` to output 0 as plan(operands) says, operands being the integer inputs `positions`:
// planned now where all of them are constants, else whenever it runs. plan must be noexcept and must stay inside both
// tensors whatever the operands hold.
template <size_t kCount, class Plan>
Result<Prepared> make_planned_copy(const OpContext& context, size_t value, std::array<size_t, kCount> positions,
                                   Plan plan, const char* name) {
  std::array<IntOperand, kCount> operands;
  bool fixed = true;
  for (size_t i = 0; i < kCount; ++i) {
    FB_TRY(require_integers(context, positions[i]));
    const TensorInfo& operand = context.inputs[positions[i]];
    operands[i] = {operand.data, operand.dtype};
    fixed = fixed && operand.is_const;
  }
  if (fixed) {
    const StridedCopy copy = plan(operands);
    return make_mover(
        context, [copy, value](const RunArgs& args) noexcept { copy.run(args.in[value], args.out[0], args.pool); },
        fmt::format("{} ({})", name, copy.kind()));
  }
  return make_mover(
      context,
      [=](const RunArgs& args) noexcept {
        std::array<IntOperand, kCount> now = operands;
        for (size_t i = 0; i < kCount; ++i) now[i].data = args.in[positions[i]];
        plan(now).run(args.in[value], args.out[0], args.pool);
      },
      fmt::format("{} (planned at run time)", name));
}

}  // namespace fewbits::ops
