// Running models by the names of their inputs and outputs.
#include "fewbits/runtime.h"

#include <string_view>

#include "bindings.h"

namespace fewbits::python {
namespace {

class PyRuntime {
 public:
  PyRuntime(const PyModel& model, int threads, const std::string& signature, bool strict_fp32) {
    auto made = [&] {
      nb::gil_scoped_release release;
      return Runtime::make(model.model, {threads, signature, {}, strict_fp32});
    }();
    runtime_ = unwrap(std::move(made));
  }

  std::vector<TensorSpec> inputs() const { return runtime_->inputs(); }
  std::vector<TensorSpec> outputs() const { return runtime_->outputs(); }

  void resize_input(const std::string& name, const Shape& shape) {
    const Gate::Pass pass(gate_, "Runtime");
    unwrap(runtime_->resize_input(name, shape));
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
      unwrap(runtime_->resize_input(name, shape));
    }
    unwrap(runtime_->set_input(name, std::span(static_cast<const std::byte*>(array.data()), array.nbytes())));
  }

  void run() {
    const Gate::Pass pass(gate_, "Runtime");
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

  void reset_state() {
    const Gate::Pass pass(gate_, "Runtime");
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

  std::unique_ptr<Runtime> runtime_;
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
      .def_ro("declined", &KernelChoice::declined);
  nb::class_<PyRuntime>(module, "Runtime")
      .def(nb::init<const PyModel&, int, const std::string&, bool>(), nb::arg("model"), nb::arg("threads"),
           nb::arg("signature"), nb::arg("strict_fp32"))
      .def_prop_ro("inputs", &PyRuntime::inputs)
      .def_prop_ro("outputs", &PyRuntime::outputs)
      .def("resize_input", &PyRuntime::resize_input, nb::arg("name"), nb::arg("shape"))
      .def("input_shape", &PyRuntime::input_shape, nb::arg("name"))
      .def("set_input", &PyRuntime::set_input, nb::arg("name"), nb::arg("array"),
           nb::sig("def set_input(self, name: str, array: numpy.typing.NDArray[typing.Any]) -> None"))
      .def("run", &PyRuntime::run)
      .def("output", &PyRuntime::output, nb::arg("name"),
           nb::sig("def output(self, name: str) -> numpy.typing.NDArray[typing.Any]"))
      .def("reset_state", &PyRuntime::reset_state)
      .def("set_profiling", &PyRuntime::set_profiling, nb::arg("on"))
      .def("profile", &PyRuntime::profile)
      .def("kernels", &PyRuntime::kernels)
      .def_prop_ro("memory_bytes", &PyRuntime::memory_bytes)
      .def_prop_ro("plan_milliseconds", &PyRuntime::plan_milliseconds);
}

}  // namespace fewbits::python
