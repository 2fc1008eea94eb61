// ONNX loops: those of a known number of turns are written out, others are WHILE.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "formats/onnx/importer.h"
#include "formats/options.h"
#include "formats/time_loop.h"

namespace fewbits::onnx {
namespace {

constexpr int64_t kMostTurns = 1024;

// A sequence that Scan walks along an axis, one element a turn.
struct Walked {
  ValueId x = kNoValue;
  int axis = 0;
  bool reverse = false;
};

// Loop and Scan: what the body takes and gives from turn to turn.
struct Repeat {
  proto::Graph* body = nullptr;
  bool has_header = false;   // Loop's: the body takes the turn and the condition, and gives the next condition
  ValueId limit = kNoValue;  // int32 scalar, how many turns at most; kNoValue: no limit
  ValueId going = kNoValue;  // bool scalar, whether there is a first turn; kNoValue: always
  std::vector<ValueId> carried;
  std::vector<Walked> walked;
  size_t gathered = 0;  // results of all turns

  size_t header() const { return has_header ? 2 : 0; }
  bool fits() const {
    return static_cast<size_t>(body->input_size()) >= header() + carried.size() + walked.size() &&
           static_cast<size_t>(body->output_size()) >= (has_header ? 1 : 0) + carried.size() + gathered;
  }
};

// What one turn gives.
struct Turn {
  ValueId going = kNoValue;
  std::vector<ValueId> carried, gathered;
};

using Names = std::map<std::string, ValueId>;

Turn read_turn(const Repeat& r, const std::vector<ValueId>& results) {
  Turn turn;
  auto at = results.begin();
  if (r.has_header) turn.going = *at++;
  const auto middle = at + static_cast<std::ptrdiff_t>(r.carried.size());
  turn.carried.assign(at, middle);
  turn.gathered.assign(middle, middle + static_cast<std::ptrdiff_t>(r.gathered));
  return turn;
}

// The body's inputs by name, for one turn.
Names named(GraphBuilder& b, const Repeat& r, ValueId turn, const std::vector<ValueId>& carried,
            const std::vector<ValueId>& sequences) {
  Names names;
  const auto input = [&](size_t i) -> const std::string& { return r.body->input(static_cast<int>(i)).name(); };
  if (r.has_header) {
    names[input(0)] = turn;
    names[input(1)] = b.scalar(1, DType::kBool);
  }
  for (size_t i = 0; i < carried.size(); ++i) names[input(r.header() + i)] = carried[i];
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Walked& walked = r.walked[i];
    ValueId at = turn;
    if (walked.reverse) at = b.sub(b.sub(b.size_of(sequences[i], walked.axis), b.int_scalar(1)), turn);
    names[input(r.header() + carried.size() + i)] = b.gather(sequences[i], at, walked.axis);
  }
  return names;
}

// Names that a graph reads and neither makes nor is given.
void collect_free(const proto::Graph& graph, std::set<std::string> known, std::set<std::string>& found) {
  for (const proto::ValueInfo& input : graph.input()) known.insert(input.name());
  for (const proto::Tensor& tensor : graph.initializer()) known.insert(tensor.name());
  for (const proto::Node& node : graph.node()) {
    for (const std::string& name : node.input()) {
      if (!name.empty() && known.count(name) == 0) found.insert(name);
    }
    for (const proto::Attribute& attribute : node.attribute()) {
      if (attribute.has_g()) collect_free(attribute.g(), known, found);
    }
    known.insert(node.output().begin(), node.output().end());
  }
  for (const proto::ValueInfo& output : graph.output()) {
    if (known.count(output.name()) == 0) found.insert(output.name());
  }
}

// A loop as WHILE. Its variables: the turn, the limit, whether it goes on, what is carried, the results of all turns, the
// sequences, and what the body reads of the graph around it.
class WhileLoop {
 public:
  WhileLoop(Call& c, const Repeat& repeat) : c_(c), r_(repeat) {}

  // What the first turn gives, or any, in a graph that is thrown away.
  struct Preview {
    std::optional<bool> going;  // where the condition does not depend on anything that is computed
    std::vector<std::pair<Shape, DType>> gathered;
  };
  std::optional<Preview> preview(bool first) {
    capture();
    Model& model = c_.b.model();
    const size_t graphs = model.graphs.size();
    Preview out;
    {
      Places places;
      std::vector<ValueId> inputs = variables(places, {}), in;
      GraphBuilder b = subgraph("preview", inputs, in);
      if (first) in[0] = b.int_scalar(0);
      const auto turn = body(b, places, in);
      if (turn) {
        if (turn->going != kNoValue) {
          const auto known = b.int_values(turn->going);
          if (known && known->size() == 1) out.going = (*known)[0] != 0;
        } else {
          out.going = true;
        }
        for (ValueId id : turn->gathered) out.gathered.emplace_back(b.shape(id), b.dtype(id));
      }
    }
    model.graphs.resize(graphs);
    return c_.b.ok() ? std::optional(out) : std::nullopt;
  }

