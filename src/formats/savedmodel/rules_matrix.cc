// Matrix products.
#include "formats/einsum.h"
#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {
namespace {

// x [..., k] by a constant matrix is a fully connected layer, whose weights are [n, k].
ValueId product(GraphBuilder& b, ValueId x, ValueId y, bool adj_x, bool adj_y) {
  if (b.is_const(y) && b.rank(y) == 2 && b.rank(x) >= 2 && !adj_x && b.dtype(x) == DType::kFloat32)
    return b.fully_connected(x, adj_y ? y : b.transpose(y, {1, 0}), kNoValue);
  return b.matmul(x, y, adj_x, adj_y);
}

Result<Tensors> matmul(const OpCall& op) {
  GraphBuilder& b = op.b();
  const bool transpose_a = op.attrs.flag("transpose_a", false);
  const ValueId a = transpose_a ? b.transpose(op.in(0), {1, 0}) : op.in(0);
  return one(product(b, a, op.in(1), false, op.attrs.flag("transpose_b", false)));
}

Result<Tensors> batch_matmul(const OpCall& op) {
  return one(product(op.b(), op.in(0), op.in(1), op.attrs.flag("adj_x", false), op.attrs.flag("adj_y", false)));
}

Result<Tensors> einsum(const OpCall& op) {
  std::vector<ValueId> operands;
  for (size_t i = 0; i < op.count(); ++i) operands.push_back(op.in(i));
  return one(formats::einsum(op.b(), op.attrs.text("equation"), operands));
}

constexpr RuleEntry kRules[] = {
    {"BatchMatMul", batch_matmul},
    {"BatchMatMulV2", batch_matmul},
    {"BatchMatMulV3", batch_matmul},
    {"Einsum", einsum},
    {"MatMul", matmul},
};

}  // namespace

std::span<const RuleEntry> matrix_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
