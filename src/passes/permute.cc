// Permutations of dimensions.
#include "passes/permute.h"

#include <algorithm>
#include <cstring>

#include "schema/tflite.h"

namespace fewbits::passes {

bool is_identity(const Perm& perm) {
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int32_t>(i)) return false;
  }
  return true;
}

Perm inverse(const Perm& perm) {
  Perm out(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) out[static_cast<size_t>(perm[i])] = static_cast<int32_t>(i);
  return out;
}

Perm compose(const Perm& first, const Perm& second) { return permuted(first, second); }

Perm without(const Perm& perm, const std::vector<int32_t>& gone) {
  Perm left;
  for (size_t i = 0; i < perm.size(); ++i) {
    if (std::find(gone.begin(), gone.end(), static_cast<int32_t>(i)) == gone.end()) left.push_back(perm[i]);
  }
  Perm sorted = left;
  std::sort(sorted.begin(), sorted.end());
  for (int32_t& p : left) p = static_cast<int32_t>(std::lower_bound(sorted.begin(), sorted.end(), p) - sorted.begin());
  return left;
}

bool moves_only_ones(const Shape& shape, const Perm& perm) {
  int32_t last = -1;
  for (int32_t p : perm) {
    if (shape[static_cast<size_t>(p)] == 1) continue;
    if (p < last) return false;
    last = p;
  }
  return true;
}

std::optional<Perm> perm_of(const Graph& graph, const Node& node) {
  if (node.op != Op::TRANSPOSE || node.inputs.size() != 2) return std::nullopt;
  auto perm = const_ints(graph, node.inputs[1]);
  const Value& input = graph.value(node.inputs[0]);
  if (!perm || !input.has_rank || perm->size() != input.shape.size()) return std::nullopt;
  Perm sorted = *perm;
  for (int32_t& p : *perm) p = p < 0 ? p + static_cast<int32_t>(perm->size()) : p;
  sorted = *perm;
  std::sort(sorted.begin(), sorted.end());
  return is_identity(sorted) ? perm : std::nullopt;
}

Node transpose_node(Rewriter& r, ValueId from, ValueId to, const Perm& perm) {
  Node node;
  node.op = Op::TRANSPOSE;
  node.inputs = {from, r.add_ints(perm, r.value(to).name + "/perm")};
  node.outputs = {to};
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  options->Set(tflite::TransposeOptionsT());
  node.options = std::move(options);
  return node;
}

Node reshape_node(Rewriter& r, ValueId from, ValueId to, const Shape& shape) {
  Node node;
  node.op = Op::RESHAPE;
  node.inputs = {from, r.add_ints(shape, r.value(to).name + "/shape")};
  node.outputs = {to};
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  tflite::ReshapeOptionsT table;
  table.new_shape = shape;
  options->Set(std::move(table));
  node.options = std::move(options);
  return node;
}

std::optional<ConstData> transpose_data(const Value& value, const Perm& perm) {
  if (value.sparsity != nullptr || value.shape.size() != perm.size()) return std::nullopt;
  return transpose_data(value.data, value.dtype, value.shape, perm);
}

std::optional<ConstData> transpose_data(const ConstData& data, DType dtype, const Shape& shape, const Perm& perm) {
  const size_t size = dtype_bits(dtype) / 8;
  const size_t count = element_count(shape), rank = shape.size();
  if (size == 0 || dtype_bits(dtype) % 8 != 0 || data.bytes().size() < count * size) return std::nullopt;
  std::vector<size_t> stride(rank, 1), step(rank), at(rank, 0);
  for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * static_cast<size_t>(shape[i]);
  const Shape to = permuted(shape, perm);
  for (size_t i = 0; i < rank; ++i) step[i] = stride[static_cast<size_t>(perm[i])];
  std::vector<uint8_t> out(count * size);
  size_t source = 0;
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(out.data() + i * size, data.bytes().data() + source * size, size);
    for (size_t d = rank; d-- > 0;) {
      source += step[d];
      if (++at[d] < static_cast<size_t>(to[d])) break;
      source -= step[d] * at[d];
      at[d] = 0;
    }
  }
  return ConstData::own(std::move(out));
}

}  // namespace fewbits::passes
