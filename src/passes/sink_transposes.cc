// Moves TRANSPOSE behind the operator that reads it, until it meets its inverse and both go. An NCHW network whose importer
// wrapped every convolution in transposes becomes NHWC this way.
#include <algorithm>
#include <map>

#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

using Options = tflite::BuiltinOptionsUnion;

// One node behind a transpose.
class Sink {
 public:
  Sink(Rewriter& r, NodeId id) : r_(r), id_(id) {}

  // Takes the permutation from the first input that is transposed; false when none is.
  bool find_perm() {
    for (ValueId input : node().inputs) {
      if (input == kNoValue || !r_.made_by(input, Op::TRANSPOSE)) continue;
      const auto perm = perm_of(r_.graph(), r_.node(r_.producer(input)));
      if (!perm || perm->size() < 2) continue;
      perm_ = *perm;
      back_ = inverse(*perm);
      return true;
    }
    return false;
  }

  const Node& node() const { return r_.node(id_); }
  const Perm& perm() const { return perm_; }
  int32_t rank() const { return static_cast<int32_t>(perm_.size()); }
  const Value& input(size_t i) const { return r_.value(node().inputs[i]); }
  Rewriter& rewriter() { return r_; }
  NodeId id() const { return id_; }

  // What input i is before the transpose; kNoValue when it is not behind this permutation and cannot be brought there for free.
  ValueId source(size_t i) {
    const ValueId value = node().inputs[i];
    if (value == kNoValue) return kNoValue;
    if (r_.made_by(value, Op::TRANSPOSE)) {
      const auto perm = perm_of(r_.graph(), r_.node(r_.producer(value)));
      if (perm && *perm == perm_) return r_.node(r_.producer(value)).inputs[0];
    }
    return unpermuted(value);
  }
  bool is_transposed(size_t i) const {
    const ValueId value = node().inputs[i];
    return value != kNoValue && r_.made_by(value, Op::TRANSPOSE);
  }

  void set_input(size_t i, ValueId value) { r_.set_input(id_, i, value); }
  void set_ints(size_t i, const std::vector<int32_t>& values) {
    const Value& old = input(i);
    Shape shape = old.shape;
    r_.set_input(id_, i, r_.add_const(ConstData::own(values), DType::kInt32, std::move(shape), old.name));
  }
  template <class Table>
  void set_options(Table table) {
    auto options = std::make_shared<Options>();
    options->Set(std::move(table));
    r_.edit(id_).options = std::move(options);
  }

  // The node gives its output transposed back by `perm` (of the output's rank).
  void sink_output(size_t i, const Perm& perm) {
    if (is_identity(perm)) return;
    const ValueId old = node().outputs[i];
    const Shape shape = permuted(open_shape(r_.value(old)), inverse(perm));
    const ValueId inner = r_.add_value(r_.value(old), shape);
    Value& made = r_.graph().value(inner);
    if (made.quant.per_axis()) made.quant.axis = perm[static_cast<size_t>(made.quant.axis)];
    r_.set_output(id_, i, inner);
    r_.insert_after(transpose_node(r_, inner, old, perm), id_);
  }

 private:
  // A constant, or a value that only moves dimensions of size one, as it is before the transpose.
  ValueId unpermuted(ValueId value) {
    const Value& v = r_.value(value);
    if (!is_static_shape(v) || v.shape.size() > perm_.size()) return kNoValue;
    if (element_count(v.shape) == 1 && v.shape.size() <= 1) return value;
    Shape full(perm_.size() - v.shape.size(), 1);
    full.insert(full.end(), v.shape.begin(), v.shape.end());
    const Shape target = permuted(full, back_);
    if (v.is_const) {
      const auto data = v.sparsity == nullptr ? transpose_data(v.data, v.dtype, full, back_) : std::nullopt;
      if (!data) return kNoValue;
      const ValueId made = r_.add_const(*data, v.dtype, target, v.name);
      Value& constant = r_.graph().value(made);
      constant.quant = r_.value(value).quant;
      if (constant.quant.per_axis()) {
        const size_t axis = static_cast<size_t>(constant.quant.axis) + perm_.size() - r_.value(value).shape.size();
        constant.quant.axis = perm_[axis];
      }
      return made;
    }
    if (!moves_only_ones(full, back_)) return kNoValue;
    const ValueId made = r_.add_value(v, target);
    r_.insert_before(reshape_node(r_, value, made, target), id_);
    return made;
  }

