// Operators that work element by element: most are one TFLite operator each, the rest short formulas.
#include <array>
#include <cmath>
#include <numbers>

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

// ---- GELU ----
// Exact GELU reaches us as 0.5 * x * (1 + erf(x / sqrt(2))). Erf alone has no operator and becomes a polynomial; the maps of
// Lowering remember what it stood for, and the last product becomes one GELU (the polynomial then is dead code).

std::optional<double> number(const GraphBuilder& b, ValueId id) {
  const auto values = b.number_values(id);
  if (!values || values->size() != 1) return std::nullopt;
  return (*values)[0];
}
bool near(std::optional<double> value, double wanted) { return value && std::abs(*value - wanted) <= 1e-6 * wanted; }

// x when `id` is x / sqrt(2).
ValueId without_root_half(const GraphBuilder& b, ValueId id) {
  const Node* node = b.producer(id);
  if (node == nullptr || node->inputs.size() != 2) return kNoValue;
  const ValueId left = node->inputs[0], right = node->inputs[1];
  if (node->op == fewbits::Op::DIV && near(number(b, right), std::numbers::sqrt2)) return left;
  if (node->op != fewbits::Op::MUL) return kNoValue;
  if (near(number(b, right), std::numbers::sqrt2 / 2)) return left;
  return near(number(b, left), std::numbers::sqrt2 / 2) ? right : kNoValue;
}

// x when the product of `a` and `c` is a GELU of x.
ValueId gelu_argument(const OpCall& op, ValueId a, ValueId c) {
  const GraphBuilder& b = op.b();
  std::vector<ValueId> factors;
  for (ValueId side : {a, c}) {
    const Node* node = b.producer(side);
    const bool is_product =
        node != nullptr && node->op == fewbits::Op::MUL && op.lowering.one_plus_erf_of.count(side) == 0;
    // x itself may be a product: only one by 0.5, or one that holds the erf, is taken apart.
    const bool of_ours =
        is_product && (near(number(b, node->inputs[0]), 0.5) || near(number(b, node->inputs[1]), 0.5) ||
                       op.lowering.one_plus_erf_of.count(node->inputs[0]) != 0 ||
                       op.lowering.one_plus_erf_of.count(node->inputs[1]) != 0);
    if (of_ours) {
      factors.insert(factors.end(), node->inputs.begin(), node->inputs.end());
    } else {
      factors.push_back(side);
    }
  }
  if (factors.size() != 3) return kNoValue;
  ValueId x = kNoValue, argument = kNoValue;
  bool half = false;
  for (ValueId factor : factors) {
    if (near(number(b, factor), 0.5)) {
      half = true;
    } else if (const auto found = op.lowering.one_plus_erf_of.find(factor);
               found != op.lowering.one_plus_erf_of.end()) {
      argument = found->second;
    } else {
      x = factor;
    }
  }
  return half && x != kNoValue && x == argument ? x : kNoValue;
}

Result<Tensors> mul(const OpCall& op) {
  const ValueId x = gelu_argument(op, op.in(0), op.in(1));
  if (x != kNoValue) return one(op.b().gelu(x, false));
  return one(op.b().mul(op.in(0), op.in(1)));
}

Result<Tensors> add(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId sum = b.add(op.in(0), op.in(1));
  for (const auto& [erf, other] : {std::pair(op.in(0), op.in(1)), std::pair(op.in(1), op.in(0))}) {
    const auto found = op.lowering.erf_of.find(erf);
    if (found == op.lowering.erf_of.end() || !near(number(b, other), 1)) continue;
    if (const ValueId x = without_root_half(b, found->second); x != kNoValue) op.lowering.one_plus_erf_of[sum] = x;
  }
  return one(sum);
}

ValueId polynomial(GraphBuilder& b, ValueId x, std::span<const double> coefficients) {
  ValueId sum = b.scalar_like(coefficients[0], x);
  for (size_t i = 1; i < coefficients.size(); ++i) {
    sum = b.add(b.mul(sum, x), b.scalar_like(coefficients[i], x));
  }
  return sum;
}

// erf as a rational function of x^2 over [-4, 4], where float32 has reached 1.
Result<Tensors> erf(const OpCall& op) {
  GraphBuilder& b = op.b();
  constexpr std::array<double, 7> kTop = {-2.72614225801306e-10, 2.77068142495902e-08,  -2.10102402082508e-06,
                                          -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03,
                                          -1.60960333262415e-02};
  constexpr std::array<double, 5> kBottom = {-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03,
                                             -7.37332916720468e-03, -1.42647390514189e-02};
  const ValueId x = b.clamp(op.in(0), -4, 4);
  const ValueId square = b.mul(x, x);
  const ValueId result = b.div(b.mul(x, polynomial(b, square, kTop)), polynomial(b, square, kBottom));
  op.lowering.erf_of[result] = op.in(0);
  return one(result);
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
    {"Add", add},
    {"AddN", add_n},
    {"AddV2", add},
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
    {"Mul", mul},
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
