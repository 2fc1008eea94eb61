#include "formats/einsum.h"

#include <algorithm>
#include <map>

namespace fewbits::formats {
namespace {

constexpr int kMostDots = 8;  // dimensions that an ellipsis may stand for; their labels are characters from 1 on

bool has(const std::string& term, char label) { return term.find(label) != std::string::npos; }

struct Equation {
  std::vector<std::string> terms;
  std::string result;
};

// Labels that stand once, in their order, behind the ellipsis's.
std::string implicit_result(const std::vector<std::string>& terms) {
  std::map<char, int> seen;
  for (const std::string& term : terms) {
    for (char label : term) ++seen[label];
  }
  std::string out;
  for (const auto& [label, count] : seen) {
    if (count == 1 || label <= kMostDots) out += label;
  }
  return out;
}

std::optional<Equation> parse(const GraphBuilder& b, std::string text, const std::vector<ValueId>& operands) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  Equation out;
  std::string left = text.substr(0, arrow) + ",";
  for (size_t begin = 0; begin < left.size();) {
    const size_t comma = left.find(',', begin);
    out.terms.push_back(left.substr(begin, comma - begin));
    begin = comma + 1;
  }
  if (out.terms.size() != operands.size()) return std::nullopt;
  int longest = 0;
  std::vector<int> dots;
  for (size_t i = 0; i < operands.size(); ++i) {
    const bool open = out.terms[i].find("...") != std::string::npos;
    dots.push_back(b.rank(operands[i]) - static_cast<int>(out.terms[i].size()) + (open ? 3 : 0));
    if (dots.back() < 0 || dots.back() > kMostDots || (!open && dots.back() != 0)) return std::nullopt;
    longest = std::max(longest, dots.back());
  }
  // The innermost dimensions of ellipses are the same ones.
  const auto expand = [&](std::string& term, int count) {
    const size_t at = term.find("...");
    if (at == std::string::npos) return;
    std::string labels;
    for (int i = longest - count; i < longest; ++i) labels += static_cast<char>(i + 1);
    term.replace(at, 3, labels);
  };
  for (size_t i = 0; i < operands.size(); ++i) expand(out.terms[i], dots[i]);
  if (arrow == std::string::npos) {
    out.result = implicit_result(out.terms);
  } else {
    out.result = text.substr(arrow + 2);
    expand(out.result, longest);
  }
  for (char label : out.result) {
    const bool known =
        std::any_of(out.terms.begin(), out.terms.end(), [&](const auto& term) { return has(term, label); });
    if (!known || std::count(out.result.begin(), out.result.end(), label) > 1) return std::nullopt;
  }
  return out;
}

// The labels of `term` that `keep` says yes to.
template <class Keep>
std::string filtered(const std::string& term, const Keep& keep) {
  std::string out;
  std::copy_if(term.begin(), term.end(), std::back_inserter(out), keep);
  return out;
}

ValueId transposed_to(GraphBuilder& b, ValueId x, const std::string& from, const std::string& to) {
  std::vector<int32_t> perm;
  for (char label : to) perm.push_back(static_cast<int32_t>(from.find(label)));
  return b.transpose(x, perm);
}

// Where a term repeats a label: the elements whose indices are equal, along one dimension at the end.
ValueId diagonal(GraphBuilder& b, ValueId x, std::string& term) {
  for (size_t i = 0; i < term.size(); ++i) {
    const size_t j = term.find(term[i], i + 1);
    if (j == std::string::npos) continue;
    const int32_t n = b.dim(x, static_cast<int>(i));
    if (n < 1 || n > 1 << 15 || b.dim(x, static_cast<int>(j)) != n)
      return b.error(ErrorCode::kUnsupported, "the diagonal of a matrix of open size");
    const char label = term[i];
    std::vector<int32_t> perm;
    std::vector<ValueId> sizes;
    for (size_t d = 0; d < term.size(); ++d) {
      if (d == i || d == j) continue;
      perm.push_back(static_cast<int32_t>(d));
      sizes.push_back(b.size_of(x, static_cast<int>(d)));
    }
    perm.insert(perm.end(), {static_cast<int32_t>(i), static_cast<int32_t>(j)});
    sizes.push_back(b.int_scalar(n * n));
    x = b.reshape_to(b.transpose(x, perm), b.pack(sizes, 0));
    x = b.strided_slice(x, {static_cast<int32_t>(term.size()) - 2}, {0}, {n * n}, {n + 1});
    term = filtered(term, [&](char other) { return other != label; }) + label;
    return diagonal(b, x, term);
  }
  return x;
}

// Sums over the labels that nothing else needs.
ValueId without_lone_labels(GraphBuilder& b, ValueId x, std::string& term, const std::string& needed) {
  std::vector<int32_t> axes;
  for (size_t i = 0; i < term.size(); ++i) {
    if (!has(needed, term[i])) axes.push_back(static_cast<int32_t>(i));
  }
  term = filtered(term, [&](char label) { return has(needed, label); });
  return axes.empty() ? x : b.reduce(Op::SUM, x, axes, false);
}

// x with dimensions [batch..., first, second], where a group of several labels is joined into one.
ValueId as_matrix(GraphBuilder& b, ValueId x, const std::string& term, const std::string& batch,
                  const std::string& first, const std::string& second) {
  x = transposed_to(b, x, term, batch + first + second);
  if (first.size() == 1 && second.size() == 1) return x;
  std::vector<ValueId> sizes;
  int axis = 0;
  for (size_t i = 0; i < batch.size(); ++i) sizes.push_back(b.size_of(x, axis++));
  for (const std::string* group : {&first, &second}) {
    ValueId all = b.int_scalar(1);
    for (size_t i = 0; i < group->size(); ++i) all = b.mul(all, b.size_of(x, axis++));
    sizes.push_back(all);
  }
  return b.reshape_to(x, b.pack(sizes, 0));
}

struct Operand {
  ValueId value = kNoValue;
  std::string term;
};

// The product of two, summed over what `result` does not have.
ValueId contract(GraphBuilder& b, Operand x, Operand y, const std::string& result) {
  x.value = without_lone_labels(b, x.value, x.term, y.term + result);
  y.value = without_lone_labels(b, y.value, y.term, x.term + result);
  std::string batch = filtered(x.term, [&](char c) { return has(y.term, c) && has(result, c); });
  const std::string inner = filtered(x.term, [&](char c) { return has(y.term, c) && !has(result, c); });
  std::string rows = filtered(x.term, [&](char c) { return !has(y.term, c); });
  std::string columns = filtered(y.term, [&](char c) { return !has(x.term, c); });
  // The order of the labels in a group is free: that of the result saves a transpose.
  const auto by_result = [&](char p, char q) { return result.find(p) < result.find(q); };
  for (std::string* group : {&batch, &rows, &columns}) std::sort(group->begin(), group->end(), by_result);
  const std::string made = batch + rows + columns;
  const bool dense = b.is_const(y.value) && batch.empty() && b.dtype(x.value) == DType::kFloat32 && !rows.empty();
  ValueId product;
  if (dense) {
    // Leading dimensions stay as they are: a fully connected layer keeps them.
    const ValueId weights = as_matrix(b, y.value, y.term, "", columns, inner);
    ValueId input = transposed_to(b, x.value, x.term, rows + inner);
    if (inner.size() != 1) {
      std::vector<ValueId> sizes;
      for (size_t i = 0; i < rows.size(); ++i) sizes.push_back(b.size_of(input, static_cast<int>(i)));
      sizes.push_back(b.int_scalar(b.dim(weights, 1)));
      input = b.reshape_to(input, b.pack(sizes, 0));
    }
    product = b.fully_connected(input, weights, kNoValue);
  } else {
    product = b.matmul(as_matrix(b, x.value, x.term, batch, rows, inner),
                       as_matrix(b, y.value, y.term, batch, inner, columns));
  }
  // Joined groups come apart again.
  if (dense ? columns.size() != 1 : rows.size() != 1 || columns.size() != 1) {
    std::vector<ValueId> sizes;
    for (char label : made) {
      const Operand& from = has(x.term, label) ? x : y;
      sizes.push_back(b.size_of(from.value, static_cast<int>(from.term.find(label))));
    }
    product = sizes.empty() ? b.reshape(product, {}) : b.reshape_to(product, b.pack(sizes, 0));
  }
  return transposed_to(b, product, made, result);
}

}  // namespace