  void run(const Preview& preview) {
    GraphBuilder& b = c_.b;
    if (r_.limit == kNoValue && r_.going == kNoValue) return (void)c_.unsupported("a loop without an end");
    std::vector<ValueId> lists;
    for (const auto& [shape, type] : preview.gathered) {
      if (r_.limit == kNoValue || std::any_of(shape.begin(), shape.end(), [](int32_t n) { return n < 0; }))
        return (void)c_.unsupported("a loop that collects results of open size, or without a limit");
      std::vector<ValueId> sizes{r_.limit};
      for (int32_t size : shape) sizes.push_back(b.int_scalar(size));
      lists.push_back(
          b.node(Op::FILL, {b.pack(sizes, 0), b.scalar(0, type)}, formats::options(tflite::FillOptionsT())));
    }
    Places places;
    const std::vector<ValueId> inputs = variables(places, lists);
    tflite::WhileOptionsT table;
    std::vector<ValueId> in;
    {
      GraphBuilder test = subgraph("condition", inputs, in);
      table.cond_subgraph_index = test.graph_index();
      ValueId truth = kNoValue;
      if (r_.limit != kNoValue) truth = test.binary(Op::LESS, in[0], in[places.limit]);
      if (r_.going != kNoValue)
        truth = truth == kNoValue ? in[places.going] : test.binary(Op::LOGICAL_AND, truth, in[places.going]);
      test.output(truth, "condition");
      take_error(test.finish());
    }
    GraphBuilder inner = subgraph("body", inputs, in);
    table.body_subgraph_index = inner.graph_index();
    const auto turn = body(inner, places, in);
    if (!turn) return;
    std::vector<ValueId> next = in;
    next[0] = inner.add(in[0], inner.int_scalar(1));
    if (r_.going != kNoValue) next[places.going] = inner.reshape(inner.cast(turn->going, DType::kBool), {});
    for (size_t i = 0; i < turn->carried.size(); ++i) {
      const ValueId before = in[places.carried + i], after = turn->carried[i];
      if (!inner.same_shape(after, inner, before) || inner.dtype(after) != inner.dtype(before))
        return (void)c_.unsupported("a loop whose variables change their shape from turn to turn");
      next[places.carried + i] = after;
    }
    for (size_t i = 0; i < turn->gathered.size(); ++i) {
      std::vector<ValueId> start(preview.gathered[i].first.size() + 1, inner.int_scalar(0));
      start[0] = in[0];
      next[places.lists + i] =
          inner.node(Op::DYNAMIC_UPDATE_SLICE,
                     {in[places.lists + i], inner.expand_dims(turn->gathered[i], {0}), inner.pack(start, 0)},
                     formats::options(tflite::DynamicUpdateSliceOptionsT()));
    }
    for (size_t i = 0; i < next.size(); ++i) inner.output(next[i], fmt::format("result{}", i));
    take_error(inner.finish());
    if (!b.ok()) return;
    give(places, inputs, preview, std::move(table));
  }

 private:
  struct Places {
    size_t limit = 0, going = 0, carried = 0, lists = 0, sequences = 0, captured = 0;
  };

  void take_error(const Status& status) {
    if (!status) c_.b.error(status.error().code, status.error().message);
  }

  void capture() {
    if (captured_known_) return;
    captured_known_ = true;
    std::set<std::string> names;
    collect_free(*r_.body, {}, names);
    for (const std::string& name : names) {
      const ValueId id = c_.importer().find(name);
      if (id != kNoValue) captured_.emplace_back(name, id);
    }
  }

  std::vector<ValueId> variables(Places& places, const std::vector<ValueId>& lists) const {
    std::vector<ValueId> inputs{c_.b.int_scalar(0)};
    const auto append = [&](const std::vector<ValueId>& ids) {
      const size_t at = inputs.size();
      inputs.insert(inputs.end(), ids.begin(), ids.end());
      return at;
    };
    if (r_.limit != kNoValue) places.limit = append({r_.limit});
    if (r_.going != kNoValue) places.going = append({r_.going});
    places.carried = append(r_.carried);
    places.lists = append(lists);
    std::vector<ValueId> sequences, captured;
    for (const Walked& walked : r_.walked) sequences.push_back(walked.x);
    for (const auto& [name, id] : captured_) {
      if (!c_.b.is_const(id)) captured.push_back(id);
    }
    places.sequences = append(sequences);
    places.captured = append(captured);
    return inputs;
  }

