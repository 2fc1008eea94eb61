// Running a plan: static steps are one indirect call each; dynamic steps infer, allocate and prepare as they come.
#include "runtime/session.h"

#include <chrono>
#include <cstring>
#include <new>

#include "base/checked.h"
#include "ops/evaluate.h"

namespace fewbits::runtime {
namespace {

constexpr size_t kAlignment = 64;
constexpr int kMaxCallDepth = 64;
// Vector kernels may read up to this many bytes past an operand that lives in the arena.
constexpr size_t kSlack = 64;

size_t align_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// What a dynamic step keeps from run to run: the kernel for the shapes it met last.
struct Session::DynamicStep {
  bool prepared_once = false;
  std::vector<Shape> shapes;
  Prepared prepared;
};

class Session::StepArgs final : public DynamicArgs {
 public:
  StepArgs(Session& session, const Node& node) : session_(session), node_(node) {
    for (ValueId id : node.inputs) inputs_.push_back(id == kNoValue ? TensorView{} : session.view(id));
  }
  std::span<const TensorView> inputs() const override { return inputs_; }
  Result<void*> resize_output(size_t i, const Shape& shape) override {
    const ValueId id = node_.outputs[i];
    const auto bytes = byte_size(session_.plan_->graph().value(id).dtype, shape);
    if (!bytes) return fail(ErrorCode::kInvalidData, "output {} cannot have the shape {}", i, shape_text(shape));
    return session_.make_dynamic(id, shape, *bytes);
  }
  Result<void*> resize_output_bytes(size_t i, const Shape& shape, size_t bytes) override {
    return session_.make_dynamic(node_.outputs[i], shape, bytes);
  }
  Result<std::vector<OwnedTensor>> call(int32_t graph, std::span<const TensorView> inputs) override {
    return session_.call(graph, inputs);
  }
  ResourceStore& resources() override { return *session_.resources_; }

