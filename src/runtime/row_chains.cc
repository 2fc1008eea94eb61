// Finding pointwise operators that follow a product, and running them on blocks of its rows.
#include "runtime/row_chains.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/cpu.h"
#include "kernels/float_rows.h"
#include "ops/evaluate.h"
#include "ops/row_kernel.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::runtime {
namespace {

constexpr size_t kMostStages = 4, kMostOperands = 4;
constexpr size_t kTile = 2048;           // floats that a stage computes at once: two tiles lie in the L1 cache
constexpr size_t kHandedOn = 64 * 1024;  // floats that the product hands on at once: they lie in the L2 cache

// Where a stage's operand comes from.
struct Operand {
  enum class From : uint8_t { kNowhere, kMade, kRows, kShared } from = From::kNowhere;
  friend bool operator==(const Operand&, const Operand&) = default;
  size_t index = 0;  // kMade: 0 for the product's rows, s + 1 for what stage s makes; others: of the step's inputs
};

// A pointwise operator.
struct Stage {
  std::vector<std::unique_ptr<const Kernel>> kernels;  // for 1, 2, 4, ... rows
  std::array<Operand, kMostOperands> operands;
  size_t operand_count = 0;
  const Node* node = nullptr;
  FloatRows::Row row = nullptr;  // computes the stage from operand 0 instead of the kernels
  bool computed = true;          // false: a later stage does it on the way
};

// LOGISTIC(x), or MUL of x and LOGISTIC(x) without a fused activation.
bool is_logistic(const Stage& stage) { return stage.node->op == Op::LOGISTIC; }
bool is_plain_product(const Stage& stage) {
  return stage.node->op == Op::MUL && ops::fused_activation(*stage.node) == tflite::ActivationFunctionType::NONE;
}

class RowChainKernel final : public ops::RowKernel {
 public:
  RowChainKernel(std::unique_ptr<Kernel> product, std::vector<Stage> stages, size_t width)
      : kernel_(std::move(product)), product_(*kernel_->rows()), stages_(std::move(stages)), width_(width) {}

  // Nobody waits for the rows of a chain but the chain itself.
  void run_rows(const RunArgs& args, RowsTo /*to*/) const noexcept override {
    const Tail tail(*this, args);
    product_.run_rows(args, {&tail, 0});
  }
  ops::LineShape lines() const noexcept override { return product_.lines(); }
  void keep_ring(size_t lines) override { product_.keep_ring(lines); }
  bool take_gate(size_t operand) override { return product_.take_gate(operand); }
  void open_image(const RunArgs& args, size_t image) const noexcept override { product_.open_image(args, image); }
  void run_lines(const RunArgs& args, const ops::LineRange& lines, RowsTo /*to*/) const noexcept override {
    const Tail tail(*this, args);
    product_.run_lines(args, lines, {&tail, 0});
  }

 private:
  class Tail final : public RowSink {
   public:
    Tail(const RowChainKernel& chain, const RunArgs& args) noexcept
        : RowSink(std::max<size_t>(1, kHandedOn / chain.width_)), chain_(chain), args_(args) {}
    void take(size_t begin, size_t end) const noexcept override { chain_.finish(args_, begin, end); }

   private:
    const RowChainKernel& chain_;
    const RunArgs& args_;
  };

  void finish(const RunArgs& args, size_t begin, size_t end) const noexcept {
    alignas(64) float between[kMostStages - 1][kTile];
    const size_t largest = stages_[0].kernels.size() - 1;
    while (begin < end) {
      const size_t level = std::min<size_t>(largest, static_cast<size_t>(std::bit_width(end - begin)) - 1);
      float* rows = static_cast<float*>(args.out[0]) + begin * width_;
      for (size_t s = 0; s < stages_.size(); ++s) {
        const Stage& stage = stages_[s];
        if (!stage.computed) continue;
        std::array<void*, kMostOperands> in;
        for (size_t i = 0; i < stage.operand_count; ++i) in[i] = address(stage.operands[i], args, begin, rows, between);
        void* out = s + 1 == stages_.size() ? rows : between[s];
        if (stage.row != nullptr) {
          stage.row(static_cast<const float*>(in[0]), static_cast<float*>(out), width_ << level);
          continue;
        }
        stage.kernels[level]->run({in.data(), &out, nullptr, nullptr});
      }
      begin += size_t{1} << level;
    }
  }

