// Running models by the indices of their tensors, as tf.lite.Interpreter does: a Runtime a subgraph, made when it is used.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "bindings.h"
#include "fewbits/runtime.h"

namespace fewbits::python {
namespace {

class Interpreter {
 public:
  Interpreter(const PyModel& model, int threads, bool keep_tensors)
      : model_(model.model), description_(describe_model(*model_)), threads_(threads), keep_tensors_(keep_tensors) {
    subgraphs_.resize(description_.subgraphs.size());
    subgraph(0);
  }

  size_t subgraph_count() const { return subgraphs_.size(); }
  const SubgraphDescription& description(size_t i) const { return description_.subgraphs.at(i); }

  // Shapes of a subgraph's tensors now.
  std::vector<Shape> shapes(size_t i) {
    const Gate::Pass pass(gate_, kWhat);
    Subgraph& at = subgraph(i);
    const SubgraphDescription& about = description_.subgraphs[i];
    if (at.allocated) return at.shapes = at.runtime->tensor_shapes();
    // As the last plan or the file has them: only inputs follow a resize at once.
    std::vector<Shape> shapes = at.shapes;
    for (size_t t = 0; shapes.size() < about.tensors.size(); ++t) shapes.push_back(about.tensors[t].file_shape);
    for (size_t input = 0; input < about.inputs.size(); ++input) {
      shapes[static_cast<size_t>(about.inputs[input])] = unwrap(at.runtime->input_shape(input));
    }
    return shapes;
  }

  Shape shape(size_t i, int32_t tensor) {
    const Gate::Pass pass(gate_, kWhat);
    return unwrap(subgraph(i).runtime->input_shape(input_place(i, tensor)));
  }

  bool allocated(size_t i) { return subgraph(i).allocated; }

  void allocate(size_t i) {
    const Gate::Pass pass(gate_, kWhat);
    refuse_views();
    Subgraph& at = subgraph(i);
    auto result = [&]() -> Status {
      nb::gil_scoped_release release;
      if (Status planned = at.runtime->plan(); !planned) return planned;
      for (size_t input = 0; input < at.runtime->inputs().size(); ++input) {
        const auto bytes = at.runtime->input_bytes(input);  // counts as set: what is there before set_tensor is zero
        if (!bytes) return tl::unexpected<Error>(bytes.error());
      }
      return {};
    }();
    unwrap(std::move(result));
    at.allocated = true;
  }

  void resize(size_t i, int32_t tensor, const Shape& shape) {
    const Gate::Pass pass(gate_, kWhat);
    refuse_views();
    Subgraph& at = subgraph(i);
    const size_t input = input_place(i, tensor);
    if (unwrap(at.runtime->input_shape(input)) == shape) return;
    if (at.allocated) at.shapes = at.runtime->tensor_shapes();
    unwrap(at.runtime->resize_input(input, shape));
    at.allocated = false;
    at.kept.clear();
  }

  // The caller checked type and shape.
  void set(size_t i, int32_t tensor, const ArrayIn& array) {
    const Gate::Pass pass(gate_, kWhat);
    const std::span bytes(static_cast<const std::byte*>(array.data()), array.nbytes());
    unwrap(subgraph(i).runtime->set_input(input_place(i, tensor), bytes));
  }

  // A copy of the tensor's values; None for one whose memory other tensors use.
  std::optional<ArrayOut> get(size_t i, int32_t tensor) {
    const Gate::Pass pass(gate_, kWhat);
    Subgraph& at = subgraph(i);
    if (const auto kept = at.kept.find(tensor); kept != at.kept.end()) {
      return copy_out(kept->second.dtype, kept->second.shape, kept->second.bytes);
    }
    const auto view = at.runtime->tensor(tensor);
    if (!view) return std::nullopt;
    return copy_out(view->dtype, view->shape, view->bytes);
  }

  // The tensor's own memory, to be written to unless it is a constant. While such an array lives, nothing may move: see
  // refuse_views().
  std::optional<ArrayOut> view(size_t i, int32_t tensor) {
    const Gate::Pass pass(gate_, kWhat);
    const auto view = subgraph(i).runtime->tensor(tensor);
    if (!view) return std::nullopt;
    auto hold = std::make_unique<std::shared_ptr<std::atomic<int>>>(views_);
    ++*views_;
    nb::capsule owner(hold.release(), [](void* p) noexcept {
      auto* held = static_cast<std::shared_ptr<std::atomic<int>>*>(p);
      --**held;
      delete held;
    });
    return view_out(view->dtype, view->shape, view->bytes.data(), owner);
  }

  bool has_views() const { return *views_ != 0; }

  void invoke(size_t i) {
    const Gate::Pass pass(gate_, kWhat);
    refuse_views();
    Subgraph& at = subgraph(i);
    auto result = [&] {
      nb::gil_scoped_release release;
      return at.runtime->run();
    }();
    unwrap(std::move(result));
  }