  GraphBuilder subgraph(const char* what, const std::vector<ValueId>& inputs, std::vector<ValueId>& inside) const {
    Model& model = c_.b.model();
    const std::string name = fmt::format("{}/{}", c_.node().name().empty() ? c_.op() : c_.node().name(), what);
    model.graphs.emplace_back();
    model.graphs.back().name = name;
    GraphBuilder b(model, static_cast<int32_t>(model.graphs.size()) - 1);
    inside.clear();
    for (size_t i = 0; i < inputs.size(); ++i)
      inside.push_back(b.input_like(fmt::format("{}/arg{}", name, i), c_.b, inputs[i]));
    return b;
  }

  std::optional<Turn> body(GraphBuilder& b, const Places& places, const std::vector<ValueId>& in) {
    const auto part = [&](size_t begin, size_t count) {
      const auto first = in.begin() + static_cast<std::ptrdiff_t>(begin);
      return std::vector<ValueId>(first, first + static_cast<std::ptrdiff_t>(count));
    };
    Names names =
        named(b, r_, in[0], part(places.carried, r_.carried.size()), part(places.sequences, r_.walked.size()));
    size_t at = places.captured;
    for (const auto& [name, id] : captured_)
      names.emplace(name, c_.b.is_const(id) ? formats::constant_in(b, c_.b.value(id)) : in[at++]);
    proto::Graph copy = *r_.body;
    std::vector<ValueId> results;
    take_error(c_.importer().map_body(copy, b, std::move(names), results));
    if (!c_.b.ok()) return std::nullopt;
    return read_turn(r_, results);
  }

  void give(const Places& places, const std::vector<ValueId>& inputs, const Preview& preview,
            tflite::WhileOptionsT table) {
    GraphBuilder& b = c_.b;
    Node node;
    node.op = Op::WHILE;
    node.inputs = inputs;
    node.options = formats::options(std::move(table));
    std::vector<DType> types;
    for (ValueId id : inputs) types.push_back(b.dtype(id));
    const std::vector<ValueId> results = b.typed_nodes(std::move(node), types);
    for (size_t i = 0; i < results.size(); ++i) b.set_shape_like(results[i], b, inputs[i]);
    for (size_t i = 0; i < r_.carried.size(); ++i) c_.out(results[places.carried + i], i);
    for (size_t i = 0; i < preview.gathered.size(); ++i) {
      ValueId list = results[places.lists + i];
      if (r_.going != kNoValue) {  // it may have ended before its limit
        std::vector<ValueId> sizes{results[0]};
        for (int32_t size : preview.gathered[i].first) sizes.push_back(b.int_scalar(size));
        list = b.node(Op::SLICE, {list, b.ints(std::vector<int32_t>(sizes.size(), 0)), b.pack(sizes, 0)},
                      formats::options(tflite::SliceOptionsT()));
      }
      c_.out(list, r_.carried.size() + i);
    }
  }