  void* address(const Operand& operand, const RunArgs& args, size_t begin, float* rows,
                float (*between)[kTile]) const noexcept {
    switch (operand.from) {
      case Operand::From::kNowhere: return nullptr;
      case Operand::From::kMade: return operand.index == 0 ? rows : between[operand.index - 1];
      case Operand::From::kRows: return static_cast<float*>(args.in[operand.index]) + begin * width_;
      case Operand::From::kShared: return args.in[operand.index];
    }
    return nullptr;
  }

  std::unique_ptr<Kernel> kernel_;
  ops::RowKernel& product_;
  std::vector<Stage> stages_;
  size_t width_;
};

// Grows the chain of one product over the steps.
class Chain {
 public:
  Chain(const Model& model, const Graph& graph, std::span<const TensorInfo> infos, const Step& product)
      : model_(model), graph_(graph), infos_(infos), inputs_(product.inputs), made_{product.outputs[0]} {
    shape_ = info(made_[0]).shape;
    width_ = shape_.empty() ? 1 : static_cast<size_t>(shape_.back());
  }

  static bool may_start(const Step& step, std::span<const TensorInfo> infos) {
    if (step.dynamic || step.outputs.size() != 1) return false;
    if (step.prepared.kernel == nullptr || step.prepared.kernel->rows() == nullptr) return false;
    const TensorInfo& output = infos[static_cast<size_t>(step.outputs[0])];
    const size_t count = output.count(), width = output.shape.empty() ? 1 : static_cast<size_t>(output.shape.back());
    return output.dtype == DType::kFloat32 && count > 0 && width <= kTile && !reads_state(step, infos);
  }

  // A step moved to the place of a later one must not read what may change between.
  static bool reads_state(const Step& step, std::span<const TensorInfo> infos) {
    return std::any_of(step.inputs.begin(), step.inputs.end(),
                       [&](ValueId id) { return id != kNoValue && infos[static_cast<size_t>(id)].is_variable; });
  }

  const std::vector<ValueId>& made() const noexcept { return made_; }
  size_t size() const noexcept { return stages_.size(); }

  // Adds a step that reads what the chain makes; false, and the chain as it was, where it cannot be a stage.
  bool add(const Step& step) {
    const bool fits = size() < kMostStages && !step.dynamic && step.outputs.size() == 1 &&
                      step.inputs.size() <= kMostOperands && (step.def->flags & kPointwise) &&
                      (step.def->flags & kInPlace) && !(step.def->flags & kStateful) &&
                      info(step.outputs[0]).dtype == DType::kFloat32 && info(step.outputs[0]).shape == shape_ &&
                      !reads_state(step, infos_);
    if (!fits) return false;
    const size_t before = inputs_.size();
    Stage stage;
    if (!place_operands(step, stage) || !prepare(step, stage)) {
      inputs_.resize(before);
      return false;
    }
    stage.node = &graph_.node(step.node);
    stages_.push_back(std::move(stage));
    inputs_at_.push_back(inputs_.size());
    made_.push_back(step.outputs[0]);
    return true;
  }

  // Makes the product's step that of the first `count` stages.
  void finish(Step& product, size_t count, const std::string& names) && {
    stages_.resize(count);
    inputs_.resize(inputs_at_[count - 1]);
    for (size_t s = 0; s + 1 < count; ++s) join_swish(s);
    product.inputs = std::move(inputs_);
    product.outputs = {made_[count]};
    product.prepared.choice += ", then " + names + " on its rows";
    product.prepared.kernel =
        std::make_unique<RowChainKernel>(std::move(product.prepared.kernel), std::move(stages_), width_);
  }

