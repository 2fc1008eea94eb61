// Operators that work element by element: most are one TFLite operator each, the rest short formulas.
#include <optional>

#include "formats/formulas.h"
#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {
namespace {

template <fewbits::Op kOp>
Result<Tensors> unary(const OpCall& op) {
  return one(op.b().unary(kOp, op.in(0)));
}
template <fewbits::Op kOp>
Result<Tensors> binary(const OpCall& op) {
  return one(op.b().binary(kOp, op.in(0), op.in(1)));
}

std::optional<double> number(const GraphBuilder& b, ValueId id) {
  const auto values = b.number_values(id);
  if (!values || values->size() != 1) return std::nullopt;
  return (*values)[0];
}

// ---- error functions, half of a GELU that passes/ puts together ----

Result<Tensors> erf(const OpCall& op) { return one(op.b().erf(op.in(0))); }

// -x, without a negation where x is one.
ValueId negated(GraphBuilder& b, ValueId x) {
  const Node* node = b.producer(x);
  if (node != nullptr && node->op == Op::NEG) return node->inputs[0];
  if (node != nullptr && node->op == Op::MUL) {
    const ValueId left = node->inputs[0], right = node->inputs[1];
    const Node* negation = b.producer(left);
    if (negation != nullptr && negation->op == Op::NEG) return b.mul(negation->inputs[0], right);
  }
  return b.unary(Op::NEG, x);
}

// 1 - erf(x) as 1 + erf(-x): TensorFlow's GELU is 0.5 * x * erfc(-x / sqrt(2)).
Result<Tensors> erfc(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId x = op.in(0);
  return one(b.add(b.erf(negated(b, x)), b.scalar_like(1, x)));
}

// ---- activations ----

Result<Tensors> leaky_relu(const OpCall& op) { return one(op.b().leaky_relu(op.in(0), op.attrs.real("alpha", 0.2f))); }

template <ValueId (*kFormula)(GraphBuilder&, ValueId)>
Result<Tensors> formula(const OpCall& op) {
  return one(kFormula(op.b(), op.in(0)));
}

// ---- arithmetic ----

Result<Tensors> reciprocal(const OpCall& op) {
  GraphBuilder& b = op.b();
  return one(b.div(b.scalar_like(1, op.in(0)), op.in(0)));
}

// 0 where the second operand is 0, whatever the first one is.
Result<Tensors> div_no_nan(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId zero = b.scalar_like(0, op.in(1));
  const ValueId is_zero = b.binary(Op::EQUAL, op.in(1), zero);
  return one(b.select(is_zero, zero, b.div(op.in(0), op.in(1))));
}
Result<Tensors> mul_no_nan(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId zero = b.scalar_like(0, op.in(1));
  const ValueId is_zero = b.binary(Op::EQUAL, op.in(1), zero);
  return one(b.select(is_zero, zero, b.mul(op.in(0), op.in(1))));
}

// a - trunc(a / b) * b, with the sign of a.
Result<Tensors> truncate_mod(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId x = op.in(0), y = op.in(1);
  const ValueId remainder = b.binary(Op::FLOOR_MOD, b.unary(Op::ABS, x), b.unary(Op::ABS, y));
  const ValueId negative = b.binary(Op::LESS, x, b.scalar_like(0, x));
  return one(b.select(negative, b.unary(Op::NEG, remainder), remainder));
}

Result<Tensors> log1p(const OpCall& op) {
  GraphBuilder& b = op.b();
  return one(b.unary(Op::LOG, b.add(op.in(0), b.scalar_like(1, op.in(0)))));
}
Result<Tensors> expm1(const OpCall& op) {
  GraphBuilder& b = op.b();
  return one(b.sub(b.unary(Op::EXP, op.in(0)), b.scalar_like(1, op.in(0))));
}
Result<Tensors> add_n(const OpCall& op) {
  GraphBuilder& b = op.b();
  ValueId sum = op.in(0);
  for (size_t i = 1; i < op.count(); ++i) sum = b.add(sum, op.in(i));
  return one(sum);
}
Result<Tensors> is_nan(const OpCall& op) { return one(op.b().binary(Op::NOT_EQUAL, op.in(0), op.in(0))); }
Result<Tensors> is_finite(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId x = op.in(0);
  return one(b.binary(Op::LESS_EQUAL, b.unary(Op::ABS, x), b.scalar_like(3.4028234663852886e38, x)));
}
Result<Tensors> is_inf(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId x = op.in(0);
  return one(b.binary(Op::GREATER, b.unary(Op::ABS, x), b.scalar_like(3.4028234663852886e38, x)));
}
Result<Tensors> tangent(const OpCall& op) {
  GraphBuilder& b = op.b();
  return one(b.div(b.unary(Op::SIN, op.in(0)), b.unary(Op::COS, op.in(0))));
}
Result<Tensors> clip_by_value(const OpCall& op) {
  GraphBuilder& b = op.b();
  const auto low = number(b, op.in(1)), high = number(b, op.in(2));
  if (low && high) return one(b.clamp(op.in(0), *low, *high));
  return one(b.binary(Op::MINIMUM, b.binary(Op::MAXIMUM, op.in(0), op.in(1)), op.in(2)));
}
Result<Tensors> logical_xor(const OpCall& op) { return one(op.b().binary(Op::NOT_EQUAL, op.in(0), op.in(1))); }

// ---- min(max(x, low), high) as TensorFlow and Keras write it ----

Result<Tensors> minimum(const OpCall& op) {
  GraphBuilder& b = op.b();
  for (const auto& [bounded, limit] : {std::pair(op.in(0), op.in(1)), std::pair(op.in(1), op.in(0))}) {
    const Node* inner = b.producer(bounded);
    const auto high = number(b, limit);
    if (inner == nullptr || !high || b.dtype(bounded) != DType::kFloat32) continue;
    if (inner->op == Op::RELU && *high == 6) return one(b.clamp(inner->inputs[0], 0, 6));
  }
  return one(b.binary(Op::MINIMUM, op.in(0), op.in(1)));
}
Result<Tensors> maximum(const OpCall& op) {
  GraphBuilder& b = op.b();
  if (number(b, op.in(1)) == 0.0 && b.dtype(op.in(0)) == DType::kFloat32 && b.value(op.in(1)).shape.empty())
    return one(b.unary(Op::RELU, op.in(0)));
  return one(b.binary(Op::MAXIMUM, op.in(0), op.in(1)));
}

// ---- choices and types ----

Result<Tensors> select(const OpCall& op) {
  GraphBuilder& b = op.b();
  ValueId condition = op.in(0);
  // The old Select takes a vector condition for whole rows.
  const int rank = b.rank(op.in(1));
  if (op.node.op() == "Select" && b.rank(condition) == 1 && rank > 1) {
    Shape shape(static_cast<size_t>(rank), 1);
    shape[0] = -1;
    condition = b.reshape(condition, shape);
  }
  return one(b.select(condition, op.in(1), op.in(2)));
}
Result<Tensors> cast(const OpCall& op) {
  FB_ASSIGN(const DType to, dtype_of(op.attrs.type("DstT", tf::DT_FLOAT), "it casts"));
  return one(op.b().cast(op.in(0), to));
}
Result<Tensors> bitcast(const OpCall& op) {
  FB_ASSIGN(const DType to, dtype_of(op.attrs.type("type", tf::DT_FLOAT), "it casts"));
  Node node;
  node.op = Op::BITCAST;
  node.inputs = {op.in(0)};
  return many(op.b().typed_nodes(std::move(node), {to}));
}

using enum fewbits::Op;
constexpr RuleEntry kRules[] = {
    {"Abs", unary<ABS>},
    {"Add", binary<ADD>},
    {"AddN", add_n},
    {"AddV2", binary<ADD>},
    {"Atan2", binary<ATAN2>},
    {"Bitcast", bitcast},
    {"BitwiseXor", binary<BITWISE_XOR>},
    {"Cast", cast},
    {"Ceil", unary<CEIL>},
    {"ClipByValue", clip_by_value},
    {"ComplexAbs", unary<COMPLEX_ABS>},
    {"Cos", unary<COS>},
    {"Div", binary<DIV>},
    {"DivNoNan", div_no_nan},
    {"Elu", unary<ELU>},
    {"Equal", binary<EQUAL>},
    {"Erf", erf},
    {"Erfc", erfc},
    {"Exp", unary<EXP>},
    {"Expm1", expm1},
    {"Floor", unary<FLOOR>},
    {"FloorDiv", binary<FLOOR_DIV>},
    {"FloorMod", binary<FLOOR_MOD>},
    {"Greater", binary<GREATER>},
    {"GreaterEqual", binary<GREATER_EQUAL>},
    {"Imag", unary<IMAG>},
    {"Inv", reciprocal},
    {"IsFinite", is_finite},
    {"IsInf", is_inf},
    {"IsNan", is_nan},
    {"LeakyRelu", leaky_relu},
    {"Less", binary<LESS>},
    {"LessEqual", binary<LESS_EQUAL>},
    {"Log", unary<LOG>},
    {"Log1p", log1p},
    {"LogicalAnd", binary<LOGICAL_AND>},
    {"LogicalNot", unary<LOGICAL_NOT>},
    {"LogicalOr", binary<LOGICAL_OR>},
    {"LogicalXor", logical_xor},
    {"Maximum", maximum},
    {"Minimum", minimum},
    {"Mod", truncate_mod},
    {"Mul", binary<MUL>},
    {"MulNoNan", mul_no_nan},
    {"Neg", unary<NEG>},
    {"NotEqual", binary<NOT_EQUAL>},
    {"Pow", binary<POW>},
    {"Real", unary<REAL>},
    {"RealDiv", binary<DIV>},
    {"Reciprocal", reciprocal},
    {"Relu", unary<RELU>},
    {"Relu6", unary<RELU6>},
    {"RightShift", binary<RIGHT_SHIFT>},
    {"Rint", unary<ROUND>},
    {"Round", unary<ROUND>},
    {"Rsqrt", unary<RSQRT>},
    {"Select", select},
    {"SelectV2", select},
    {"Selu", formula<formats::selu>},
    {"Sigmoid", unary<LOGISTIC>},
    {"Sign", unary<SIGN>},
    {"Sin", unary<SIN>},
    {"Softplus", formula<formats::softplus>},
    {"Softsign", formula<formats::softsign>},
    {"Sqrt", unary<SQRT>},
    {"Square", unary<SQUARE>},
    {"SquaredDifference", binary<SQUARED_DIFFERENCE>},
    {"Sub", binary<SUB>},
    {"Tan", tangent},
    {"Tanh", unary<TANH>},
    {"TruncateDiv", binary<DIV>},
    {"TruncateMod", truncate_mod},
};

}  // namespace

std::span<const RuleEntry> elementwise_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
