// Operators of ONNX Runtime's domain com.microsoft that exporters and optimizers write.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"
#include "formats/onnx/products.h"

namespace fewbits::onnx {

ValueId activated(Call& c, ValueId x, const std::string& name, const std::vector<double>& parameters) {
  const auto parameter = [&](size_t i, double otherwise) { return i < parameters.size() ? parameters[i] : otherwise; };
  if (name.empty()) return x;
  if (name == "Relu") return c.b.unary(Op::RELU, x);
  if (name == "Sigmoid") return c.b.unary(Op::LOGISTIC, x);
  if (name == "Tanh") return c.b.unary(Op::TANH, x);
  if (name == "LeakyRelu") return c.b.leaky_relu(x, static_cast<float>(parameter(0, 0.01)));
  if (name == "Clip") return c.b.clamp(x, parameter(0, 0), parameter(1, 0));
  if (name == "HardSigmoid") {
    const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
    return c.b.clamp(c.b.add(c.b.mul(x, number(parameter(0, 0.2))), number(parameter(1, 0.5))), 0, 1);
  }
  return c.unsupported(fmt::format("the fused activation '{}'", name));
}

namespace {

void map_fused_conv(Call& c) {
  ValueId y = convolve(c, c.need(0), c.need(1), c.in(2));
  if (c.has(3)) y = c.b.add(y, c.in(3));
  c.out(activated(c, y, c.string_attr("activation", ""), c.floats_attr("activation_params")));
}

void map_fused_matmul(Call& c) {
  ValueId a = c.need(0), b = c.need(1);
  if (c.int_attr("transBatchA", 0) != 0 || c.int_attr("transBatchB", 0) != 0)
    return (void)c.unsupported("transBatchA or B");
  const auto swapped = [&](ValueId x) {
    std::vector<int32_t> perm(static_cast<size_t>(c.rank(x)));
    std::iota(perm.begin(), perm.end(), 0);
    if (perm.size() > 1) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    return c.b.transpose(x, perm);
  };
  if (c.int_attr("transA", 0) != 0) a = swapped(a);
  if (c.int_attr("transB", 0) != 0) b = swapped(b);
  const ValueId y = multiply(c, a, b);
  const double alpha = c.float_attr("alpha", 1);
  c.out(alpha == 1 ? y : c.b.mul(y, c.b.scalar(alpha, DType::kFloat32)));
}

void map_bias_gelu(Call& c) { c.out(c.b.gelu(c.b.add(c.need(0), c.need(1)), false)); }
void map_gelu(Call& c) { c.out(c.b.gelu(c.need(0), false)); }
void map_fast_gelu(Call& c) { c.out(c.b.gelu(c.has(1) ? c.b.add(c.need(0), c.in(1)) : c.need(0), true)); }
void map_quick_gelu(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.mul(x, c.b.unary(Op::LOGISTIC, c.b.mul(x, c.b.scalar(c.float_attr("alpha", 1.702), DType::kFloat32)))));
}

ValueId scaled(Call& c, ValueId y, size_t gamma, size_t beta) {
  y = c.b.mul(y, c.need(gamma));
  return c.has(beta) ? c.b.add(y, c.in(beta)) : y;
}
ValueId rms(Call& c, ValueId x) {
  const ValueId mean = c.b.reduce(Op::MEAN, c.b.mul(x, x), {c.rank(x) - 1}, true);
  const ValueId epsilon = c.b.scalar(c.float_attr("epsilon", 1e-5), DType::kFloat32);
  return c.b.mul(x, c.b.unary(Op::RSQRT, c.b.add(mean, epsilon)));
}

// input, skip, gamma, beta, bias
void map_skip_layer_norm(Call& c) {
  ValueId sum = c.b.add(c.need(0), c.need(1));
  if (c.has(4)) sum = c.b.add(sum, c.in(4));
  c.out(scaled(c, normalize(c, sum, {c.rank(sum) - 1}, c.float_attr("epsilon", 1e-12)), 2, 3), 0);
  c.out(sum, 3);
}
void map_skip_simplified_layer_norm(Call& c) {
  ValueId sum = c.b.add(c.need(0), c.need(1));
  if (c.has(3)) sum = c.b.add(sum, c.in(3));
  c.out(c.b.mul(rms(c, sum), c.need(2)), 0);
  c.out(sum, 3);
}
void map_simplified_layer_norm(Call& c) { c.out(c.b.mul(rms(c, c.need(0)), c.need(1))); }

// Self-attention over x [batch, steps, hidden] with joint weights [hidden, 3 * hidden]; an optional mask [batch, steps] of ones.
void map_attention(Call& c) {
  const ValueId x = c.need(0), weights = c.need(1);
  const auto heads = static_cast<int32_t>(c.int_attr("num_heads", 1));
  if (c.int_attr("unidirectional", 0) != 0 || c.has(4) || c.has(5) || c.has(6) || c.has_attr("qkv_hidden_sizes") ||
      c.int_attr("do_rotary", 0) != 0) {
    return (void)c.unsupported("this form of attention (past state, causal, rotary, or unequal sizes)");
  }
  const int32_t batch = c.b.dim(x, 0), steps = c.b.dim(x, 1), joint = c.b.dim(weights, 1), hidden = joint / 3;
  if (c.rank(x) != 3 || batch < 1 || steps < 1 || heads < 1 || hidden < 1 || hidden % heads != 0) {
    return (void)c.unsupported("attention over open sizes: give them with --shape");
  }
  ValueId all = multiply(c, x, weights);
  if (c.has(2)) all = c.b.add(all, c.in(2));
  const auto parts = c.b.split(all, {hidden, hidden, hidden}, 2);
  const auto by_head = [&](ValueId part) {
    return c.b.transpose(c.b.reshape(part, {batch, steps, heads, hidden / heads}), {0, 2, 1, 3});
  };
  const double scale = c.float_attr("scale", 1 / std::sqrt(static_cast<double>(hidden / heads)));
  const ValueId q = c.b.mul(by_head(parts[0]), c.b.scalar(scale, DType::kFloat32));
  ValueId scores = c.b.matmul(q, by_head(parts[1]), false, true);
  if (c.has(3)) {
    const ValueId mask = c.in(3);
    if (c.b.rank(mask) != 2 || c.b.dim(mask, 1) != steps) return (void)c.unsupported("this form of attention mask");
    const ValueId gone =
        c.b.sub(c.b.scalar(1, DType::kFloat32), c.b.cast(c.b.reshape(mask, {batch, 1, 1, steps}), DType::kFloat32));
    scores = c.b.add(scores, c.b.mul(gone, c.b.scalar(c.float_attr("mask_filter_value", -10000), DType::kFloat32)));
  }
  const ValueId mixed = c.b.matmul(c.b.softmax(scores), by_head(parts[2]));
  c.out(c.b.reshape(c.b.transpose(mixed, {0, 2, 1, 3}), {batch, steps, hidden}));
}

// a, scale, zero, b, scale, zero, scale, zero
template <Op kOp>
void map_qlinear_binary(Call& c) {
  const ValueId a = dequantized(c, c.need(0), c.need(1), c.in(2), 1),
                b = dequantized(c, c.need(3), c.need(4), c.in(5), 1);
  c.out(quantized(c, c.b.binary(kOp, a, b), c.need(6), c.in(7), 1, c.b.dtype(c.need(0))));
}

// x, scale, zero, scale, zero
template <class Body>
void qlinear_unary(Call& c, const Body& body) {
  const ValueId x = dequantized(c, c.need(0), c.need(1), c.in(2), 1);
  c.out(quantized(c, body(x), c.need(3), c.in(4), 1, c.b.dtype(c.need(0))));
}
void map_qlinear_sigmoid(Call& c) {
  qlinear_unary(c, [&](ValueId x) { return c.b.unary(Op::LOGISTIC, x); });
}
void map_qlinear_leaky_relu(Call& c) {
  qlinear_unary(c, [&](ValueId x) { return c.b.leaky_relu(x, static_cast<float>(c.float_attr("alpha", 0.01))); });
}
void map_qlinear_average_pool(Call& c) {
  if (c.int_attr("channels_last", 0) != 0) return (void)c.unsupported("channels_last");
  qlinear_unary(c, [&](ValueId x) { return average_pool(c, x); });
}
void map_qlinear_global_average(Call& c) {
  if (c.int_attr("channels_last", 0) != 0) return (void)c.unsupported("channels_last");
  qlinear_unary(c, [&](ValueId x) {
    std::vector<int32_t> axes(static_cast<size_t>(std::max(c.rank(x) - 2, 0)));
    std::iota(axes.begin(), axes.end(), 2);
    return c.b.reduce(Op::MEAN, x, axes, true);
  });
}

// scale, zero, then (x, scale, zero)...
void map_qlinear_concat(Call& c) {
  std::vector<ValueId> parts;
  for (size_t i = 2; i + 2 < c.input_count(); i += 3)
    parts.push_back(dequantized(c, c.need(i), c.need(i + 1), c.in(i + 2), 1));
  if (parts.empty()) return (void)c.invalid("it joins nothing");
  const ValueId y = c.b.concat(parts, c.axis(c.int_attr("axis", 0), c.rank(parts[0])));
  c.out(quantized(c, y, c.need(0), c.in(1), 1, c.b.dtype(c.need(2))));
}

// a, scale, zero, b, scale, zero, bias, scale, zero
void map_qgemm(Call& c) {
  const bool trans_a = c.int_attr("transA", 0) != 0, trans_b = c.int_attr("transB", 0) != 0;
  ValueId a = dequantized(c, c.need(0), c.need(1), c.in(2), 1);
  ValueId b = dequantized(c, c.need(3), c.need(4), c.in(5), trans_b ? 0 : 1);
  if (c.float_attr("alpha", 1) != 1 || !c.b.is_const(b)) return (void)c.unsupported("this form of QGemm");
  if (trans_a) a = c.b.transpose(a, {1, 0});
  if (!trans_b) b = c.b.transpose(b, {1, 0});
  ValueId bias = kNoValue;
  if (c.has(6)) {
    bias = c.b.mul(c.b.cast(c.in(6), DType::kFloat32), c.b.mul(c.b.reshape(c.need(1), {}), c.need(4)));
    bias = c.b.reshape(bias, {-1});
  }
  const ValueId y = c.b.fully_connected(a, b, bias);
  c.out(c.has(7) ? quantized(c, y, c.in(7), c.in(8), 1, c.b.dtype(c.need(0))) : y);
}

constexpr OpEntry kOps[] = {
    {"Attention", map_attention},
    {"BiasGelu", map_bias_gelu},
    {"FastGelu", map_fast_gelu},
    {"FusedConv", map_fused_conv},
    {"FusedMatMul", map_fused_matmul},
    {"Gelu", map_gelu},
    {"QGemm", map_qgemm},
    {"QLinearAdd", map_qlinear_binary<Op::ADD>},
    {"QLinearAveragePool", map_qlinear_average_pool},
    {"QLinearConcat", map_qlinear_concat},
    {"QLinearGlobalAveragePool", map_qlinear_global_average},
    {"QLinearLeakyRelu", map_qlinear_leaky_relu},
    {"QLinearMul", map_qlinear_binary<Op::MUL>},
    {"QLinearSigmoid", map_qlinear_sigmoid},
    {"QuickGelu", map_quick_gelu},
    {"SimplifiedLayerNormalization", map_simplified_layer_norm},
    {"SkipLayerNormalization", map_skip_layer_norm},
    {"SkipSimplifiedLayerNormalization", map_skip_simplified_layer_norm},
};

}  // namespace

std::span<const OpEntry> contrib_ops() { return kOps; }

}  // namespace fewbits::onnx