 private:
  Session& session_;
  const Node& node_;
  std::vector<TensorView> inputs_;
};

Session::Session(std::shared_ptr<const Plan> plan, std::shared_ptr<ThreadPool> pool,
                 std::shared_ptr<ResourceStore> resources, int depth)
    : plan_(std::move(plan)), pool_(std::move(pool)), resources_(std::move(resources)), depth_(depth) {}

Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::make(std::shared_ptr<const Plan> plan, const SessionOptions& options) {
  auto pool = options.threads > 1 ? std::make_shared<ThreadPool>(options.threads) : nullptr;
  std::unique_ptr<Session> session(new Session(std::move(plan), std::move(pool), std::make_shared<ResourceStore>(), 0));
  FB_TRY(session->allocate());
  return session;
}

Status Session::allocate() {
  const size_t arena = align_up(plan_->arena_bytes() + kSlack), state = align_up(plan_->state_bytes() + kSlack);
  const size_t total = arena + state + align_up(plan_->workspace_bytes()) + kAlignment;
  memory_.reset(new (std::nothrow) std::byte[total]);
  if (memory_ == nullptr) return fail(ErrorCode::kResource, "no memory for {} bytes of activations", total);
  const auto address = reinterpret_cast<uintptr_t>(memory_.get());
  arena_ = memory_.get() + (align_up(address) - address);
  state_ = arena_ + arena;
  workspace_ = state_ + state;
  std::memset(arena_, 0, arena);
  clear_state();

  dynamic_.resize(plan_->graph().value_count());
  const auto& steps = plan_->steps();
  dynamic_steps_.resize(steps.size());
  const auto address_of = [&](ValueId id) -> void* {
    if (id == kNoValue) return nullptr;
    const ValuePlan& value = plan_->value(id);
    switch (value.place) {
      case Place::kConst: return const_cast<void*>(value.data);
      case Place::kArena: return arena_ + value.offset;
      case Place::kState: return state_ + value.offset;
      default: return nullptr;
    }
  };
  for (size_t s = 0; s < steps.size(); ++s) {
    if (steps[s].dynamic) dynamic_steps_[s] = std::make_unique<DynamicStep>();
    const size_t first = pointers_.size();
    for (ValueId id : steps[s].inputs) pointers_.push_back(address_of(id));
    step_pointers_.emplace_back(first, pointers_.size());
    for (ValueId id : steps[s].outputs) pointers_.push_back(address_of(id));
  }
  return {};
}

void* Session::input(size_t i) noexcept { return const_cast<void*>(input_view(i).data); }

TensorView Session::input_view(size_t i) const { return view(plan_->graph().inputs[i]); }

TensorView Session::output(size_t i) const { return view(plan_->graph().outputs[i]); }

TensorView Session::view(ValueId id) const {
  const Value& value = plan_->graph().value(id);
  const ValuePlan& where = plan_->value(id);
  switch (where.place) {
    case Place::kConst: return {value.dtype, where.shape, where.data, where.bytes};
    case Place::kArena: return {value.dtype, where.shape, arena_ + where.offset, where.bytes};
    case Place::kState: return {value.dtype, where.shape, state_ + where.offset, where.bytes};
    default: break;
  }
  const OwnedTensor* tensor = dynamic_[static_cast<size_t>(id)].get();
  return tensor == nullptr ? TensorView{value.dtype, {}, nullptr, 0} : tensor->view();
}

TensorInfo Session::info(ValueId id) const {
  TensorInfo info;
  if (id == kNoValue) return info;
  const Value& value = plan_->graph().value(id);
  const TensorView tensor = view(id);
  info.present = true;
  info.dtype = value.dtype;
  info.shape = tensor.shape;
  info.quant = &value.quant;
  info.data = tensor.data;
  info.is_const = plan_->value(id).place == Place::kConst;
  info.is_variable = value.is_variable;
  info.value = &value;
  return info;
}

Result<void*> Session::make_dynamic(ValueId id, const Shape& shape, size_t bytes) {
  constexpr size_t kLimit = size_t{1} << 40;
  auto& tensor = dynamic_[static_cast<size_t>(id)];
  if (tensor == nullptr) tensor = std::make_unique<OwnedTensor>();
  if (bytes > kLimit) {
    return fail(ErrorCode::kResource, "tensor '{}' grew to {} bytes", plan_->graph().value(id).name, bytes);
  }
  try {
    tensor->bytes.resize(bytes + kSlack);
    tensor->bytes.resize(bytes);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kResource, "no memory for the {} bytes of tensor '{}'", bytes,
                plan_->graph().value(id).name);
  }
  tensor->dtype = plan_->graph().value(id).dtype;
  tensor->shape = shape;
  // A scalar of no bytes still needs an address that is not null.
  return static_cast<void*>(tensor->bytes.data() == nullptr ? workspace_ : tensor->bytes.data());
}

Status Session::run() {
  const auto& steps = plan_->steps();
  if (tap_) {
    for (ValueId id : plan_->graph().inputs) FB_TRY(tap_(plan_->graph_index(), id, view(id)));
  }
  for (size_t s = 0; s < steps.size(); ++s) {
    const int64_t start = profiling_ ? now_ns() : 0;
    if (steps[s].dynamic) {
      FB_TRY(run_dynamic(s));
    } else {
      void** pointers = pointers_.data();
      steps[s].prepared.kernel->run(
          {pointers + step_pointers_[s].first, pointers + step_pointers_[s].second, workspace_, pool_.get()});
    }
    if (profiling_) nanoseconds_[s] = now_ns() - start;
    if (tap_) FB_TRY(tap_outputs(steps[s]));
  }
  return {};
}

// Of several operators that run as one only what the last one makes exists.
Status Session::tap_outputs(const Step& step) {
  for (ValueId id : step.outputs) {
    if (id != kNoValue) FB_TRY(tap_(plan_->graph_index(), id, view(id)));
  }
  return {};
}

Status Session::run_dynamic(size_t s) {
  const Step& step = plan_->steps()[s];
  const Graph& graph = plan_->graph();
  const Node& node = graph.node(step.node);
  DynamicStep& state = *dynamic_steps_[s];
  std::vector<TensorInfo> inputs, outputs, intermediates;
  for (ValueId id : node.inputs) inputs.push_back(info(id));
  for (ValueId id : node.intermediates) intermediates.push_back(info(id));
  for (ValueId id : node.outputs) {
    outputs.push_back(info(id));
    outputs.back().shape.clear();
  }
  OpContext context{&plan_->model(), &graph, step.node, &node, inputs, outputs, intermediates, plan_->fast_float()};
  FB_TRY(step.def->infer(context));
  bool known = true;
  std::vector<Shape> shapes;
  for (const TensorInfo& input : inputs) shapes.push_back(input.shape);
  for (TensorInfo& output : outputs) {
    known &= !output.dynamic && is_static(output.shape);
    shapes.push_back(output.shape);
  }
  if (!state.prepared_once || shapes != state.shapes) {
    FB_ASSIGN(state.prepared, ops::prepare(*step.def, context));
    state.prepared_once = true;
    state.shapes = std::move(shapes);
  }
  if (state.prepared.dynamic_kernel != nullptr) {
    StepArgs args(*this, node);
    const Status status = state.prepared.dynamic_kernel->run(args);
    if (!status) return with_context(status.error(), describe_node(graph, step.node));
  } else {
    if (!known) return context.fail(ErrorCode::kInternal, "the shape of its outputs stays unknown");
    std::vector<void*> in, out;
    for (const TensorInfo& input : inputs) in.push_back(const_cast<void*>(input.data));
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto bytes = byte_size(outputs[i].dtype, outputs[i].shape);
      if (!bytes)
        return context.fail(ErrorCode::kResource, "output {} of shape {} is too large", i,
                            shape_text(outputs[i].shape));
      FB_ASSIGN(void* data, make_dynamic(node.outputs[i], outputs[i].shape, *bytes));
      out.push_back(data);
    }
    dynamic_workspace_.resize(state.prepared.workspace + kAlignment);
    const auto at = reinterpret_cast<uintptr_t>(dynamic_workspace_.data());
    state.prepared.kernel->run({in.data(), out.data(), dynamic_workspace_.data() + (align_up(at) - at), pool_.get()});
  }
  return {};
}