  Rewriter& r_;
  NodeId id_;
  Perm perm_, back_;
};

std::optional<int32_t> normal_axis(int32_t axis, int32_t rank) {
  const int32_t normal = axis < 0 ? axis + rank : axis;
  return normal >= 0 && normal < rank ? std::optional(normal) : std::nullopt;
}

// ---- what is known of operators ----

// Every element on its own; operands broadcast.
bool elementwise(Sink& s) {
  const Value& out = s.rewriter().value(s.node().outputs[0]);
  if (!out.has_rank || static_cast<int32_t>(out.shape.size()) != s.rank()) return false;
  std::vector<ValueId> sources;
  // Values that are not behind this permutation are looked at first: asking may add nodes.
  for (size_t i = 0; i < s.node().inputs.size(); ++i) {
    const Value& in = s.input(i);
    if (!s.is_transposed(i) && !in.is_const && !(is_static_shape(in) && in.shape.size() <= s.perm().size()))
      return false;
  }
  for (size_t i = 0; i < s.node().inputs.size(); ++i) {
    sources.push_back(s.source(i));
    if (sources.back() == kNoValue) return false;
  }
  for (size_t i = 0; i < sources.size(); ++i) s.set_input(i, sources[i]);
  s.sink_output(0, s.perm());
  return true;
}

bool concatenation(Sink& s) {
  auto table = *s.node().options->AsConcatenationOptions();
  const auto axis = normal_axis(table.axis, s.rank());
  if (!axis) return false;
  std::vector<ValueId> sources;
  for (size_t i = 0; i < s.node().inputs.size(); ++i) {
    if (s.input(i).shape.size() != s.perm().size()) return false;
    sources.push_back(s.source(i));
    if (sources.back() == kNoValue || s.rewriter().value(sources.back()).shape.size() != s.perm().size()) return false;
  }
  for (size_t i = 0; i < sources.size(); ++i) s.set_input(i, sources[i]);
  table.axis = s.perm()[static_cast<size_t>(*axis)];
  s.set_options(std::move(table));
  s.sink_output(0, s.perm());
  return true;
}

// Input 0 is transposed, and only that.
bool only_first(Sink& s) { return s.is_transposed(0); }

bool pad(Sink& s) {
  const auto pads = const_ints(s.rewriter().graph(), s.node().inputs[1]);
  if (!only_first(s) || !pads || pads->size() != 2 * s.perm().size()) return false;
  std::vector<int32_t> moved(pads->size());
  for (size_t i = 0; i < s.perm().size(); ++i) {
    const auto at = static_cast<size_t>(s.perm()[i]);
    moved[2 * at] = (*pads)[2 * i];
    moved[2 * at + 1] = (*pads)[2 * i + 1];
  }
  s.set_input(0, s.source(0));
  s.set_ints(1, moved);
  s.sink_output(0, s.perm());
  return true;
}

bool reduction(Sink& s) {
  const auto axes = const_ints(s.rewriter().graph(), s.node().inputs[1]);
  const auto* table = s.node().options->AsReducerOptions();
  if (!only_first(s) || !axes) return false;
  std::vector<int32_t> gone, moved;
  for (int32_t value : *axes) {
    const auto axis = normal_axis(value, s.rank());
    if (!axis) return false;
    gone.push_back(*axis);
    moved.push_back(s.perm()[static_cast<size_t>(*axis)]);
  }
  std::sort(moved.begin(), moved.end());
  const bool keep = table != nullptr && table->keep_dims;
  s.set_input(0, s.source(0));
  s.set_ints(1, moved);
  s.sink_output(0, keep ? s.perm() : without(s.perm(), gone));
  return true;
}

