// Making a plan: shapes, constant folding, kernels, memory.
#include "runtime/plan.h"

#include <algorithm>

#include "base/checked.h"
#include "ops/byte_table.h"
#include "ops/evaluate.h"
#include "runtime/byte_chains.h"
#include "runtime/gates.h"
#include "runtime/line_bands.h"
#include "runtime/memory_plan.h"
#include "runtime/row_chains.h"

namespace fewbits::runtime {

class PlanBuilder {
 public:
  PlanBuilder(std::shared_ptr<const Model> model, const PlanOptions& options) : options_(options), plan_(new Plan) {
    plan_->model_ = std::move(model);
    plan_->graph_ = options.graph;
    plan_->fuse_ = options.fuse;
    plan_->fast_float_ = options.fast_float;
    plan_->packs_ = options.packs;
  }

  Result<std::shared_ptr<const Plan>> build() {
    if (options_.graph < 0 || static_cast<size_t>(options_.graph) >= plan_->model_->graphs.size()) {
      return fail(ErrorCode::kInvalidArgument, "there is no subgraph {}", options_.graph);
    }
    graph_ = &plan_->graph();
    FB_TRY(check_operators());
    FB_TRY(start_values());
    if (options_.fuse) chains_.emplace(*plan_->model_, *graph_);
    for (NodeId id : graph_->order()) FB_TRY(add_step(id));
    if (options_.fuse) {
      join_gates(*graph_, infos_, plan_->steps_);
      join_row_chains(*plan_->model_, *graph_, infos_, plan_->steps_);
      join_line_bands(*graph_, infos_, plan_->steps_);
    }
    for (const Step& step : plan_->steps_) {
      plan_->workspace_bytes_ = std::max(plan_->workspace_bytes_, step.prepared.workspace);
    }
    FB_TRY(layout());
    return std::shared_ptr<const Plan>(std::move(plan_));
  }

 private:
  Status check_operators() const {
    std::string missing;
    int count = 0;
    for (NodeId id : graph_->order()) {
      const OpDef* def = find_op(graph_->node(id));
      if (def != nullptr && def->prepare != nullptr) {
        FB_TRY(ops::check_operands(*graph_, id, *def));
      } else if (++count <= 20) {
        missing += fmt::format("\n  {}", describe_node(*graph_, id));
      }
    }
    if (count == 0) return {};
    return fail(ErrorCode::kUnsupported, "fewbits has no kernel for {} of the operators:{}{}", count, missing,
                count > 20 ? "\n  ..." : "");
  }

  Status start_values() {
    infos_.resize(graph_->value_count());
    plan_->values_.resize(graph_->value_count());
    for (size_t i = 0; i < infos_.size(); ++i) infos_[i] = ops::tensor_info(graph_->value(static_cast<ValueId>(i)));
    for (const auto& [index, shape] : options_.input_shapes) {
      if (index >= graph_->inputs.size()) return fail(ErrorCode::kInvalidArgument, "there is no input {}", index);
      if (!checked_count(shape))
        return fail(ErrorCode::kInvalidArgument, "input {} cannot have the shape {}", index, shape_text(shape));
      infos_[static_cast<size_t>(graph_->inputs[index])].shape = shape;
    }
    for (ValueId id : graph_->inputs) {
      if (is_static(info(id).shape)) FB_TRY(bytes_within_limit(info(id)));
    }
    return {};
  }

  TensorInfo& info(ValueId id) { return infos_[static_cast<size_t>(id)]; }

  std::vector<TensorInfo> operands(const std::vector<ValueId>& ids) const {
    std::vector<TensorInfo> list;
    list.reserve(ids.size());
    for (ValueId id : ids) list.push_back(id == kNoValue ? TensorInfo{} : infos_[static_cast<size_t>(id)]);
    return list;
  }

