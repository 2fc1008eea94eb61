// Running models by the names of their inputs and outputs.
#include "fewbits/runtime.h"

#include <string_view>

#include "bindings.h"

namespace fewbits::python {
namespace {

class PyRuntime {
 public:
  PyRuntime(const PyModel& model, int threads, const std::string& signature, bool strict_fp32,
            const std::string& pack_cache) {
    auto made = [&] {
      nb::gil_scoped_release release;
      return Runtime::make(model.model, {threads, signature, {}, strict_fp32, pack_cache});
    }();
    runtime_ = unwrap(std::move(made));
    input_views_->runtime = output_views_->runtime = runtime_;
  }

  std::vector<TensorSpec> inputs() const { return runtime_->inputs(); }
  std::vector<TensorSpec> outputs() const { return runtime_->outputs(); }

  void resize_input(const std::string& name, const Shape& shape) {
    const Gate::Pass pass(gate_, "Runtime");
    resize(name, shape);
  }
  Shape input_shape(const std::string& name) const { return unwrap(runtime_->input_shape(name)); }

  // The bytes go straight from numpy's memory into the model's.
  void set_input(const std::string& name, const ArrayIn& array) {
    const Gate::Pass pass(gate_, "Runtime");
    const TensorSpec& spec = spec_of(name);
    const DType type = dtype_of(array);
    if (type != spec.dtype) {
      raise({ErrorCode::kInvalidArgument, "input '" + spec.label() + "' takes " + dtype_name(spec.dtype) +
                                              ", and the array is " + dtype_name(type) +
                                              ": convert it, for example with "
                                              "array.astype(numpy." +
                                              dtype_name(spec.dtype) + ")"});
    }
    const Shape shape = shape_of(array), now = unwrap(runtime_->input_shape(name));
    if (shape != now) {
      if (!follows(spec.shape, shape)) {
        raise({ErrorCode::kInvalidArgument,
               "input '" + spec.label() + "' has the shape " + shape_text(now) + ", and the array " +
                   shape_text(shape) + ": reshape the array, or call resize_input first if the model can take it"});
      }
      resize(name, shape);
    }
    unwrap(runtime_->set_input(name, std::span(static_cast<const std::byte*>(array.data()), array.nbytes())));
  }

  // The input's own memory, to be filled in place.
  ArrayOut input_view(const std::string& name) {
    const Gate::Pass pass(gate_, "Runtime");
    const TensorSpec& spec = spec_of(name);
    const Shape shape = unwrap(runtime_->input_shape(name));
    return view_out(spec.dtype, shape, unwrap(runtime_->input_bytes(name)).data(), hold(input_views_));
  }

  void run() {
    const Gate::Pass pass(gate_, "Runtime");
    refuse(output_views_, "run");
    auto result = [&] {
      nb::gil_scoped_release release;
      return runtime_->run();
    }();
    unwrap(std::move(result));
  }

  ArrayOut output(const std::string& name) {
    const Gate::Pass pass(gate_, "Runtime");
    const OutputView view = unwrap(runtime_->output(name));
    return copy_out(view.dtype, view.shape, view.bytes);
  }

  // The output's own memory.
  ArrayOut output_view(const std::string& name) {
    const Gate::Pass pass(gate_, "Runtime");
    const OutputView view = unwrap(runtime_->output(name));
    return view_out(view.dtype, view.shape, view.bytes.data(), hold(output_views_));
  }

  void reset_state() {
    const Gate::Pass pass(gate_, "Runtime");
    refuse(output_views_, "reset_state");
    runtime_->reset_state();
  }
  void set_profiling(bool on) {
    const Gate::Pass pass(gate_, "Runtime");
    runtime_->set_profiling(on);
  }
  std::vector<OperatorTime> profile() {
    const Gate::Pass pass(gate_, "Runtime");
    return runtime_->profile();
  }
  std::vector<KernelChoice> kernels() {
    const Gate::Pass pass(gate_, "Runtime");
    return runtime_->kernels();
  }
  size_t memory_bytes() const { return runtime_->memory_bytes(); }
  double plan_milliseconds() const { return runtime_->plan_milliseconds(); }

 private:
  // Arrays into our memory that live, and the memory itself: each array holds both.
  struct Views {
    std::shared_ptr<Runtime> runtime;
    std::atomic<int> count = 0;
  };