 private:
  const TensorInfo& info(ValueId id) const { return infos_[static_cast<size_t>(id)]; }

  // Computes x * LOGISTIC(x) in one pass where stages s and s + 1 do that and nobody else reads LOGISTIC(x).
  void join_swish(size_t s) {
    Stage &inner = stages_[s], &outer = stages_[s + 1];
    if (!is_logistic(inner) || !is_plain_product(outer) || inner.operands[0].from != Operand::From::kMade) return;
    const Operand x = inner.operands[0], sigmoid = {Operand::From::kMade, s + 1};
    const bool is_swish = (outer.operands[0] == x && outer.operands[1] == sigmoid) ||
                          (outer.operands[1] == x && outer.operands[0] == sigmoid);
    const bool read_later =
        std::any_of(stages_.begin() + static_cast<ptrdiff_t>(s) + 2, stages_.end(), [&](const Stage& stage) {
          return std::find(stage.operands.begin(), stage.operands.end(), sigmoid) != stage.operands.end();
        });
    if (!is_swish || read_later) return;
    inner.computed = false;
    outer.row = select_float_rows(isa()).swish;
    outer.operands[0] = x;
    outer.operand_count = 1;
  }

  bool place_operands(const Step& step, Stage& stage) {
    for (ValueId id : step.inputs) {
      Operand& operand = stage.operands[stage.operand_count++];
      if (id == kNoValue) continue;
      const auto made = std::find(made_.begin(), made_.end(), id);
      if (info(id).dtype != DType::kFloat32) return false;
      if (made != made_.end()) {
        operand = {Operand::From::kMade, static_cast<size_t>(made - made_.begin())};
        continue;
      }
      const size_t count = info(id).count();
      const bool one_row =
          count == width_ && !info(id).shape.empty() && static_cast<size_t>(info(id).shape.back()) == width_;
      if (info(id).shape != shape_ && count != 1 && !one_row) return false;
      operand = {info(id).shape == shape_ && !(count == 1 || one_row) ? Operand::From::kRows : Operand::From::kShared,
                 inputs_.size()};
      inputs_.push_back(id);
    }
    return true;
  }

  bool prepare(const Step& step, Stage& stage) const {
    const size_t rows = info(made_[0]).count() / width_;
    for (size_t at_once = 1; at_once <= rows && at_once * width_ <= kTile; at_once *= 2) {
      const Shape tile = {static_cast<int32_t>(at_once), static_cast<int32_t>(width_)};
      std::vector<TensorInfo> inputs;
      for (size_t i = 0; i < step.inputs.size(); ++i) {
        if (step.inputs[i] == kNoValue) {
          inputs.emplace_back();
          continue;
        }
        TensorInfo input = info(step.inputs[i]);
        if (stage.operands[i].from == Operand::From::kShared) {
          input.shape = {static_cast<int32_t>(input.count())};
        } else {
          input.shape = tile;
          input.data = nullptr;
          input.is_const = false;
        }
        inputs.push_back(std::move(input));
      }
      std::vector<TensorInfo> outputs = {info(step.outputs[0])};
      OpContext context{&model_, &graph_, step.node, &graph_.node(step.node), inputs, outputs, {}};
      outputs[0].shape.clear();
      if (!step.def->infer(context) || outputs[0].shape != tile) return false;
      auto prepared = ops::prepare(*step.def, context);
      if (!prepared || prepared->kernel == nullptr || prepared->workspace > 0) return false;
      stage.kernels.push_back(std::move(prepared->kernel));
    }
    return !stage.kernels.empty();
  }

