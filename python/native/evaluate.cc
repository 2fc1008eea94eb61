// Comparison of two models, accuracy on labels, time.
#include "fewbits/evaluate.h"

#include <nanobind/stl/pair.h>

#include "bindings.h"

namespace fewbits::python {
namespace {

Comparison compare(const PyModel& reference, const PyModel& other, PyDataset& data, const std::string& signature,
                   size_t samples, std::optional<uint64_t> seed, bool others, int threads, bool layers,
                   const nb::object& progress) {
  const Gate::Pass pass(data.gate, "dataset");
  return without_gil(progress, data.pending.get(), [&](const ProgressCallback& callback) {
    return compare_models(reference.model, other.model, data.data,
                          {signature, {samples, seed, others}, threads, layers, callback});
  });
}

Accuracy evaluate(const PyModel& model, PyDataset& data, const std::string& signature, size_t samples,
                  std::optional<uint64_t> seed, bool others, int threads, std::optional<int32_t> label_offset,
                  const nb::object& progress) {
  const Gate::Pass pass(data.gate, "dataset");
  return without_gil(progress, data.pending.get(), [&](const ProgressCallback& callback) {
    return evaluate_accuracy(model.model, data.data,
                             {signature, {samples, seed, others}, threads, label_offset, callback});
  });
}

Benchmark benchmark(const PyModel& model, const std::string& signature, int threads, int warmup, int runs, bool profile,
                    uint64_t seed, const std::vector<std::pair<std::string, Shape>>& shapes, bool strict_fp32) {
  return without_gil(nb::none(), nullptr, [&](const ProgressCallback& callback) {
    return benchmark_model(model.model,
                           {signature, threads, warmup, runs, profile, seed, shapes, callback, strict_fp32});
  });
}

template <class T>
nb::object shown(const char* function, const T& self) {
  return nb::module_::import_("fewbits._display").attr(function)(nb::cast(self, nb::rv_policy::reference));
}

void bind_results(nb::module_& module) {
  nb::class_<TensorError>(module, "TensorError", "The difference of two tensors over all samples.")
      .def_ro("elements", &TensorError::elements)
      .def_ro("nonfinite", &TensorError::nonfinite)
      .def_ro("sqnr_db", &TensorError::sqnr_db, "Signal over error in decibels; infinity when there is no error.")
      .def_ro("mean_sqnr_db", &TensorError::mean_sqnr_db)
      .def_ro("cosine", &TensorError::cosine)
      .def_ro("max_abs", &TensorError::max_abs)
      .def_ro("mean_abs", &TensorError::mean_abs)
      .def_ro("reference_max_abs", &TensorError::reference_max_abs)
      .def(
          "__repr__", [](const TensorError& e) { return shown("error_text", e); },
          nb::sig("def __repr__(self) -> str"));
  nb::class_<OutputComparison>(module, "OutputComparison")
      .def_ro("name", &OutputComparison::name)
      .def_ro("other_name", &OutputComparison::other_name)
      .def_ro("error", &OutputComparison::error)
      .def_ro("agreement", &OutputComparison::agreement, "How often the largest element is at the same place.")
      .def_ro("rows", &OutputComparison::rows,
              "How many rows that is: one a sample for a classifier, one a box for a detector.")
      .def(
          "__repr__", [](const OutputComparison& o) { return shown("output_text", o); },
          nb::sig("def __repr__(self) -> str"));
  nb::class_<LayerComparison>(module, "LayerComparison")
      .def_ro("name", &LayerComparison::name)
      .def_ro("other_name", &LayerComparison::other_name)
      .def_ro("type", &LayerComparison::type)
      .def_ro("dtype", &LayerComparison::dtype)
      .def_ro("error", &LayerComparison::error)
      .def(
          "__repr__", [](const LayerComparison& l) { return shown("layer_text", l); },
          nb::sig("def __repr__(self) -> str"));
  nb::class_<Comparison>(module, "Comparison", "How far one model's answers are from another's.")
      .def_ro("samples", &Comparison::samples)
      .def_ro("skipped", &Comparison::skipped)
      .def_ro("outputs", &Comparison::outputs)
      .def_ro("layers", &Comparison::layers)
      .def_ro("unmatched_layers", &Comparison::unmatched_layers)
      .def(
          "__repr__", [](const Comparison& c) { return shown("comparison_text", c); },
          nb::sig("def __repr__(self) -> str"))
      .def(
          "_repr_html_", [](const Comparison& c) { return shown("comparison_html", c); },
          nb::sig("def _repr_html_(self) -> str"));
  nb::class_<Accuracy>(module, "Accuracy", "How often the true class is on top.")
      .def_ro("samples", &Accuracy::samples)
      .def_ro("skipped", &Accuracy::skipped)
      .def_ro("top1_hits", &Accuracy::top1_hits)
      .def_ro("top5_hits", &Accuracy::top5_hits)
      .def_ro("top1", &Accuracy::top1)
      .def_ro("top5", &Accuracy::top5)
      .def_ro("classes", &Accuracy::classes)
      .def_ro("label_offset", &Accuracy::label_offset)
      .def_ro("output", &Accuracy::output)
      .def(
          "__repr__", [](const Accuracy& a) { return shown("accuracy_text", a); }, nb::sig("def __repr__(self) -> str"))
      .def(
          "_repr_html_", [](const Accuracy& a) { return shown("accuracy_html", a); },
          nb::sig("def _repr_html_(self) -> str"));
  nb::class_<Benchmark>(module, "Benchmark", "How long a model takes, in milliseconds.")
      .def_ro("runs", &Benchmark::runs)
      .def_ro("median_ms", &Benchmark::median_ms)
      .def_ro("min_ms", &Benchmark::min_ms)
      .def_ro("p90_ms", &Benchmark::p90_ms)
      .def_ro("mean_ms", &Benchmark::mean_ms)
      .def_ro("plan_ms", &Benchmark::plan_ms)
      .def_ro("peak_bytes", &Benchmark::peak_bytes)
      .def_ro("operators", &Benchmark::operators)
      .def(
          "__repr__", [](const Benchmark& b) { return shown("benchmark_text", b); },
          nb::sig("def __repr__(self) -> str"))
      .def(
          "_repr_html_", [](const Benchmark& b) { return shown("benchmark_html", b); },
          nb::sig("def _repr_html_(self) -> str"));
}

}  // namespace

void bind_evaluate(nb::module_& module) {
  nb::class_<OperatorTime>(module, "OperatorTime")
      .def_ro("index", &OperatorTime::index)
      .def_ro("type", &OperatorTime::type)
      .def_ro("name", &OperatorTime::name)
      .def_ro("kernel", &OperatorTime::kernel)
      .def_ro("nanoseconds", &OperatorTime::nanoseconds)
      .def("__repr__", [](const OperatorTime& t) {
        return "<" + t.type + " on " + t.kernel + ": " + std::to_string(static_cast<double>(t.nanoseconds) / 1e6) +
               " ms>";
      });
  bind_results(module);
  module.def("compare", &compare, nb::arg("reference"), nb::arg("other"), nb::arg("data"), nb::arg("signature"),
             nb::arg("samples"), nb::arg("seed").none(), nb::arg("others"), nb::arg("threads"), nb::arg("layers"),
             nb::arg("progress").none());
  module.def("evaluate", &evaluate, nb::arg("model"), nb::arg("data"), nb::arg("signature"), nb::arg("samples"),
             nb::arg("seed").none(), nb::arg("others"), nb::arg("threads"), nb::arg("label_offset").none(),
             nb::arg("progress").none());
  module.def("benchmark", &benchmark, nb::arg("model"), nb::arg("signature"), nb::arg("threads"), nb::arg("warmup"),
             nb::arg("runs"), nb::arg("profile"), nb::arg("seed"), nb::arg("shapes"), nb::arg("strict_fp32"));
}

}  // namespace fewbits::python
