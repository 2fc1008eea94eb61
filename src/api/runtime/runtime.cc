// The public runtime: names, shapes and types in front of a plan and its session.
#include "fewbits/runtime.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

#include "api/runtime/checks.h"
#include "api/runtime/guard.h"
#include "api/runtime/interface.h"
#include "api/runtime/plan_cache.h"
#include "base/checked.h"
#include "ir/model.h"
#include "ir/types.h"
#include "runtime/session.h"

namespace fewbits {
namespace {

bool is_dynamic(const TensorSpec& spec) { return !is_static(spec.shape); }

// Whether `shape` is what the model declares, -1 standing for any size.
bool fits_declared(const Shape& shape, const Shape& declared) {
  if (shape.size() != declared.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (declared[i] >= 0 && declared[i] != shape[i]) return false;
  }
  return true;
}

}  // namespace

struct Runtime::Impl {
  ModelPtr model;
  RuntimeOptions options;
  SignatureDescription interface;
  std::vector<Shape> shapes;                    // of the inputs, now
  std::vector<uint8_t> filled;                  // by the caller, since the start or the last resize
  std::vector<std::vector<std::byte>> waiting;  // what inputs hold while there is no session
  std::unique_ptr<runtime::Session> session;    // none while the plan does not fit the shapes
  runtime::Tap tap;
  bool profiling = false, has_run = false;
  double plan_ms = 0;

  const Graph& graph() const { return model->graphs[static_cast<size_t>(interface.subgraph)]; }

  Status start() {
    FB_TRY(api::check_model(model));
    FB_TRY(api::check_threads(options.threads));
    if (options.subgraph) {
      FB_ASSIGN(interface, api::interface_of_subgraph(*model, *options.subgraph));
    } else {
      FB_ASSIGN(interface, api::interface_of(*model, options.signature));
    }
    bool dynamic = false;
    for (const TensorSpec& spec : interface.inputs) dynamic |= is_dynamic(spec);
    for (ValueId id : graph().inputs) shapes.push_back(graph().value(id).shape);
    filled.assign(shapes.size(), 0);
    waiting.resize(shapes.size());
    const Status planned = plan();
    if (!planned && !dynamic) return planned;
    return {};
  }

  // Makes a session for the shapes, which takes over what the inputs hold.
  Status plan() {
    if (session != nullptr) return {};
    const auto start = std::chrono::steady_clock::now();
    runtime::PlanOptions wanted;
    wanted.graph = interface.subgraph;
    wanted.fuse = !tap;
    wanted.fast_float = !options.strict_fp32;
    for (size_t i = 0; i < shapes.size(); ++i) {
      if (shapes[i] != graph().value(graph().inputs[i]).shape) wanted.input_shapes[i] = shapes[i];
    }
    FB_ASSIGN(auto made, api::shared_plan(model, wanted, options.pack_cache));
    FB_ASSIGN(session, runtime::Session::make(std::move(made), {options.threads}));
    session->set_profiling(profiling);
    session->set_tap(tap);
    plan_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    for (size_t i = 0; i < waiting.size(); ++i) {
      const TensorView target = session->input_view(i);
      if (!waiting[i].empty() && waiting[i].size() == target.bytes) {
        std::memcpy(session->input(i), waiting[i].data(), target.bytes);
      }
      waiting[i] = {};
    }
    return {};
  }

  Status check_input(size_t i) const {
    if (i < shapes.size()) return {};
    return fail(ErrorCode::kInvalidArgument, "there is no input {} among {}", i, shapes.size());
  }

  // body(place of the input of this name).
  template <class Body>
  auto with_input(std::string_view name, const Body& body) const -> decltype(body(size_t{})) {
    return api::guarded([&]() -> decltype(body(size_t{})) {
      FB_ASSIGN(const size_t i, api::find_spec(interface.inputs, name, "input"));
      return body(i);
    });
  }

