// ONNX matrix products.
#include <algorithm>
#include <numeric>

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

// ---- Einsum ----

struct Equation {
  std::vector<std::string> in;
  std::string out;
};

// "bhid,bhjd->bhij" with the dots replaced by capital letters from 'A' on, outermost first; empty on a form not known.
std::optional<Equation> parse(Call& c) {
  std::string text = c.string_attr("equation", "");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  Equation e;
  const size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  size_t most = 0;
  for (size_t start = 0;;) {
    const size_t comma = left.find(',', start);
    e.in.push_back(left.substr(start, comma == std::string::npos ? comma : comma - start));
    if (comma == std::string::npos) break;
    start = comma + 1;
  }
  if (e.in.size() != c.input_count()) return std::nullopt;
  const auto expand = [](const std::string& term, size_t dots) {
    const size_t at = term.find("...");
    if (at == std::string::npos) return term;
    std::string names;
    for (size_t i = 0; i < dots; ++i) names += static_cast<char>('A' + i);
    return term.substr(0, at) + names + term.substr(at + 3);
  };
  for (size_t i = 0; i < e.in.size(); ++i) {
    const int rank = c.b.rank(c.in(i));
    if (rank < 0) return std::nullopt;
    const bool has_dots = e.in[i].find("...") != std::string::npos;
    const size_t named = e.in[i].size() - (has_dots ? 3 : 0);
    if (named > static_cast<size_t>(rank)) return std::nullopt;
    const size_t dots = static_cast<size_t>(rank) - named;
    if (!has_dots && dots != 0) return std::nullopt;
    if (has_dots && most != 0 && dots != most) return std::nullopt;
    if (has_dots) most = dots;
    e.in[i] = expand(e.in[i], dots);
  }
  if (arrow != std::string::npos) {
    e.out = expand(text.substr(arrow + 2), most);
  } else {
    std::map<char, int> seen;
    for (const std::string& term : e.in) {
      for (char label : term) ++seen[label];
    }
    for (const auto& [label, count] : seen) {
      if (count == 1 || (label >= 'A' && label <= 'Z' && left.find("...") != std::string::npos)) e.out += label;
    }
  }
  for (std::string term : e.in) {
    std::sort(term.begin(), term.end());
    if (std::adjacent_find(term.begin(), term.end()) != term.end()) return std::nullopt;  // a diagonal
  }
  return e;
}

bool holds(const std::string& term, char label) { return term.find(label) != std::string::npos; }

// Sums over labels that nothing else has, then puts the rest in the order of `wanted`.
ValueId arrange(Call& c, ValueId x, std::string term, const std::string& wanted) {
  std::vector<int32_t> gone;
  std::string rest;
  for (size_t i = 0; i < term.size(); ++i) {
    if (holds(wanted, term[i])) {
      rest += term[i];
    } else {
      gone.push_back(static_cast<int32_t>(i));
    }
  }
  if (!gone.empty()) x = c.b.reduce(Op::SUM, x, gone, false);
  std::vector<int32_t> perm;
  for (char label : wanted) {
    if (holds(rest, label)) perm.push_back(static_cast<int32_t>(rest.find(label)));
  }
  return c.b.transpose(x, perm);
}

// Labels of `term` that `keep` says yes to, in its order.
template <class Keep>
std::string labels(const std::string& term, const Keep& keep) {
  std::string out;
  for (char label : term) {
    if (keep(label)) out += label;
  }
  return out;
}

ValueId contract(Call& c, ValueId a, const std::string& ta, ValueId b, const std::string& tb, const std::string& out) {
  const std::string batch = labels(ta, [&](char l) { return holds(tb, l) && holds(out, l); });
  const std::string inner = labels(ta, [&](char l) { return holds(tb, l) && !holds(out, l); });
  const std::string rows = labels(ta, [&](char l) { return !holds(tb, l) && holds(out, l); });
  const std::string columns = labels(tb, [&](char l) { return !holds(ta, l) && holds(out, l); });
  std::map<char, int32_t> size;
  for (size_t i = 0; i < ta.size(); ++i) size[ta[i]] = c.b.dim(a, static_cast<int>(i));
  for (size_t i = 0; i < tb.size(); ++i) size[tb[i]] = c.b.dim(b, static_cast<int>(i));
  const auto product = [&](const std::string& group) {
    int32_t total = 1;
    for (char label : group) total = total < 0 || size[label] < 0 ? -1 : total * size[label];
    return total;
  };
  Shape batch_shape, result;
  for (char label : batch) batch_shape.push_back(size[label]);
  const auto shaped = [&](ValueId x, const std::string& first, const std::string& second) {
    if (first.size() == 1 && second.size() == 1) return x;
    Shape shape = batch_shape;
    shape.push_back(product(first));
    shape.push_back(product(second));
    return c.b.reshape(x, shape);
  };
  a = shaped(arrange(c, a, ta, batch + rows + inner), rows, inner);
  b = shaped(arrange(c, b, tb, batch + inner + columns), inner, columns);
  ValueId y = c.b.matmul(a, b);
  const std::string made = batch + rows + columns;
  if (rows.size() != 1 || columns.size() != 1) {
    for (char label : made) result.push_back(size[label]);
    y = c.b.reshape(y, result);
  }
  return arrange(c, y, made, out);
}

void map_einsum(Call& c) {
  const auto e = parse(c);
  if (!e || e->in.empty()) return (void)c.unsupported("this equation: " + c.string_attr("equation", ""));
  if (e->in.size() == 1) return c.out(arrange(c, c.need(0), e->in[0], e->out));
  ValueId value = c.need(0);
  std::string term = e->in[0];
  for (size_t i = 1; i < e->in.size(); ++i) {
    // What is still needed later stays.
    std::string wanted = e->out;
    for (size_t j = i + 1; j < e->in.size(); ++j) wanted += e->in[j];
    std::string next = i + 1 == e->in.size() ? e->out : std::string();
    if (next.empty() && i + 1 != e->in.size()) {
      for (const std::string& from : {term, e->in[i]}) {
        for (char label : from) {
          if (holds(wanted, label) && !holds(next, label)) next += label;
        }
      }
    }
    value = contract(c, value, term, c.need(i), e->in[i], next);
    term = next;
  }
  c.out(value);
}

constexpr OpEntry kOps[] = {
    {"Einsum", map_einsum},
    {"Gemm", map_gemm},
    {"MatMul", map_matmul},
};

}  // namespace

std::span<const OpEntry> matmul_ops() { return kOps; }

}  // namespace fewbits::onnx