ValueId einsum(GraphBuilder& b, std::string text, const std::vector<ValueId>& operands) {
  auto equation = operands.empty() ? std::nullopt : parse(b, text, operands);
  if (!equation) return b.error(ErrorCode::kUnsupported, fmt::format("the equation '{}' for these operands", text));
  std::vector<Operand> left;
  for (size_t i = 0; i < operands.size(); ++i) {
    Operand operand{operands[i], equation->terms[i]};
    operand.value = diagonal(b, operand.value, operand.term);
    left.push_back(std::move(operand));
  }
  if (!b.ok()) return operands[0];
  Operand made = left[0];
  for (size_t i = 1; i < left.size(); ++i) {
    // What is still needed later stays.
    std::string needed = equation->result, next;
    for (size_t j = i + 1; j < left.size(); ++j) needed += left[j].term;
    for (char label : made.term + left[i].term) {
      if (has(needed, label) && !has(next, label)) next += label;
    }
    if (i + 1 == left.size()) next = equation->result;
    made = {contract(b, made, left[i], next), next};
  }
  if (left.size() == 1) {
    made.value = without_lone_labels(b, made.value, made.term, equation->result);
    made.value = transposed_to(b, made.value, made.term, equation->result);
  }
  return made.value;
}

}  // namespace fewbits::formats