bool arg(Sink& s) {
  const auto axes = const_ints(s.rewriter().graph(), s.node().inputs[1]);
  if (!only_first(s) || !axes || axes->size() != 1) return false;
  const auto axis = normal_axis((*axes)[0], s.rank());
  if (!axis) return false;
  s.set_input(0, s.source(0));
  s.set_ints(1, {s.perm()[static_cast<size_t>(*axis)]});
  s.sink_output(0, without(s.perm(), {*axis}));
  return true;
}

// CUMSUM, REVERSE_V2: axes as operand 1, the shape stays.
bool along_axes(Sink& s) {
  const auto axes = const_ints(s.rewriter().graph(), s.node().inputs[1]);
  if (!only_first(s) || !axes) return false;
  std::vector<int32_t> moved;
  for (int32_t value : *axes) {
    const auto axis = normal_axis(value, s.rank());
    if (!axis) return false;
    moved.push_back(s.perm()[static_cast<size_t>(*axis)]);
  }
  s.set_input(0, s.source(0));
  s.set_ints(1, moved);
  s.sink_output(0, s.perm());
  return true;
}

bool last_dimension(Sink& s) {
  if (s.perm().back() != s.rank() - 1) return false;
  s.set_input(0, s.source(0));
  s.sink_output(0, s.perm());
  return true;
}

// One number a dimension, in operand i.
bool move_list(Sink& s, size_t i, std::vector<int32_t>& moved) {
  const auto list = const_ints(s.rewriter().graph(), s.node().inputs[i]);
  if (!list || list->size() != s.perm().size()) return false;
  moved.resize(list->size());
  for (size_t d = 0; d < list->size(); ++d) moved[static_cast<size_t>(s.perm()[d])] = (*list)[d];
  return true;
}

bool slice(Sink& s) {
  std::vector<int32_t> begin, size;
  if (!only_first(s) || !move_list(s, 1, begin) || !move_list(s, 2, size)) return false;
  s.set_input(0, s.source(0));
  s.set_ints(1, begin);
  s.set_ints(2, size);
  s.sink_output(0, s.perm());
  return true;
}

bool tile(Sink& s) {
  std::vector<int32_t> times;
  if (!only_first(s) || !move_list(s, 1, times)) return false;
  s.set_input(0, s.source(0));
  s.set_ints(1, times);
  s.sink_output(0, s.perm());
  return true;
}

bool strided_slice(Sink& s) {
  auto table = *s.node().options->AsStridedSliceOptions();
  std::vector<int32_t> begin, end, step;
  if (!only_first(s) || table.ellipsis_mask != 0 || table.new_axis_mask != 0 || table.offset ||
      !move_list(s, 1, begin) || !move_list(s, 2, end) || !move_list(s, 3, step)) {
    return false;
  }
  std::vector<int32_t> gone;
  for (int32_t i = 0; i < s.rank(); ++i) {
    if ((table.shrink_axis_mask >> i) & 1) gone.push_back(i);
  }
  for (int32_t* mask : {&table.begin_mask, &table.end_mask, &table.shrink_axis_mask}) {
    int32_t moved = 0;
    for (size_t i = 0; i < s.perm().size(); ++i) moved |= ((*mask >> i) & 1) << s.perm()[i];
    *mask = moved;
  }
  s.set_input(0, s.source(0));
  s.set_ints(1, begin);
  s.set_ints(2, end);
  s.set_ints(3, step);
  s.set_options(std::move(table));
  s.sink_output(0, without(s.perm(), gone));
  return true;
}