  Status add_step(NodeId id) {
    const Node& node = graph_->node(id);
    const OpDef* def = find_op(node);
    std::vector<TensorInfo> inputs = operands(node.inputs), outputs = operands(node.outputs);
    const std::vector<TensorInfo> intermediates = operands(node.intermediates);
    FB_ASSIGN(auto folded, ops::fold_node(*plan_->model_, *graph_, id, inputs));
    if (folded) return keep_folded(node, *std::move(folded));

    OpContext context{plan_->model_.get(), graph_, id, &node, inputs, outputs, intermediates, options_.fast_float,
                      options_.packs.get()};
    for (TensorInfo& output : outputs) output.shape.clear();
    FB_TRY(def->infer(context));
    Step step;
    step.node = id;
    step.def = def;
    step.inputs = node.inputs;
    step.outputs = node.outputs;
    for (const TensorInfo& input : inputs) step.dynamic |= input.present && input.dynamic;
    for (const TensorInfo& output : outputs) step.dynamic |= output.dynamic || !is_static(output.shape);
    if (!step.dynamic) {
      for (const TensorInfo& output : outputs) FB_TRY(bytes_within_limit(output));
      FB_ASSIGN(step.prepared, ops::prepare(*def, context));
      step.dynamic = step.prepared.dynamic_kernel != nullptr;
    }
    if (step.dynamic) step.prepared = {};
    for (size_t i = 0; i < outputs.size(); ++i) {
      TensorInfo& output = info(node.outputs[i]);
      output.shape = outputs[i].shape;
      output.dynamic = step.dynamic;
    }
    FB_TRY(fuse_bytes(step));
    plan_->steps_.push_back(std::move(step));
    return {};
  }

  // Makes the step a table where its node ends a chain of pointwise operators on bytes, whose other steps go.
  Status fuse_bytes(Step& step) {
    if (!chains_ || step.dynamic) return {};
    const auto chain = chains_->add(step.node, infos_);
    if (!chain) return {};
    FB_ASSIGN(const ByteTable table, chains_->table(*chain, infos_));
    step.inputs = {chain->source};
    step.prepared = ops::byte_table_kernel(table, info(chain->source).count(),
                                           fmt::format("one table of 256 for {}", chains_->describe(*chain)));
    std::erase_if(plan_->steps_, [&](const Step& other) {
      return std::find(chain->nodes.begin(), chain->nodes.end(), other.node) != chain->nodes.end();
    });
    return {};
  }