  Result<OutputView> tensor(ValueId id) const {
    if (!graph().valid(id)) return fail(ErrorCode::kInvalidArgument, "there is no tensor {}", id);
    const Value& value = graph().value(id);
    if (session == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "tensor '{}' has no memory before a plan is made", value.name);
    }
    if (value.sparsity != nullptr) return fail(ErrorCode::kUnsupported, "tensor '{}' is stored sparse", value.name);
    const auto is_one_of = [&](const std::vector<ValueId>& list) {
      return std::find(list.begin(), list.end(), id) != list.end();
    };
    const runtime::Place place = session->plan().value(id).place;
    const TensorView view = session->value_view(id);
    const bool own = place == runtime::Place::kConst || place == runtime::Place::kState || is_one_of(graph().inputs) ||
                     is_one_of(graph().outputs);
    if (!own || (view.data == nullptr && view.bytes > 0) ||
        (view.data == nullptr && place == runtime::Place::kDynamic)) {
      return fail(ErrorCode::kInvalidArgument, "tensor '{}' has no memory of its own now", value.name);
    }
    return OutputView{view.dtype, view.shape, {static_cast<const std::byte*>(view.data), view.bytes}};
  }

  std::vector<Shape> tensor_shapes() const {
    std::vector<Shape> out;
    for (size_t i = 0; i < graph().value_count(); ++i) {
      const auto id = static_cast<ValueId>(i);
      Shape shape = graph().value(id).shape;
      if (session != nullptr && session->plan().value(id).place != runtime::Place::kNowhere) {
        const TensorView view = session->value_view(id);
        if (view.data != nullptr) shape = view.shape;  // null: its size is known when it is made
      }
      out.push_back(std::move(shape));
    }
    for (size_t i = 0; i < shapes.size(); ++i) out[static_cast<size_t>(graph().inputs[i])] = shapes[i];
    return out;
  }

  // Gives the session up, and keeps what its inputs hold.
  void unplan() {
    has_run = false;
    if (session == nullptr) return;
    for (size_t i = 0; i < waiting.size(); ++i) {
      const TensorView view = session->input_view(i);
      const auto* bytes = static_cast<const std::byte*>(view.data);
      if (filled[i] && bytes != nullptr) waiting[i].assign(bytes, bytes + view.bytes);
    }
    session.reset();
  }

  Status resize(size_t i, const Shape& shape) {
    if (!byte_size(interface.inputs[i].dtype, shape)) {
      return fail(ErrorCode::kInvalidArgument, "input '{}' cannot have the shape {}", interface.inputs[i].label(),
                  shape_text(shape));
    }
    if (shape == shapes[i]) return {};
    unplan();
    shapes[i] = shape;
    waiting[i].clear();
    filled[i] = 0;
    return {};
  }

  Result<std::span<std::byte>> bytes_of(size_t i) {
    if (session != nullptr) {
      const TensorView view = session->input_view(i);
      if (view.data != nullptr) return std::span(static_cast<std::byte*>(session->input(i)), view.bytes);
    }
    const auto bytes = byte_size(interface.inputs[i].dtype, shapes[i]);
    if (!bytes || session != nullptr) {
      return fail(ErrorCode::kUnsupported, "input '{}' is of type {}, which cannot be set", interface.inputs[i].label(),
                  dtype_name(interface.inputs[i].dtype));
    }
    waiting[i].resize(*bytes);
    return std::span(waiting[i]);
  }

  Status set(size_t i, std::span<const std::byte> bytes) {
    FB_ASSIGN(const std::span<std::byte> target, bytes_of(i));
    if (bytes.size() != target.size()) {
      return fail(ErrorCode::kInvalidArgument, "input '{}' of shape {} and type {} takes {} bytes, not {}",
                  interface.inputs[i].label(), shape_text(shapes[i]), dtype_name(interface.inputs[i].dtype),
                  target.size(), bytes.size());
    }
    if (!bytes.empty()) std::memcpy(target.data(), bytes.data(), bytes.size());
    filled[i] = 1;
    return {};
  }

