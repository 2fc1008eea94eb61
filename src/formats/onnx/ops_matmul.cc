// ONNX matrix products.
#include <algorithm>
#include <numeric>

#include "formats/einsum.h"
#include "formats/onnx/importer.h"
#include "formats/onnx/products.h"

namespace fewbits::onnx {

ValueId multiply(Call& c, ValueId a, ValueId b) {
  int rank_a = c.rank(a), rank_b = c.rank(b);
  if (rank_a < 1 || rank_b < 1) return c.invalid("a product of scalars");
  const bool row = rank_a == 1, column = rank_b == 1;
  if (row) a = c.b.expand_dims(a, {0});
  if (column) b = c.b.expand_dims(b, {1});
  rank_a = std::max(rank_a, 2);
  rank_b = std::max(rank_b, 2);
  const DType type = c.b.dtype(a);
  if (type != DType::kFloat32) {
    a = c.b.cast(a, DType::kFloat32);
    b = c.b.cast(b, DType::kFloat32);
  }
  ValueId y;
  if (rank_b == 2 && c.b.is_const(b)) {
    y = c.b.fully_connected(a, c.b.transpose(b, {1, 0}), kNoValue);
  } else {
    y = c.b.matmul(a, b);
  }
  y = c.b.cast(y, type);
  if (column) y = c.b.squeeze(y, {c.b.rank(y) - 1});
  if (row) y = c.b.squeeze(y, {c.b.rank(y) - (column ? 1 : 2)});
  return y;
}

namespace {

void map_matmul(Call& c) { c.out(multiply(c, c.need(0), c.need(1))); }

// The bias of a Gemm as a vector of `size`; kNoValue when it is none.
ValueId bias_vector(Call& c, ValueId bias, int32_t size, double beta) {
  const auto values = c.b.number_values(bias);
  if (!values || size < 1) return kNoValue;
  const int rank = c.b.rank(bias);
  const bool rows = rank == 2 && c.b.dim(bias, 0) != 1;
  if (rows || (values->size() != 1 && values->size() != static_cast<size_t>(size))) return kNoValue;
  std::vector<float> out(static_cast<size_t>(size));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(beta * (*values)[values->size() == 1 ? 0 : i]);
  }
  return c.b.floats(std::move(out));
}

void map_gemm(Call& c) {
  const bool trans_a = c.int_attr("transA", 0) != 0, trans_b = c.int_attr("transB", 0) != 0;
  const double alpha = c.float_attr("alpha", 1), beta = c.float_attr("beta", 1);
  ValueId a = c.need(0), b = c.need(1), bias = c.in(2);
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  if (c.b.dtype(a) != DType::kFloat32) return (void)c.unsupported("products of integers");
  if (c.rank(a) != 2 || c.rank(b) != 2) return (void)c.invalid("its operands are not matrices");
  ValueId y;
  if (c.b.is_const(b)) {
    if (trans_a) a = c.b.transpose(a, {1, 0});
    if (!trans_b) b = c.b.transpose(b, {1, 0});
    if (alpha != 1) b = c.b.mul(b, number(alpha));
    const ValueId vector = bias == kNoValue ? kNoValue : bias_vector(c, bias, c.b.dim(b, 0), beta);
    y = c.b.fully_connected(a, b, vector);
    if (vector != kNoValue) bias = kNoValue;
  } else {
    y = c.b.matmul(a, b, trans_a, trans_b);
    if (alpha != 1) y = c.b.mul(y, number(alpha));
  }
  if (bias != kNoValue) y = c.b.add(y, beta == 1 ? bias : c.b.mul(bias, number(beta)));
  c.out(y);
}

void map_einsum(Call& c) { c.out(formats::einsum(c.b, c.string_attr("equation", ""), c.all_inputs())); }

constexpr OpEntry kOps[] = {
    {"Einsum", map_einsum},
    {"Gemm", map_gemm},
    {"MatMul", map_matmul},
};

}  // namespace

std::span<const OpEntry> matmul_ops() { return kOps; }

}  // namespace fewbits::onnx