  const Model& model_;
  const Graph& graph_;
  std::span<const TensorInfo> infos_;
  std::vector<ValueId> inputs_;
  std::vector<size_t> inputs_at_;  // how many inputs there are after each stage
  std::vector<ValueId> made_;      // by the product and each stage
  Shape shape_;
  size_t width_ = 0;
  std::vector<Stage> stages_;
};

// Steps that read each value, in order.
std::vector<std::vector<size_t>> readers_of(const Graph& graph, const std::vector<Step>& steps) {
  std::vector<std::vector<size_t>> readers(graph.value_count());
  for (size_t s = 0; s < steps.size(); ++s) {
    for (ValueId id : steps[s].inputs) {
      if (id == kNoValue) continue;
      auto& list = readers[static_cast<size_t>(id)];
      if (list.empty() || list.back() != s) list.push_back(s);
    }
  }
  return readers;
}

class Joiner {
 public:
  Joiner(const Model& model, const Graph& graph, std::span<const TensorInfo> infos, std::vector<Step>& steps)
      : model_(model),
        graph_(graph),
        infos_(infos),
        steps_(steps),
        uses_(graph),
        readers_(readers_of(graph, steps)),
        place_(steps.size()) {
    for (size_t s = 0; s < steps.size(); ++s) place_[s] = s;
  }

  void join() && {
    // From the last on: an addition of two products goes to the later one, which is nearer.
    for (size_t s = steps_.size(); s-- > 0;) {
      if (place_[s] == s && Chain::may_start(steps_[s], infos_)) join_from(s);
    }
    std::vector<Step> joined(steps_.size());
    for (size_t s = 0; s < steps_.size(); ++s) {
      if (place_[s] != kGone) joined[place_[s]] = std::move(steps_[s]);
    }
    std::erase_if(joined, [](const Step& step) { return step.def == nullptr; });
    steps_ = std::move(joined);
  }

 private:
  static constexpr size_t kGone = SIZE_MAX;

  // Whether the values but the last are read by nobody but these steps.
  bool hidden(std::span<const ValueId> values, std::span<const size_t> members) const {
    return std::all_of(values.begin(), values.end() - 1, [&](ValueId id) {
      const auto& readers = readers_[static_cast<size_t>(id)];
      return !uses_.is_graph_output(id) && std::all_of(readers.begin(), readers.end(), [&](size_t reader) {
        return std::find(members.begin(), members.end(), reader) != members.end();
      });
    });
  }

  // The first step that reads one of the values and is no member yet.
  size_t next_reader(std::span<const ValueId> values, std::span<const size_t> members) const {
    size_t next = kGone;
    for (ValueId id : values) {
      for (size_t reader : readers_[static_cast<size_t>(id)]) {
        if (std::find(members.begin(), members.end(), reader) == members.end()) next = std::min(next, reader);
      }
    }
    return next;
  }

  void join_from(size_t product) {
    Chain chain(model_, graph_, infos_, steps_[product]);
    std::vector<size_t> members;
    size_t best = 0;  // stages after which nobody else waits for a value in between
    for (;;) {
      const size_t next = next_reader(chain.made(), members);
      if (next == kGone || place_[next] != next || !chain.add(steps_[next])) break;
      members.push_back(next);
      if (hidden(chain.made(), members)) best = members.size();
    }
    if (best == 0) return;
    std::string names;
    for (size_t i = 0; i < best; ++i) {
      names += (i == 0 ? "" : ", ") + graph_.node(steps_[members[i]].node).type_name();
      place_[members[i]] = kGone;
    }
    place_[product] = members[best - 1];
    std::move(chain).finish(steps_[product], best, names);
  }

  const Model& model_;
  const Graph& graph_;
  std::span<const TensorInfo> infos_;
  std::vector<Step>& steps_;
  UseMap uses_;
  std::vector<std::vector<size_t>> readers_;
  std::vector<size_t> place_;  // where each step goes
};

}  // namespace

void join_row_chains(const Model& model, const Graph& graph, std::span<const TensorInfo> infos,
                     std::vector<Step>& steps) {
  Joiner(model, graph, infos, steps).join();
}

}  // namespace fewbits::runtime
