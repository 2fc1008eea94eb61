// Matrix products, and Einsum in terms of them.
#include <algorithm>

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

// ---- Einsum ----

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

// "ab,bc->ac"; an ellipsis stands for as many labels of its own as its operand has dimensions left.
Result<Equation> parse_equation(const OpCall& op) {
  Equation out;
  std::string text = op.attrs.text("equation");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  if (arrow == std::string::npos) return op.unsupported("the equation '{}'", text);
  std::string left = text.substr(0, arrow) + ",";
  out.output = text.substr(arrow + 2);
  size_t begin = 0;
  for (size_t comma = left.find(','); comma != std::string::npos; comma = left.find(',', begin)) {
    out.inputs.push_back(left.substr(begin, comma - begin));
    begin = comma + 1;
  }
  if (out.inputs.size() != op.count() || op.count() > 2 || op.count() == 0)
    return op.unsupported("the equation '{}' of {} operands", text, op.count());
  int longest = 0;  // the most dimensions that an ellipsis stands for
  std::vector<int> missing;
  for (size_t i = 0; i < op.count(); ++i) {
    const size_t dots = out.inputs[i].find("...");
    missing.push_back(dots == std::string::npos ? 0
                                                : op.b().rank(op.in(i)) - static_cast<int>(out.inputs[i].size()) + 3);
    if (missing.back() < 0) return op.unsupported("the equation '{}' for these ranks", text);
    longest = std::max(longest, missing.back());
  }
  const std::string fresh = std::string("\x01\x02\x03\x04\x05\x06\x07\x08").substr(0, static_cast<size_t>(longest));
  if (static_cast<int>(fresh.size()) < longest) return op.unsupported("the equation '{}' for these ranks", text);
  const auto expand = [&](std::string& term, int dims) {
    if (const size_t dots = term.find("..."); dots != std::string::npos)
      term.replace(dots, 3, fresh.substr(fresh.size() - static_cast<size_t>(dims)));
  };
  for (size_t i = 0; i < op.count(); ++i) {
    expand(out.inputs[i], missing[i]);
    if (static_cast<int>(out.inputs[i].size()) != op.b().rank(op.in(i)))
      return op.unsupported("the equation '{}' for these ranks", text);
    for (char c : out.inputs[i]) {
      if (std::count(out.inputs[i].begin(), out.inputs[i].end(), c) > 1)
        return op.unsupported("the equation '{}' takes a diagonal", text);
    }
  }
  expand(out.output, longest);
  return out;
}

bool has(const std::string& text, char c) { return text.find(c) != std::string::npos; }

ValueId transposed_to(GraphBuilder& b, ValueId x, const std::string& from, const std::string& to) {
  std::vector<int32_t> perm;
  for (char c : to) perm.push_back(static_cast<int32_t>(from.find(c)));
  return b.transpose(x, perm);
}

// Sums over the labels that neither the other operand nor the result has.
ValueId without_lone_labels(GraphBuilder& b, ValueId x, std::string& labels, const std::string& needed) {
  std::vector<int32_t> axes;
  std::string kept;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (has(needed, labels[i])) {
      kept += labels[i];
    } else {
      axes.push_back(static_cast<int32_t>(i));
    }
  }
  labels = kept;
  return axes.empty() ? x : b.reduce(Op::SUM, x, axes, false);
}

// x with dimensions [batch..., first, second], where a group of several labels is joined into one.
ValueId as_matrix(GraphBuilder& b, ValueId x, const std::string& labels, const std::string& batch,
                  const std::string& first, const std::string& second) {
  x = transposed_to(b, x, labels, batch + first + second);
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

Result<Tensors> einsum(const OpCall& op) {
  FB_ASSIGN(Equation equation, parse_equation(op));
  GraphBuilder& b = op.b();
  if (op.count() == 1) {
    ValueId x = without_lone_labels(b, op.in(0), equation.inputs[0], equation.output);
    if (equation.inputs[0].size() != equation.output.size()) return op.unsupported("an equation that repeats labels");
    return one(transposed_to(b, x, equation.inputs[0], equation.output));
  }
  std::string left = equation.inputs[0], right = equation.inputs[1];
  const std::string& output = equation.output;
  const ValueId x = without_lone_labels(b, op.in(0), left, right + output);
  const ValueId y = without_lone_labels(b, op.in(1), right, left + output);
  std::string batch, rows, columns, inner;
  for (char c : left) {
    if (has(right, c)) {
      (has(output, c) ? batch : inner) += c;
    } else {
      rows += c;
    }
  }
  for (char c : right) {
    if (!has(left, c)) columns += c;
  }
  for (char c : output) {
    if (!has(left, c) && !has(right, c)) return op.unsupported("an equation whose result has labels of its own");
  }
  // The order of the labels in a group is free: that of the result saves a transpose.
  const auto by_output = [&](char p, char q) { return output.find(p) < output.find(q); };
  std::sort(batch.begin(), batch.end(), by_output);
  std::sort(rows.begin(), rows.end(), by_output);
  std::sort(columns.begin(), columns.end(), by_output);
  ValueId product_value;
  std::string made = batch + rows + columns;
  const bool dense = b.is_const(y) && batch.empty() && b.dtype(x) == DType::kFloat32 && !rows.empty();
  if (dense) {
    // Leading dimensions stay as they are: a fully connected layer keeps them.
    const ValueId weights = as_matrix(b, y, right, "", columns, inner);
    ValueId input = transposed_to(b, x, left, rows + inner);
    if (inner.size() != 1) {
      std::vector<ValueId> sizes;
      for (size_t i = 0; i < rows.size(); ++i) sizes.push_back(b.size_of(input, static_cast<int>(i)));
      sizes.push_back(b.int_scalar(b.dim(weights, 1)));
      input = b.reshape_to(input, b.pack(sizes, 0));
    }
    product_value = b.fully_connected(input, weights, kNoValue);
  } else {
    product_value = b.matmul(as_matrix(b, x, left, batch, rows, inner), as_matrix(b, y, right, batch, inner, columns));
  }
  // Joined groups come apart again.
  const bool joined = dense ? columns.size() != 1 : rows.size() != 1 || columns.size() != 1;
  if (joined) {
    std::vector<ValueId> sizes;
    for (char c : made) {
      const bool in_left = has(left, c);
      sizes.push_back(b.size_of(in_left ? x : y, static_cast<int>((in_left ? left : right).find(c))));
    }
    product_value = sizes.empty() ? b.reshape(product_value, {}) : b.reshape_to(product_value, b.pack(sizes, 0));
  }
  return one(transposed_to(b, product_value, made, output));
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
