// ONNX comparisons, logic and bits.
#include <limits>

#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"

namespace fewbits::onnx {
namespace {

template <Op kOp>
void map_compare(Call& c) {
  ValueId a = c.need(0), b = c.need(1);
  // Of booleans TFLite compares equality only; small integers go through int32.
  const bool ordered = kOp != Op::EQUAL && kOp != Op::NOT_EQUAL;
  if (is_small_int(c.b.dtype(a)) || (ordered && c.b.dtype(a) == DType::kBool)) {
    a = c.b.cast(a, DType::kInt32);
    b = c.b.cast(b, DType::kInt32);
  }
  c.out(c.b.binary(kOp, a, b));
}

template <Op kOp>
void map_logical(Call& c) {
  c.out(c.b.binary(kOp, c.need(0), c.need(1)));
}
void map_not(Call& c) { c.out(c.b.unary(Op::LOGICAL_NOT, c.need(0))); }
void map_xor(Call& c) { c.out(c.b.binary(Op::NOT_EQUAL, c.need(0), c.need(1))); }

void map_where(Call& c) { c.out(c.b.select(c.need(0), c.need(1), c.need(2))); }

void map_is_nan(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.binary(Op::NOT_EQUAL, x, x));
}
void map_is_inf(Call& c) {
  const ValueId x = c.need(0);
  const bool negative = c.int_attr("detect_negative", 1) != 0, positive = c.int_attr("detect_positive", 1) != 0;
  const double most = std::numeric_limits<float>::max();
  const ValueId above = c.b.binary(Op::GREATER, x, c.b.scalar_like(most, x));
  const ValueId below = c.b.binary(Op::LESS, x, c.b.scalar_like(-most, x));
  if (negative && positive) return c.out(c.b.binary(Op::LOGICAL_OR, above, below));
  if (positive) return c.out(above);
  if (negative) return c.out(below);
  c.out(c.b.binary(Op::LOGICAL_AND, above, below));  // never
}

void map_bitwise_xor(Call& c) { c.out(c.b.binary(Op::BITWISE_XOR, c.need(0), c.need(1))); }
void map_bitwise_not(Call& c) {
  const ValueId x = c.need(0);
  if (c.b.dtype(x) == DType::kUInt8) return c.out(c.b.binary(Op::BITWISE_XOR, x, c.b.scalar_like(255, x)));
  c.out(c.b.binary(Op::BITWISE_XOR, x, c.b.scalar_like(-1, x)));
}

// x << n is x * 2^n: TFLite shifts to the right only.
void map_bit_shift(Call& c) {
  const ValueId x = c.need(0), n = c.need(1);
  if (c.string_attr("direction", "") == "RIGHT") return c.out(c.b.binary(Op::RIGHT_SHIFT, x, n));
  const ValueId wide = c.b.cast(x, DType::kInt32);
  const ValueId power = c.b.binary(Op::POW, c.b.scalar(2, DType::kInt32), c.b.cast(n, DType::kInt32));
  c.out(c.b.cast(c.b.mul(wide, power), c.b.dtype(x)));
}

constexpr OpEntry kOps[] = {
    {"And", map_logical<Op::LOGICAL_AND>},
    {"BitShift", map_bit_shift},
    {"BitwiseNot", map_bitwise_not},
    {"BitwiseXor", map_bitwise_xor},
    {"Equal", map_compare<Op::EQUAL>},
    {"Greater", map_compare<Op::GREATER>},
    {"GreaterOrEqual", map_compare<Op::GREATER_EQUAL>},
    {"IsInf", map_is_inf},
    {"IsNaN", map_is_nan},
    {"Less", map_compare<Op::LESS>},
    {"LessOrEqual", map_compare<Op::LESS_EQUAL>},
    {"Not", map_not},
    {"Or", map_logical<Op::LOGICAL_OR>},
    {"Where", map_where},
    {"Xor", map_xor},
};

}  // namespace

std::span<const OpEntry> logic_ops() { return kOps; }

}  // namespace fewbits::onnx