bool split_at(Sink& s, size_t data, size_t axis_operand) {
  const auto axis = const_ints(s.rewriter().graph(), s.node().inputs[axis_operand]);
  if (!s.is_transposed(data) || !axis || axis->size() != 1) return false;
  const auto normal = normal_axis((*axis)[0], s.rank());
  if (!normal) return false;
  s.set_input(data, s.source(data));
  s.set_ints(axis_operand, {s.perm()[static_cast<size_t>(*normal)]});
  for (size_t i = 0; i < s.node().outputs.size(); ++i) s.sink_output(i, s.perm());
  return true;
}
bool split(Sink& s) { return split_at(s, 1, 0); }
bool split_v(Sink& s) { return split_at(s, 0, 2); }

bool unpack(Sink& s) {
  auto table = *s.node().options->AsUnpackOptions();
  const auto axis = normal_axis(table.axis, s.rank());
  if (!axis) return false;
  s.set_input(0, s.source(0));
  table.axis = s.perm()[static_cast<size_t>(*axis)];
  s.set_options(std::move(table));
  for (size_t i = 0; i < s.node().outputs.size(); ++i) s.sink_output(i, without(s.perm(), {*axis}));
  return true;
}

bool gather(Sink& s) {
  auto table = *s.node().options->AsGatherOptions();
  const auto axis = normal_axis(table.axis, s.rank());
  const Value& indices = s.input(1);
  if (!only_first(s) || s.is_transposed(1) || !axis || table.batch_dims != 0 || !indices.has_rank ||
      indices.shape.size() > 1) {
    return false;
  }
  const auto added = static_cast<int32_t>(indices.shape.size());
  const int32_t at = s.perm()[static_cast<size_t>(*axis)];
  Perm out;
  for (int32_t i = 0; i < s.rank(); ++i) {
    const int32_t p = s.perm()[static_cast<size_t>(i)];
    if (i == *axis) {
      if (added == 1) out.push_back(at);
    } else {
      out.push_back(p < at ? p : p + added - 1);
    }
  }
  s.set_input(0, s.source(0));
  table.axis = at;
  s.set_options(std::move(table));
  s.sink_output(0, out);
  return true;
}

// Two in a row are one, or none.
bool transpose(Sink& s) {
  const auto second = perm_of(s.rewriter().graph(), s.node());
  if (!second || second->size() != s.perm().size()) return false;
  const ValueId x = s.source(0);
  const Perm both = compose(s.perm(), *second);
  if (is_identity(both)) return s.rewriter().replace(s.node().outputs[0], x);
  s.set_input(0, x);
  s.set_ints(1, both);
  return true;
}

// SHAPE of the transposed is a gather from SHAPE.
bool shape(Sink& s) {
  Rewriter& r = s.rewriter();
  const ValueId old = s.node().outputs[0];
  const ValueId inner = r.add_value(r.value(old), r.value(old).shape);
  s.set_input(0, s.source(0));
  r.set_output(s.id(), 0, inner);
  Node gathered;
  gathered.op = Op::GATHER;
  gathered.inputs = {inner, r.add_ints(s.perm(), r.value(old).name + "/perm")};
  gathered.outputs = {old};
  auto options = std::make_shared<Options>();
  options->Set(tflite::GatherOptionsT());
  gathered.options = std::move(options);
  r.insert_after(std::move(gathered), s.id());
  return true;
}

// ---- reshapes ----

constexpr int64_t kOpenSize = 1000003;  // a prime, for the one size that may be open

struct Group {
  std::vector<int32_t> from, to;  // dimensions of the reshape's input and output that hold the same elements
};

