// What the operators that move elements without computing on them share.
#include "ops/mover.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"

namespace fewbits::ops {
namespace {

constexpr size_t kAlignment = 64;

constexpr size_t align(size_t bytes) noexcept { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

size_t packed_bits(DType type) noexcept {
  const size_t bits = dtype_bits(type);
  return bits < 8 ? bits : 0;
}

// Lowest bits first; `out` holds one value a byte.
void unpack_bits(const uint8_t* in, int8_t* out, size_t count, size_t bits, bool is_signed) noexcept {
  const size_t per_byte = 8 / bits;
  const int shift = static_cast<int>(8 - bits);
  for (size_t i = 0; i < count; ++i) {
    const auto high = static_cast<uint8_t>(in[i / per_byte] << (shift - static_cast<int>(bits * (i % per_byte))));
    out[i] = static_cast<int8_t>(is_signed ? static_cast<int8_t>(high) >> shift : high >> shift);
  }
}

void pack_bits(const uint8_t* in, uint8_t* out, size_t count, size_t bits) noexcept {
  const size_t per_byte = 8 / bits;
  const auto mask = static_cast<uint8_t>((1u << bits) - 1);
  for (size_t i = 0; i < count; i += per_byte) {
    uint8_t byte = 0;
    for (size_t j = 0; j < std::min(per_byte, count - i); ++j)
      byte |= static_cast<uint8_t>((in[i + j] & mask) << (bits * j));
    out[i / per_byte] = byte;
  }
}

}  // namespace

size_t mover_element(DType type) noexcept { return packed_bits(type) != 0 ? 1 : dtype_bits(type) / 8; }

Result<size_t> require_movable(const OpContext& context, std::initializer_list<size_t> inputs) {
  const DType type = context.outputs[0].dtype;
  const size_t element = mover_element(type);
  if (element == 0) return unsupported_types(context);
  const auto check = [&](const TensorInfo& tensor) -> Status {
    if (tensor.dtype != type) return unsupported_types(context);
    if (tensor.rank() > kMaxMoverRank) {
      return context.fail(ErrorCode::kUnsupported, "'{}' has {} dimensions, more than {}", tensor.value->name,
                          tensor.rank(), kMaxMoverRank);
    }
    return {};
  };
  for (size_t i : inputs) FB_TRY(check(context.inputs[i]));
  for (const TensorInfo& output : context.outputs) FB_TRY(check(output));
  return element;
}

Status require_integers(const OpContext& context, size_t i) {
  return require_type(context, context.inputs[i], fmt::format("input {}", i).c_str(),
                      {DType::kInt32, DType::kInt64, DType::kInt16, DType::kInt8, DType::kUInt8});
}

std::array<int64_t, kMaxMoverRank> byte_strides(const Shape& shape, size_t element) noexcept {
  std::array<int64_t, kMaxMoverRank> strides{};
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return strides;  // the others' product may overflow
  auto step = static_cast<int64_t>(element);
  for (size_t i = std::min<size_t>(shape.size(), kMaxMoverRank); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

size_t count_dims(const Shape& shape, int begin, int end) noexcept {
  size_t count = 1;
  for (int i = begin; i < end; ++i) count *= static_cast<size_t>(shape[static_cast<size_t>(i)]);
  return count;
}

std::array<std::byte, 16> real_zero(const TensorInfo& tensor) noexcept {
  std::array<std::byte, 16> value{};
  const bool integer = tensor.dtype == DType::kInt8 || tensor.dtype == DType::kUInt8 || tensor.dtype == DType::kInt16 ||
                       mover_element(tensor.dtype) * 8 != dtype_bits(tensor.dtype);
  if (integer && tensor.quant->quantized()) {
    const int64_t zero = tensor.quant->zero();
    std::memcpy(value.data(), &zero, mover_element(tensor.dtype));
  }
  return value;
}

StridedCopy fill_copy(size_t count, size_t element) noexcept {
  const CopyDim dims[] = {{static_cast<int64_t>(count), 0, static_cast<int64_t>(element)}};
  return StridedCopy(dims, element);
}

Status set_shape(OpContext& context, size_t i, std::span<const int64_t> shape) {
  Shape sizes;
  for (int64_t size : shape) {
    if (size < 0 || size > INT32_MAX) {
      return context.fail(ErrorCode::kInvalidModel, "output {} cannot have a dimension of {}", i, size);
    }
    sizes.push_back(static_cast<int32_t>(size));
  }
  const auto count = checked_count(sizes);
  if (!count || *count > static_cast<size_t>(INT64_MAX) / 16) {
    return context.fail(ErrorCode::kResource, "output {} of shape {} is too large", i, shape_text(sizes));
  }
  context.outputs[i].shape = std::move(sizes);
  return {};
}

PackedOperands::PackedOperands(const OpContext& context, size_t offset)
    : input_count_(context.inputs.size()), output_count_(context.outputs.size()) {
  workspace_ = align(offset);
  const auto collect = [&](const TensorInfo& tensor, size_t index, std::vector<Operand>& to) {
    const size_t bits = tensor.present ? packed_bits(tensor.dtype) : 0;
    if (bits == 0) return;
    to.push_back({index, tensor.count(), bits, workspace_, tensor.dtype != DType::kUInt4});
    workspace_ = align(workspace_ + tensor.count());
  };
  for (size_t i = 0; i < input_count_; ++i) collect(context.inputs[i], i, inputs_);
  for (size_t i = 0; i < output_count_; ++i) collect(context.outputs[i], i, outputs_);
  pointers_ = workspace_;
  workspace_ += (input_count_ + output_count_) * sizeof(void*);
}

RunArgs PackedOperands::unpack(const RunArgs& args) const noexcept {
  auto** pointers = reinterpret_cast<void**>(args.workspace + pointers_);
  std::copy_n(args.in, input_count_, pointers);
  std::copy_n(args.out, output_count_, pointers + input_count_);
  for (const Operand& operand : inputs_) {
    auto* bytes = reinterpret_cast<int8_t*>(args.workspace + operand.offset);
    unpack_bits(static_cast<const uint8_t*>(args.in[operand.index]), bytes, operand.count, operand.bits,
                operand.is_signed);
    pointers[operand.index] = bytes;
  }
  for (const Operand& operand : outputs_) pointers[input_count_ + operand.index] = args.workspace + operand.offset;
  return {pointers, pointers + input_count_, args.workspace, args.pool};
}

void PackedOperands::pack(const RunArgs& args) const noexcept {
  for (const Operand& operand : outputs_) {
    pack_bits(reinterpret_cast<const uint8_t*>(args.workspace + operand.offset),
              static_cast<uint8_t*>(args.out[operand.index]), operand.count, operand.bits);
  }
}

}  // namespace fewbits::ops