  static nb::capsule hold(const std::shared_ptr<Views>& views) {
    auto held = std::make_unique<std::shared_ptr<Views>>(views);
    ++views->count;
    return nb::capsule(held.release(), [](void* p) noexcept {
      auto* own = static_cast<std::shared_ptr<Views>*>(p);
      --(*own)->count;
      delete own;
    });
  }

  static void refuse(const std::shared_ptr<Views>& views, const std::string& what) {
    if (views->count == 0) return;
    raise({ErrorCode::kInvalidArgument,
           what +
               ": an array that is a view of this Runtime's memory is still alive, and that memory would change under "
               "it: let go of the array first (del, or leave its scope), or copy it"});
  }

  void resize(const std::string& name, const Shape& shape) {
    for (const auto& views : {input_views_, output_views_}) refuse(views, "resize_input");
    unwrap(runtime_->resize_input(name, shape));
  }

  // Whether the model leaves those sizes open in which `shape` differs from what it declares.
  static bool follows(const Shape& declared, const Shape& shape) {
    if (declared.size() != shape.size()) return false;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (declared[i] >= 0 && declared[i] != shape[i]) return false;
    }
    return true;
  }

  const TensorSpec& spec_of(const std::string& name) const {
    for (const auto& names : {&TensorSpec::signature_name, &TensorSpec::name}) {
      for (const TensorSpec& spec : runtime_->inputs()) {
        if (spec.*names == name) return spec;
      }
    }
    const auto shape = runtime_->input_shape(name);
    raise(shape ? Error{ErrorCode::kNotFound, "there is no input '" + name + "'"} : shape.error());
  }

  std::shared_ptr<Runtime> runtime_;
  std::shared_ptr<Views> input_views_ = std::make_shared<Views>(), output_views_ = std::make_shared<Views>();
  Gate gate_;
};

}  // namespace

void bind_runtime(nb::module_& module) {
  nb::class_<KernelChoice>(module, "KernelChoice",
                           "Which implementation an operator got, and why better ones were not taken.")
      .def_ro("index", &KernelChoice::index)
      .def_ro("type", &KernelChoice::type)
      .def_ro("name", &KernelChoice::name)
      .def_ro("kernel", &KernelChoice::kernel)
      .def_ro("declined", &KernelChoice::declined)
      .def("__repr__", [](const KernelChoice& c) {
        std::string text = "<" + c.type + " '" + c.name + "': " + (c.kernel.empty() ? "chosen when it runs" : c.kernel);
        for (const std::string& reason : c.declined) text += "; not " + reason;
        return text + ">";
      });
  nb::class_<PyRuntime>(module, "Runtime")
      .def(nb::init<const PyModel&, int, const std::string&, bool, const std::string&>(), nb::arg("model"),
           nb::arg("threads"), nb::arg("signature"), nb::arg("strict_fp32"), nb::arg("pack_cache"))
      .def_prop_ro("inputs", &PyRuntime::inputs)
      .def_prop_ro("outputs", &PyRuntime::outputs)
      .def("resize_input", &PyRuntime::resize_input, nb::arg("name"), nb::arg("shape"))
      .def("input_shape", &PyRuntime::input_shape, nb::arg("name"))
      .def("set_input", &PyRuntime::set_input, nb::arg("name"), nb::arg("array"),
           nb::sig("def set_input(self, name: str, array: numpy.typing.NDArray[typing.Any]) -> None"))
      .def("input_view", &PyRuntime::input_view, nb::arg("name"),
           nb::sig("def input_view(self, name: str) -> numpy.typing.NDArray[typing.Any]"))
      .def("run", &PyRuntime::run)
      .def("output", &PyRuntime::output, nb::arg("name"),
           nb::sig("def output(self, name: str) -> numpy.typing.NDArray[typing.Any]"))
      .def("output_view", &PyRuntime::output_view, nb::arg("name"),
           nb::sig("def output_view(self, name: str) -> numpy.typing.NDArray[typing.Any]"))
      .def("reset_state", &PyRuntime::reset_state)
      .def("set_profiling", &PyRuntime::set_profiling, nb::arg("on"))
      .def("profile", &PyRuntime::profile)
      .def("kernels", &PyRuntime::kernels)
      .def_prop_ro("memory_bytes", &PyRuntime::memory_bytes)
      .def_prop_ro("plan_milliseconds", &PyRuntime::plan_milliseconds);
}

}  // namespace fewbits::python