// Splits both shapes into the smallest groups of neighbours with equal products. Ones of the input are left out; ones of the
// output go with the group before them; those in front are `leading`.
std::optional<std::vector<Group>> groups(const Shape& from, const Shape& to, std::vector<int32_t>& leading) {
  const auto size = [](int32_t s) { return s < 0 ? kOpenSize : int64_t{s}; };
  std::vector<Group> list;
  size_t i = 0, j = 0;
  while (j < to.size() && to[j] == 1) leading.push_back(static_cast<int32_t>(j++));
  while (true) {
    while (i < from.size() && from[i] == 1) ++i;
    std::vector<int32_t> ones;
    while (j < to.size() && to[j] == 1) ones.push_back(static_cast<int32_t>(j++));
    if (!list.empty()) list.back().to.insert(list.back().to.end(), ones.begin(), ones.end());
    if (i == from.size() && j == to.size()) return list.empty() ? std::nullopt : std::optional(list);
    if (i == from.size() || j == to.size()) return std::nullopt;
    Group group;
    int64_t a = size(from[i]), b = size(to[j]);
    if (a == 0 || b == 0) return std::nullopt;
    group.from.push_back(static_cast<int32_t>(i++));
    group.to.push_back(static_cast<int32_t>(j++));
    while (a != b) {
      if (a < b) {
        if (i == from.size()) return std::nullopt;
        a *= size(from[i]);
        if (from[i] != 1) group.from.push_back(static_cast<int32_t>(i));
        ++i;
      } else {
        if (j == to.size()) return std::nullopt;
        b *= size(to[j]);
        group.to.push_back(static_cast<int32_t>(j++));
      }
      if (a > INT32_MAX * kOpenSize || b > INT32_MAX * kOpenSize) return std::nullopt;
    }
    list.push_back(std::move(group));
  }
}

// RESHAPE of a transposed value, when every group of dimensions that it joins lies together before the transpose, too.
bool reshape(Sink& s) {
  Rewriter& r = s.rewriter();
  const Value& out = r.value(s.node().outputs[0]);
  const Shape from = open_shape(s.input(0)), to = open_shape(out);
  if (!out.has_rank || std::count(from.begin(), from.end(), -1) > 1 || std::count(to.begin(), to.end(), -1) > 1)
    return false;
  std::vector<int32_t> leading;
  auto list = groups(from, to, leading);
  if (!list) return false;
  for (const Group& group : *list) {
    // Dimensions of one group must be neighbours, in order, among those that are not one.
    std::vector<int32_t> before;  // of the source
    for (int32_t d : group.from) before.push_back(s.perm()[static_cast<size_t>(d)]);
    for (size_t k = 1; k < before.size(); ++k) {
      if (before[k] < before[k - 1]) return false;
      for (int32_t between = before[k - 1] + 1; between < before[k]; ++between) {
        const auto at = std::find(s.perm().begin(), s.perm().end(), between) - s.perm().begin();
        if (from[static_cast<size_t>(at)] != 1) return false;
      }
    }
  }
  std::vector<size_t> order(list->size());
  for (size_t k = 0; k < order.size(); ++k) order[k] = k;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return s.perm()[static_cast<size_t>((*list)[a].from[0])] < s.perm()[static_cast<size_t>((*list)[b].from[0])];
  });
  Shape target;
  Perm perm(to.size());
  for (int32_t d : leading) {
    perm[static_cast<size_t>(d)] = static_cast<int32_t>(target.size());
    target.push_back(1);
  }
  for (size_t k : order) {
    for (int32_t d : (*list)[k].to) {
      perm[static_cast<size_t>(d)] = static_cast<int32_t>(target.size());
      target.push_back(to[static_cast<size_t>(d)]);
    }
  }
  s.set_input(0, s.source(0));
  if (s.node().inputs.size() > 1) {
    s.set_input(1, r.add_ints(target, r.value(s.node().outputs[0]).name + "/shape"));
  }
  tflite::ReshapeOptionsT table;
  table.new_shape = target;
  s.set_options(std::move(table));
  s.sink_output(0, perm);
  return true;
}