  Call& c_;
  const Repeat& r_;
  std::vector<std::pair<std::string, ValueId>> captured_;
  bool captured_known_ = false;
};

// The turns one after the other.
void write_out(Call& c, const Repeat& r, int64_t turns) {
  std::vector<ValueId> carried = r.carried, sequences;
  for (const Walked& walked : r.walked) sequences.push_back(walked.x);
  std::vector<std::vector<ValueId>> gathered(r.gathered);
  bool going = true;
  for (int64_t turn = 0; turn < turns && going && c.b.ok(); ++turn) {
    proto::Graph copy = *r.body;
    for (const auto& [name, id] : named(c.b, r, c.b.int_scalar(static_cast<int32_t>(turn)), carried, sequences))
      c.importer().set(name, id);
    const auto results = c.importer().inline_graph(copy, c.b);
    if (!c.b.ok()) return;
    const Turn done = read_turn(r, results);
    if (done.going != kNoValue) {
      const auto known = c.b.int_values(done.going);
      if (!known || known->size() != 1)
        return (void)c.unsupported("a loop whose condition is known at first and computed later");
      going = (*known)[0] != 0;
    }
    carried = done.carried;
    for (size_t i = 0; i < gathered.size(); ++i) gathered[i].push_back(done.gathered[i]);
  }
  for (size_t i = 0; i < carried.size(); ++i) c.out(carried[i], i);
  for (size_t i = 0; i < gathered.size(); ++i) {
    if (gathered[i].empty()) return (void)c.unsupported("a loop without turns that collects results");
    c.out(c.b.pack(gathered[i], 0), carried.size() + i);
  }
}

void repeat(Call& c, Repeat r) {
  if (!r.fits()) return (void)c.invalid("its body does not take and give what the loop carries");
  const auto limit = r.limit == kNoValue ? std::nullopt : c.b.int_values(r.limit);
  const auto going = r.going == kNoValue ? std::optional(std::vector<int64_t>{1}) : c.b.int_values(r.going);
  WhileLoop loop(c, r);
  const bool begins_known = limit && limit->size() == 1 && going && going->size() == 1;
  if (begins_known && ((*limit)[0] <= 0 || (*going)[0] == 0)) return write_out(c, r, 0);
  const auto first = loop.preview(true);
  if (!first) return;
  if (begins_known && (*limit)[0] <= kMostTurns && first->going) return write_out(c, r, (*limit)[0]);
  const auto any = loop.preview(false);
  if (!any) return;
  if (going && going->size() == 1 && (*going)[0] != 0 && any->going == true) r.going = kNoValue;  // it never says no
  loop.run(*any);
}

// limit, condition, carried... -> carried..., gathered...
void map_loop(Call& c) {
  Repeat r;
  r.body = c.graph_attr("body");
  if (r.body == nullptr) return;
  r.has_header = true;
  if (c.has(0)) r.limit = c.b.reshape(c.b.cast(c.in(0), DType::kInt32), {});
  r.going = c.has(1) ? c.b.reshape(c.in(1), {}) : c.b.scalar(1, DType::kBool);
  for (size_t i = 2; i < c.input_count(); ++i) r.carried.push_back(c.need(i));
  r.gathered = c.output_count() > r.carried.size() ? c.output_count() - r.carried.size() : 0;
  repeat(c, r);
}

// carried..., sequences... -> carried..., gathered...
void map_scan(Call& c) {
  if (c.opset() < 9) return (void)c.unsupported("Scan of opset 8; onnx.version_converter lifts it");
  Repeat r;
  r.body = c.graph_attr("body");
  const int64_t count = c.int_attr("num_scan_inputs", 0);
  if (r.body == nullptr) return;
  if (count < 1 || static_cast<size_t>(count) > c.input_count()) return (void)c.invalid("it scans no input");
  const size_t states = c.input_count() - static_cast<size_t>(count);
  const auto axes = c.ints_attr("scan_input_axes"), directions = c.ints_attr("scan_input_directions");
  for (size_t i = 0; i < states; ++i) r.carried.push_back(c.need(i));
  for (size_t i = 0; i < static_cast<size_t>(count) && c.b.ok(); ++i) {
    const ValueId x = c.need(states + i);
    const int axis = c.axis(i < axes.size() ? axes[i] : 0, c.rank(x));
    r.walked.push_back({x, axis, i < directions.size() && directions[i] != 0});
  }
  if (!c.b.ok()) return;
  r.limit = c.b.size_of(r.walked[0].x, r.walked[0].axis);
  r.gathered = c.output_count() > states ? c.output_count() - states : 0;
  repeat(c, r);
  const auto out_axes = c.ints_attr("scan_output_axes"), out_directions = c.ints_attr("scan_output_directions");
  for (size_t i = 0; i < r.gathered && c.b.ok(); ++i) {
    const std::string& name = c.node().output(static_cast<int>(states + i));
    ValueId y = name.empty() ? kNoValue : c.importer().find(name);
    if (y == kNoValue) continue;
    if (i < out_directions.size() && out_directions[i] != 0)
      y = c.b.node(Op::REVERSE_V2, {y, c.b.ints({0})}, formats::options(tflite::ReverseV2OptionsT()));
    const int rank = c.rank(y), axis = c.axis(i < out_axes.size() ? out_axes[i] : 0, rank);
    std::vector<int32_t> perm;
    for (int d = 1; d < rank; ++d) perm.push_back(d);
    perm.insert(perm.begin() + axis, 0);
    c.out(axis == 0 ? y : c.b.transpose(y, perm), states + i);
  }
}

constexpr OpEntry kOps[] = {
    {"Loop", map_loop},
    {"Scan", map_scan},
};

}  // namespace

std::span<const OpEntry> loop_ops() { return kOps; }

}  // namespace fewbits::onnx
