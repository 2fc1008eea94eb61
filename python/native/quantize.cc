// Calibration and quantization.
#include "bindings.h"

namespace fewbits::python {
namespace {

SampleChoice choice(size_t samples, std::optional<uint64_t> seed, bool others = false) {
  return {samples, seed, others};
}

Calibration calibrate(const PyModel& model, PyDataset& data, const std::string& signature, size_t samples,
                      std::optional<uint64_t> seed, int threads, bool ignore_nonfinite, const nb::object& progress) {
  const Gate::Pass pass(data.gate, "dataset");
  return without_gil(progress, data.pending.get(), [&](const ProgressCallback& callback) {
    return calibrate_model(model.model, data.data,
                           {signature, choice(samples, seed), threads, ignore_nonfinite, callback});
  });
}

DType type_of(const std::optional<std::string>& name) {
  if (!name) return DType::kVariant;
  if (const auto type = dtype_from_name(*name)) return *type;
  raise({ErrorCode::kInvalidArgument, "there is no type '" + *name + "'"});
}

QuantizeOptions options_of(const std::string& mode, const std::optional<std::string>& input_type,
                           const std::optional<std::string>& output_type, bool per_channel, size_t min_elements,
                           const std::string& range, const std::string& rounding, bool bias_correction,
                           const std::vector<std::string>& include, const std::vector<std::string>& exclude,
                           const std::string& weight_type, size_t block_size, bool cut_ranges) {
  QuantizeOptions options;
  options.mode = unwrap(mode_from_name(mode));
  options.input_type = type_of(input_type);
  options.output_type = type_of(output_type);
  options.per_channel = per_channel;
  options.min_elements = min_elements;
  if (range != "minmax" && range != "average") {
    raise({ErrorCode::kInvalidArgument, "range is 'minmax' or 'average', not '" + range + "'"});
  }
  options.range = range == "average" ? RangeRule::kMovingAverage : RangeRule::kMinMax;
  if (rounding != "mean" && rounding != "nearest") {
    raise({ErrorCode::kInvalidArgument, "rounding is 'mean' or 'nearest', not '" + rounding + "'"});
  }
  options.rounding = rounding == "nearest" ? WeightRounding::kNearest : WeightRounding::kKeepMeans;
  options.correct_bias = bias_correction;
  options.include = include;
  options.exclude = exclude;
  options.weight_type = type_of(weight_type);
  options.block_size = block_size;
  options.cut_ranges = cut_ranges;
  return options;
}

// With the operators that stand in the way of int8-only as data, from the mode that leaves them in float.
[[noreturn]] void raise_with_offenders(const Error& error, const PyModel& model, QuantizeOptions options,
                                       const Calibration* calibration) {
  std::vector<Decision> offenders;
  options.mode = QuantizeMode::kInt8;
  if (auto lenient = quantize_model(*model.model, options, calibration)) {
    for (Decision& decision : lenient->decisions) {
      if (decision.treatment != Treatment::kInteger) offenders.push_back(std::move(decision));
    }
  }
  const nb::object type = nb::module_::import_("fewbits.errors").attr("UnsupportedError");
  const nb::object exception = type(error.message, nb::cast(offenders));
  PyErr_SetObject(type.ptr(), exception.ptr());
  throw nb::python_error();
}

QuantizeResult quantize(const PyModel& model, const std::string& mode, const Calibration* calibration,
                        const std::optional<std::string>& input_type, const std::optional<std::string>& output_type,
                        bool per_channel, size_t min_elements, const std::string& range, const std::string& rounding,
                        bool bias_correction, const std::vector<std::string>& include,
                        const std::vector<std::string>& exclude, const std::string& weight_type, size_t block_size,
                        bool cut_ranges) {
  const QuantizeOptions options = options_of(mode, input_type, output_type, per_channel, min_elements, range, rounding,
                                             bias_correction, include, exclude, weight_type, block_size, cut_ranges);
  auto result = [&] {
    nb::gil_scoped_release release;
    return quantize_model(*model.model, options, calibration);
  }();
  if (!result && result.error().code == ErrorCode::kUnsupported && options.mode == QuantizeMode::kInt8Only) {
    raise_with_offenders(result.error(), model, options, calibration);
  }
  return unwrap(std::move(result));
}

void bind_calibration(nb::module_& module) {
  nb::class_<TensorRange>(module, "TensorRange")
      .def_ro("name", &TensorRange::name)
      .def_ro("samples", &TensorRange::samples)
      .def_ro("min", &TensorRange::min)
      .def_ro("max", &TensorRange::max)
      .def_ro("average_min", &TensorRange::average_min)
      .def_ro("average_max", &TensorRange::average_max)
      .def("__repr__", [](const TensorRange& r) {
        return "<" + r.name + ": " + std::to_string(r.min) + " to " + std::to_string(r.max) + ">";
      });
  nb::class_<Calibration>(module, "Calibration", "What a model's tensors range over on data.")
      .def_static(
          "load", [](const std::string& path) { return unwrap(Calibration::load(path)); }, nb::arg("path"))
      .def(
          "save", [](const Calibration& c, const std::string& path) { unwrap(c.save(path)); }, nb::arg("path"))
      .def(
          "merge", [](Calibration& c, const Calibration& later) { unwrap(c.merge(later)); }, nb::arg("later"),
          "Continues with what was measured on later samples of the same model.")
      .def_prop_ro("samples", &Calibration::samples)
      .def_prop_ro("preprocess", &Calibration::preprocess, nb::rv_policy::copy)
      .def("ranges", &Calibration::ranges)
      .def("__repr__",
           [](const Calibration& c) {
             return "<fewbits.Calibration: ranges of " + std::to_string(c.ranges().size()) + " tensors over " +
                    std::to_string(c.samples()) + " samples>";
           })
      .def(
          "_repr_html_",
          [](const Calibration& c) {
            return nb::module_::import_("fewbits._display")
                .attr("calibration_html")(nb::cast(c, nb::rv_policy::reference));
          },
          nb::sig("def _repr_html_(self) -> str"));
}

}  // namespace

void bind_quantize(nb::module_& module) {
  bind_calibration(module);
  nb::class_<Decision>(module, "Decision", "What became of an operator, and why not better.")
      .def_ro("subgraph", &Decision::graph)
      .def_ro("operator", &Decision::node)
      .def_ro("type", &Decision::type)
      .def_ro("output", &Decision::output)
      .def_prop_ro("treatment", [](const Decision& d) { return treatment_name(d.treatment); })
      .def_ro("reason", &Decision::reason)
      .def_ro("help", &Decision::help)
      .def("__repr__", [](const Decision& d) {
        return "<" + d.type + " '" + d.output + "': " + treatment_name(d.treatment) +
               (d.reason.empty() ? "" : ", " + d.reason) + ">";
      });
  nb::class_<QuantizeResult>(module, "QuantizeResult")
      .def_prop_ro("model", [](const QuantizeResult& r) { return PyModel{r.model}; })
      .def_ro("decisions", &QuantizeResult::decisions)
      .def_ro("warnings", &QuantizeResult::warnings);
  module.def("calibrate", &calibrate, nb::arg("model"), nb::arg("data"), nb::arg("signature"), nb::arg("samples"),
             nb::arg("seed").none(), nb::arg("threads"), nb::arg("ignore_nonfinite"), nb::arg("progress").none());
  module.def("quantize", &quantize, nb::arg("model"), nb::arg("mode"), nb::arg("calibration").none(),
             nb::arg("input_type").none(), nb::arg("output_type").none(), nb::arg("per_channel"),
             nb::arg("min_elements"), nb::arg("range"), nb::arg("rounding"), nb::arg("bias_correction"),
             nb::arg("include"), nb::arg("exclude"), nb::arg("weight_type"), nb::arg("block_size"),
             nb::arg("cut_ranges"));
}

}  // namespace fewbits::python