// A product with transposed matrices: its flags.
bool batch_matmul(Sink& s) {
  auto table = *s.node().options->AsBatchMatMulOptions();
  bool changed = false;
  for (size_t i : {size_t{0}, size_t{1}}) {
    if (!s.is_transposed(i)) continue;
    const NodeId maker = s.rewriter().producer(s.node().inputs[i]);
    const auto perm = perm_of(s.rewriter().graph(), s.rewriter().node(maker));
    if (!perm || perm->size() < 2) continue;
    Perm swapped = *perm;
    std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
    if (!is_identity(swapped)) continue;
    s.set_input(i, s.rewriter().node(maker).inputs[0]);
    bool& flag = i == 0 ? table.adj_x : table.adj_y;
    flag = !flag;
    changed = true;
  }
  if (changed) s.set_options(std::move(table));
  return changed;
}

using Rule = bool (*)(Sink&);

const std::map<Op, Rule>& rules() {
  static const std::map<Op, Rule> kRules = [] {
    std::map<Op, Rule> map = {
        {Op::CONCATENATION, concatenation},
        {Op::PAD, pad},
        {Op::PADV2, pad},
        {Op::MIRROR_PAD, pad},
        {Op::ARG_MAX, arg},
        {Op::ARG_MIN, arg},
        {Op::CUMSUM, along_axes},
        {Op::SOFTMAX, last_dimension},
        {Op::LOG_SOFTMAX, last_dimension},
        {Op::L2_NORMALIZATION, last_dimension},
        {Op::SLICE, slice},
        {Op::TILE, tile},
        {Op::STRIDED_SLICE, strided_slice},
        {Op::SPLIT, split},
        {Op::SPLIT_V, split_v},
        {Op::UNPACK, unpack},
        {Op::GATHER, gather},
        {Op::TRANSPOSE, transpose},
        {Op::SHAPE, shape},
        {Op::RESHAPE, reshape},
        {Op::REVERSE_V2, along_axes},
        {Op::BATCH_MATMUL, batch_matmul},
    };
    for (Op op : {Op::MEAN, Op::SUM, Op::REDUCE_PROD, Op::REDUCE_MAX, Op::REDUCE_MIN, Op::REDUCE_ANY, Op::REDUCE_ALL}) {
      map[op] = reduction;
    }
    for (Op op : {Op::ADD,
                  Op::SUB,
                  Op::MUL,
                  Op::DIV,
                  Op::MAXIMUM,
                  Op::MINIMUM,
                  Op::SQUARED_DIFFERENCE,
                  Op::POW,
                  Op::FLOOR_DIV,
                  Op::FLOOR_MOD,
                  Op::ATAN2,
                  Op::EQUAL,
                  Op::NOT_EQUAL,
                  Op::LESS,
                  Op::LESS_EQUAL,
                  Op::GREATER,
                  Op::GREATER_EQUAL,
                  Op::LOGICAL_AND,
                  Op::LOGICAL_OR,
                  Op::LOGICAL_NOT,
                  Op::SELECT_V2,
                  Op::PRELU,
                  Op::RELU,
                  Op::RELU6,
                  Op::RELU_N1_TO_1,
                  Op::RELU_0_TO_1,
                  Op::LOGISTIC,
                  Op::TANH,
                  Op::ABS,
                  Op::NEG,
                  Op::EXP,
                  Op::LOG,
                  Op::SQRT,
                  Op::RSQRT,
                  Op::SQUARE,
                  Op::SIN,
                  Op::COS,
                  Op::FLOOR,
                  Op::CEIL,
                  Op::ROUND,
                  Op::SIGN,
                  Op::ELU,
                  Op::HARD_SWISH,
                  Op::LEAKY_RELU,
                  Op::GELU,
                  Op::CAST,
                  Op::QUANTIZE,
                  Op::DEQUANTIZE,
                  Op::ZEROS_LIKE}) {
      map[op] = elementwise;
    }
    return map;
  }();
  return kRules;
}

}  // namespace

Result<size_t> sink_transposes(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (!r.live(id)) continue;
    const auto rule = rules().find(r.node(id).op);
    if (rule == rules().end()) continue;
    Sink sink(r, id);
    if (sink.find_perm() && rule->second(sink)) ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