  Status set(size_t i, const Array& array) {
    const TensorSpec& spec = interface.inputs[i];
    if (array.dtype != spec.dtype) {
      return fail(ErrorCode::kInvalidArgument, "input '{}' takes {}, and the array is {}: convert it first",
                  spec.label(), dtype_name(spec.dtype), dtype_name(array.dtype));
    }
    if (array.shape != shapes[i]) {
      if (!is_dynamic(spec) || !fits_declared(array.shape, spec.shape)) {
        return fail(ErrorCode::kInvalidArgument,
                    "input '{}' has the shape {}, and the array {}: reshape the array, or call "
                    "resize_input first if the model can take it",
                    spec.label(), shape_text(shapes[i]), shape_text(array.shape));
      }
      FB_TRY(resize(i, array.shape));
    }
    return set(i, std::span<const std::byte>(array.bytes));
  }

  Status run() {
    std::vector<std::string> missing;
    for (size_t i = 0; i < filled.size(); ++i) {
      if (!filled[i]) missing.push_back(fmt::format("'{}'", interface.inputs[i].label()));
    }
    if (!missing.empty()) {
      return fail(ErrorCode::kInvalidArgument, "{} not set: {}; call set_input before run",
                  missing.size() == 1 ? "an input is" : "some inputs are", fmt::join(missing, ", "));
    }
    FB_TRY(plan());
    has_run = false;
    FB_TRY(session->run());
    has_run = true;
    return {};
  }

  Result<OutputView> output(size_t i) const {
    if (!has_run) return fail(ErrorCode::kInvalidArgument, "there are no outputs before a run");
    const TensorView view = session->output(i);
    return OutputView{view.dtype, view.shape, {static_cast<const std::byte*>(view.data), view.bytes}};
  }
};

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::make(ModelPtr model, const RuntimeOptions& options) {
  return api::guarded([&]() -> Result<std::unique_ptr<Runtime>> {
    auto impl = std::make_unique<Impl>();
    impl->model = std::move(model);
    impl->options = options;
    FB_TRY(impl->start());
    return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
  });
}

const std::vector<TensorSpec>& Runtime::inputs() const noexcept { return impl_->interface.inputs; }
const std::vector<TensorSpec>& Runtime::outputs() const noexcept { return impl_->interface.outputs; }

int32_t Runtime::subgraph() const noexcept { return impl_->interface.subgraph; }

Status Runtime::resize_input(size_t i, const Shape& shape) {
  return api::guarded([&]() -> Status {
    FB_TRY(impl_->check_input(i));
    return impl_->resize(i, shape);
  });
}

Result<Shape> Runtime::input_shape(size_t i) const {
  return api::guarded([&]() -> Result<Shape> {
    FB_TRY(impl_->check_input(i));
    return impl_->shapes[i];
  });
}

Status Runtime::set_input(size_t i, const Array& array) {
  return api::guarded([&]() -> Status {
    FB_TRY(impl_->check_input(i));
    return impl_->set(i, array);
  });
}

Status Runtime::set_input(size_t i, std::span<const std::byte> bytes) {
  return api::guarded([&]() -> Status {
    FB_TRY(impl_->check_input(i));
    return impl_->set(i, bytes);
  });
}

Result<std::span<std::byte>> Runtime::input_bytes(size_t i) {
  return api::guarded([&]() -> Result<std::span<std::byte>> {
    FB_TRY(impl_->check_input(i));
    FB_TRY(impl_->plan());  // so that the place stays valid over runs
    FB_ASSIGN(const std::span<std::byte> bytes, impl_->bytes_of(i));
    impl_->filled[i] = 1;
    return bytes;
  });
}

Result<OutputView> Runtime::output(size_t i) const {
  return api::guarded([&]() -> Result<OutputView> {
    if (i >= outputs().size()) {
      return fail(ErrorCode::kInvalidArgument, "there is no output {} among {}", i, outputs().size());
    }
    return impl_->output(i);
  });
}

Status Runtime::resize_input(std::string_view name, const Shape& shape) {
  return impl_->with_input(name, [&](size_t i) { return resize_input(i, shape); });
}

