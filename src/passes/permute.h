// Permutations of dimensions, and what they do to constants and shapes. perm[i] is the source of dimension i, as TRANSPOSE
// has it.
#pragma once

#include <vector>

#include "ir/model.h"
#include "passes/rewriter.h"

namespace fewbits::passes {

using Perm = std::vector<int32_t>;

bool is_identity(const Perm& perm);
Perm inverse(const Perm& perm);
// first, then second, as one.
Perm compose(const Perm& first, const Perm& second);
// The order that is left when the dimensions in `gone` (of the result) go.
Perm without(const Perm& perm, const std::vector<int32_t>& gone);
template <class T>
std::vector<T> permuted(const std::vector<T>& list, const Perm& perm) {
  std::vector<T> out;
  for (int32_t p : perm) out.push_back(list[static_cast<size_t>(p)]);
  return out;
}
// True when only dimensions of size 1 change places: a reshape says the same.
bool moves_only_ones(const Shape& shape, const Perm& perm);
// The permutation of a TRANSPOSE whose order is constant and fits its input's rank.
std::optional<Perm> perm_of(const Graph& graph, const Node& node);
Node transpose_node(Rewriter& r, ValueId from, ValueId to, const Perm& perm);
Node reshape_node(Rewriter& r, ValueId from, ValueId to, const Shape& shape);
// A transposed copy of a dense constant whose elements are whole bytes; nothing for others.
std::optional<ConstData> transpose_data(const Value& value, const Perm& perm);
std::optional<ConstData> transpose_data(const ConstData& data, DType dtype, const Shape& shape, const Perm& perm);

}  // namespace fewbits::passes