  Status keep_folded(const Node& node, std::vector<OwnedTensor> tensors) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      plan_->folded_.push_back(std::make_unique<OwnedTensor>(std::move(tensors[i])));
      const OwnedTensor& kept = *plan_->folded_.back();
      TensorInfo& output = info(node.outputs[i]);
      output.shape = kept.shape;
      output.data = kept.bytes.data();
      output.is_const = true;
    }
    return {};
  }

  // ---- memory ----

  Status layout() {
    const int steps = static_cast<int>(plan_->steps_.size());
    last_use_.assign(infos_.size(), -1);
    block_of_.assign(infos_.size(), -1);
    for (int s = 0; s < steps; ++s) {
      for (ValueId id : plan_->steps_[static_cast<size_t>(s)].inputs) {
        if (id != kNoValue) last_use_[static_cast<size_t>(id)] = s;
      }
    }
    for (ValueId id : graph_->outputs) last_use_[static_cast<size_t>(id)] = steps;
    for (ValueId id : graph_->inputs) {
      last_use_[static_cast<size_t>(id)] = steps;
      FB_TRY(place(id, -1));
    }
    for (size_t i = 0; i < infos_.size(); ++i) {
      if (infos_[i].is_const || infos_[i].is_variable) FB_TRY(place(static_cast<ValueId>(i), -1));
    }
    for (int s = 0; s < steps; ++s) {
      const Step& step = plan_->steps_[static_cast<size_t>(s)];
      for (size_t i = 0; i < step.outputs.size(); ++i) {
        if (i == 0 && share_with_input(step, s)) continue;
        FB_TRY(place(step.outputs[i], s));
      }
      if (!step.prepared.places.empty()) place_inside(step, s);
    }
    plan_->arena_bytes_ = place_blocks(blocks_);
    if (plan_->arena_bytes_ > options_.memory_limit) {
      return fail(ErrorCode::kResource, "running this graph takes {} bytes of activations, over the limit of {}",
                  plan_->arena_bytes_, options_.memory_limit);
    }
    for (size_t i = 0; i < infos_.size(); ++i) {
      if (block_of_[i] >= 0) plan_->values_[i].offset = blocks_[static_cast<size_t>(block_of_[i])].offset;
    }
    return {};
  }

  // The size of a tensor of static shape, nothing for strings and resources; an error when it is more than is allowed.
  Result<std::optional<size_t>> bytes_within_limit(const TensorInfo& tensor) const {
    const auto bytes = byte_size(tensor.dtype, tensor.shape);
    if (!bytes && dtype_bits(tensor.dtype) != 0) {
      return fail(ErrorCode::kInvalidModel, "tensor '{}' of shape {} is too large", tensor.value->name,
                  shape_text(tensor.shape));
    }
    if (bytes && *bytes > options_.memory_limit) {
      return fail(ErrorCode::kResource, "tensor '{}' of shape {} takes {} bytes", tensor.value->name,
                  shape_text(tensor.shape), *bytes);
    }
    return bytes;
  }

  Status place(ValueId id, int step) {
    const TensorInfo& tensor = info(id);
    ValuePlan& value = plan_->values_[static_cast<size_t>(id)];
    if (value.place != Place::kNowhere) return {};
    value.shape = tensor.shape;
    if (tensor.dynamic) {
      value.place = Place::kDynamic;
      return {};
    }
    if (tensor.is_const) {
      value.place = Place::kConst;
      value.data = tensor.data;
      value.bytes = graph_->value(id).is_const ? graph_->value(id).data.bytes().size()
                                               : byte_size(tensor.dtype, tensor.shape).value_or(0);
      return {};
    }
    FB_ASSIGN(const auto bytes, bytes_within_limit(tensor));
    if (!bytes) {
      value.place = Place::kDynamic;
      return {};
    }
    value.bytes = *bytes;
    if (tensor.is_variable) {
      value.place = Place::kState;
      value.offset = plan_->state_bytes_;
      plan_->state_bytes_ += (*bytes + 63) / 64 * 64;
      return {};
    }
    value.place = Place::kArena;
    block_of_[static_cast<size_t>(id)] = static_cast<int>(blocks_.size());
    blocks_.push_back({.bytes = *bytes, .first = step, .last = std::max(step, last_use_[static_cast<size_t>(id)])});
    return {};
  }

  // Inputs that nobody reads after the step, which puts them side by side into output 0, are made there.
  void place_inside(const Step& step, int s) {
    const int outer = block_of_[static_cast<size_t>(step.outputs[0])];
    if (outer < 0) return;
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      const int inner = block_of_[static_cast<size_t>(step.inputs[i])];
      if (inner < 0 || inner >= outer) continue;
      Block& block = blocks_[static_cast<size_t>(inner)];
      const bool whole = block.bytes == plan_->values_[static_cast<size_t>(step.inputs[i])].bytes;
      if (block.first < 0 || block.last != s || block.inside >= 0 || !whole) continue;
      block.inside = outer;
      block.at = step.prepared.places[i];
    }
  }

  // Output 0 takes the memory of an input: always for views, for in-place operators when it is the input's last use.
  bool share_with_input(const Step& step, int s) {
    if (step.dynamic || !(step.def->flags & (kView | kInPlace))) return false;
    const ValueId output = step.outputs[0];
    const auto bytes = byte_size(info(output).dtype, info(output).shape);
    const size_t candidates = step.def->flags & kView ? 1 : step.inputs.size();
    for (size_t i = 0; i < candidates; ++i) {
      const ValueId input = step.inputs[i];
      if (input == kNoValue || block_of_[static_cast<size_t>(input)] < 0) continue;
      Block& block = blocks_[static_cast<size_t>(block_of_[static_cast<size_t>(input)])];
      const bool pinned = block.first < 0;  // a graph input keeps what the caller put there
      const bool same_size = bytes && *bytes == plan_->values_[static_cast<size_t>(input)].bytes;
      if (pinned || !same_size || (!(step.def->flags & kView) && block.last != s)) continue;
      ValuePlan& value = plan_->values_[static_cast<size_t>(output)];
      value.place = Place::kArena;
      value.shape = info(output).shape;
      value.bytes = *bytes;
      block_of_[static_cast<size_t>(output)] = block_of_[static_cast<size_t>(input)];
      block.last = std::max({block.last, s, last_use_[static_cast<size_t>(output)]});
      return true;
    }
    return false;
  }

  const PlanOptions& options_;
  std::unique_ptr<Plan> plan_;
  const Graph* graph_ = nullptr;
  std::vector<TensorInfo> infos_;
  std::optional<ByteChains> chains_;
  std::vector<int> last_use_, block_of_;
  std::vector<Block> blocks_;
};

Result<std::shared_ptr<const Plan>> Plan::make(std::shared_ptr<const Model> model, const PlanOptions& options) {
  const std::string path = model->path;
  auto plan = PlanBuilder(std::move(model), options).build();
  if (!plan && !path.empty()) return with_context(plan.error(), path);
  return plan;
}

}  // namespace fewbits::runtime