  void reset_state() {
    const Gate::Pass pass(gate_, kWhat);
    refuse_views();
    for (Subgraph& at : subgraphs_) {
      if (at.runtime != nullptr) at.runtime->reset_state();
    }
  }

  void set_profiling(bool on) {
    const Gate::Pass pass(gate_, kWhat);
    profiling_ = on;
    for (Subgraph& at : subgraphs_) {
      if (at.runtime != nullptr) at.runtime->set_profiling(on);
    }
  }

  std::vector<OperatorTime> profile(size_t i) {
    const Gate::Pass pass(gate_, kWhat);
    return subgraph(i).runtime->profile();
  }

 private:
  static constexpr const char* kWhat = "Interpreter";

  struct Subgraph {
    std::unique_ptr<Runtime> runtime;
    bool allocated = false;
    std::vector<Shape> shapes;  // of the last plan
    std::map<int32_t, Array> kept;
  };

  Subgraph& subgraph(size_t i) {
    Subgraph& at = subgraphs_.at(i);
    if (at.runtime != nullptr) return at;
    RuntimeOptions options;
    options.threads = threads_;
    options.subgraph = static_cast<int32_t>(i);
    auto made = [&] {
      nb::gil_scoped_release release;
      return Runtime::make(model_, options);
    }();
    at.runtime = unwrap(std::move(made));
    at.runtime->set_profiling(profiling_);
    if (keep_tensors_) {
      at.runtime->set_tap([&at, i](int32_t subgraph, int32_t tensor, const OutputView& view) {
        if (subgraph != static_cast<int32_t>(i)) return;
        Array& array = at.kept[tensor];
        array.dtype = view.dtype;
        array.shape = view.shape;
        array.bytes.assign(view.bytes.begin(), view.bytes.end());
      });
    }
    return at;
  }

  size_t input_place(size_t i, int32_t tensor) const {
    const auto& inputs = description_.subgraphs.at(i).inputs;
    const auto found = std::find(inputs.begin(), inputs.end(), tensor);
    if (found == inputs.end()) throw nb::index_error("not an input");  // the caller checked
    return static_cast<size_t>(found - inputs.begin());
  }

  void refuse_views() const {
    if (*views_ == 0) return;
    throw std::runtime_error(
        "There is at least 1 reference to internal data in the interpreter, in the form of a numpy array or slice. "
        "Hold the "
        "function that tensor() returns, and not the arrays that it makes, over calls that may move memory.");
  }

  ModelPtr model_;
  ModelDescription description_;
  int threads_;
  bool keep_tensors_, profiling_ = false;
  std::vector<Subgraph> subgraphs_;
  std::shared_ptr<std::atomic<int>> views_ = std::make_shared<std::atomic<int>>(0);  // arrays into our memory that live
  Gate gate_;
};

}  // namespace

void bind_interpreter(nb::module_& module) {
  nb::class_<Interpreter>(module, "Interpreter", "What fewbits.lite.Interpreter stands on.")
      .def(nb::init<const PyModel&, int, bool>(), nb::arg("model"), nb::arg("threads"), nb::arg("keep_tensors"))
      .def_prop_ro("subgraph_count", &Interpreter::subgraph_count)
      .def("description", &Interpreter::description, nb::arg("subgraph"), nb::rv_policy::reference_internal)
      .def("shapes", &Interpreter::shapes, nb::arg("subgraph"))
      .def("shape", &Interpreter::shape, nb::arg("subgraph"), nb::arg("tensor"), "Of an input.")
      .def("allocated", &Interpreter::allocated, nb::arg("subgraph"))
      .def("allocate", &Interpreter::allocate, nb::arg("subgraph"))
      .def("resize", &Interpreter::resize, nb::arg("subgraph"), nb::arg("tensor"), nb::arg("shape"))
      .def("set", &Interpreter::set, nb::arg("subgraph"), nb::arg("tensor"), nb::arg("array"),
           nb::sig("def set(self, subgraph: int, tensor: int, array: numpy.typing.NDArray[typing.Any]) -> None"))
      .def("get", &Interpreter::get, nb::arg("subgraph"), nb::arg("tensor"),
           nb::sig("def get(self, subgraph: int, tensor: int) -> numpy.typing.NDArray[typing.Any] | None"))
      .def("view", &Interpreter::view, nb::arg("subgraph"), nb::arg("tensor"),
           nb::sig("def view(self, subgraph: int, tensor: int) -> numpy.typing.NDArray[typing.Any] | None"))
      .def("has_views", &Interpreter::has_views, "Whether an array into its memory is alive.")
      .def("invoke", &Interpreter::invoke, nb::arg("subgraph"))
      .def("reset_state", &Interpreter::reset_state)
      .def("set_profiling", &Interpreter::set_profiling, nb::arg("on"))
      .def("profile", &Interpreter::profile, nb::arg("subgraph"));
}

}  // namespace fewbits::python