Result<std::vector<OwnedTensor>> Session::call(int32_t graph, std::span<const TensorView> inputs) {
  if (depth_ >= kMaxCallDepth)
    return fail(ErrorCode::kInvalidModel, "subgraphs call each other more than {} deep", kMaxCallDepth);
  auto& callee = callees_[graph];
  bool fits = callee != nullptr;
  for (size_t i = 0; fits && i < inputs.size(); ++i) fits = callee->input_view(i).shape == inputs[i].shape;
  if (!fits) {
    PlanOptions options;
    options.graph = graph;
    options.fuse = plan_->fuses();
    options.fast_float = plan_->fast_float();
    options.packs = plan_->packs();
    for (size_t i = 0; i < inputs.size(); ++i) options.input_shapes[i] = inputs[i].shape;
    FB_ASSIGN(auto plan, Plan::make(plan_->shared_model(), options));
    if (plan->graph().inputs.size() != inputs.size()) {
      return fail(ErrorCode::kInvalidModel, "subgraph {} takes {} inputs, not {}", graph, plan->graph().inputs.size(),
                  inputs.size());
    }
    callee.reset(new Session(std::move(plan), pool_, resources_, depth_ + 1));
    FB_TRY(callee->allocate());
  }
  callee->tap_ = tap_;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorView target = callee->input_view(i);
    if (callee->plan_->graph().value(callee->plan_->graph().inputs[i]).dtype != inputs[i].dtype) {
      return fail(ErrorCode::kInvalidModel, "input {} of subgraph {} is not {}", i, graph, dtype_name(inputs[i].dtype));
    }
    void* data = const_cast<void*>(target.data);
    if (callee->plan_->value(callee->plan_->graph().inputs[i]).place == Place::kDynamic) {
      FB_ASSIGN(data, callee->make_dynamic(callee->plan_->graph().inputs[i], inputs[i].shape, inputs[i].bytes));
    }
    if (inputs[i].bytes > 0) std::memcpy(data, inputs[i].data, inputs[i].bytes);
  }
  FB_TRY(callee->run());
  std::vector<OwnedTensor> outputs;
  for (size_t i = 0; i < callee->plan_->graph().outputs.size(); ++i) {
    const TensorView tensor = callee->output(i);
    const auto* bytes = static_cast<const std::byte*>(tensor.data);
    outputs.push_back({tensor.dtype, tensor.shape, std::vector<std::byte>(bytes, bytes + tensor.bytes)});
  }
  return outputs;
}

// Variables start at a real 0: int8 ones, as in LiteRT, at their zero point.
void Session::clear_state() noexcept {
  std::memset(state_, 0, plan_->state_bytes());
  for (size_t i = 0; i < plan_->graph().value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Value& value = plan_->graph().value(id);
    const ValuePlan& place = plan_->value(id);
    if (place.place != Place::kState || value.dtype != DType::kInt8) continue;
    std::memset(state_ + place.offset, static_cast<int>(value.quant.zero()), place.bytes);
  }
}

void Session::reset_state() {
  clear_state();
  *resources_ = {};
  for (auto& [graph, callee] : callees_) callee->reset_state();
}

void Session::set_profiling(bool on) {
  profiling_ = on;
  nanoseconds_.assign(on ? plan_->steps().size() : 0, 0);
}

const std::string& Session::choice(size_t step) const {
  return plan_->steps()[step].dynamic ? dynamic_steps_[step]->prepared.choice : plan_->steps()[step].prepared.choice;
}

}  // namespace fewbits::runtime