Result<Shape> Runtime::input_shape(std::string_view name) const {
  return impl_->with_input(name, [&](size_t i) { return input_shape(i); });
}

Status Runtime::set_input(std::string_view name, const Array& array) {
  return impl_->with_input(name, [&](size_t i) { return set_input(i, array); });
}

Status Runtime::set_input(std::string_view name, std::span<const std::byte> bytes) {
  return impl_->with_input(name, [&](size_t i) { return set_input(i, bytes); });
}

Result<std::span<std::byte>> Runtime::input_bytes(std::string_view name) {
  return impl_->with_input(name, [&](size_t i) { return input_bytes(i); });
}

Status Runtime::plan() {
  return api::guarded([&] { return impl_->plan(); });
}

std::vector<Shape> Runtime::tensor_shapes() const { return impl_->tensor_shapes(); }

Result<OutputView> Runtime::tensor(int32_t index) const {
  return api::guarded([&] { return impl_->tensor(index); });
}

Status Runtime::run() {
  return api::guarded([&] { return impl_->run(); });
}

Result<OutputView> Runtime::output(std::string_view name) const {
  return api::guarded([&]() -> Result<OutputView> {
    FB_ASSIGN(const size_t i, api::find_spec(outputs(), name, "output"));
    return impl_->output(i);
  });
}

Result<Array> Runtime::output_array(std::string_view name) const {
  return api::guarded([&]() -> Result<Array> {
    FB_ASSIGN(const OutputView view, output(name));
    return Array{std::string(name), view.dtype, view.shape, {view.bytes.begin(), view.bytes.end()}};
  });
}

void Runtime::reset_state() {
  if (impl_->session != nullptr) impl_->session->reset_state();
}

void Runtime::set_tap(TensorTap tap) {
  if (static_cast<bool>(tap) != static_cast<bool>(impl_->tap))
    impl_->unplan();  // for a plan that makes every value, or back
  impl_->tap = {};
  if (tap) {
    impl_->tap = [tap = std::move(tap)](int32_t graph, ValueId value, const TensorView& view) -> Status {
      tap(graph, value, {view.dtype, view.shape, {static_cast<const std::byte*>(view.data), view.bytes}});
      return {};
    };
  }
  if (impl_->session != nullptr) impl_->session->set_tap(impl_->tap);
}

void Runtime::set_profiling(bool on) {
  impl_->profiling = on;
  if (impl_->session != nullptr) impl_->session->set_profiling(on);
}

std::vector<OperatorTime> Runtime::profile() const {
  std::vector<OperatorTime> out;
  if (!impl_->has_run) return out;
  const auto& times = impl_->session->step_nanoseconds();
  const std::vector<KernelChoice> choices = kernels();
  for (size_t s = 0; s < times.size() && s < choices.size(); ++s) {
    out.push_back({choices[s].index, choices[s].type, choices[s].name, choices[s].kernel, times[s]});
  }
  return out;
}

std::vector<KernelChoice> Runtime::kernels() const {
  std::vector<KernelChoice> out;
  if (impl_->session == nullptr) return out;
  const auto& steps = impl_->session->plan().steps();
  for (size_t s = 0; s < steps.size(); ++s) {
    const Node& node = impl_->graph().node(steps[s].node);
    KernelChoice choice{steps[s].node, node.type_name(), {}, impl_->session->choice(s), steps[s].prepared.declined};
    const std::vector<ValueId>& outputs = steps[s].outputs;  // of several nodes in one step, the last one's
    if (!outputs.empty() && impl_->graph().valid(outputs[0])) choice.name = impl_->graph().value(outputs[0]).name;
    out.push_back(std::move(choice));
  }
  return out;
}

double Runtime::plan_milliseconds() const noexcept { return impl_->plan_ms; }

size_t Runtime::memory_bytes() const noexcept {
  if (impl_->session == nullptr) return 0;
  const runtime::Plan& plan = impl_->session->plan();
  return plan.arena_bytes() + plan.state_bytes() + plan.workspace_bytes();
}

}  // namespace fewbits
