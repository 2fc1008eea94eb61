// Reports.
#include "fewbits/report.h"

#include "bindings.h"

namespace fewbits::python {
namespace {

Report report_of_two(const PyModel& reference, const PyModel& other, PyDataset& data, const std::string& signature,
                     size_t samples, std::optional<uint64_t> seed, bool others, int threads, int runs, size_t worst,
                     const std::string& data_path, const nb::object& progress) {
  const Gate::Pass pass(data.gate, "dataset");
  return without_gil(progress, data.pending.get(), [&](const ProgressCallback& callback) {
    return make_report(reference.model, other.model, data.data,
                       {signature, {samples, seed, others}, threads, runs, worst, data_path, {}, callback});
  });
}

Report report_of_one(const PyModel& model, const std::string& signature, int threads, int runs) {
  ReportOptions options;
  options.signature = signature;
  options.threads = threads;
  options.runs = runs;
  return without_gil(nb::none(), nullptr, [&](const ProgressCallback& callback) {
    options.progress = callback;  // for Ctrl-C
    return make_report(model.model, options);
  });
}

}  // namespace

void bind_report(nb::module_& module) {
  nb::class_<Report>(module, "Report")
      .def("html", &Report::html, "The page: one file that loads nothing.")
      .def("json", &Report::json, "The same data; docs/report.schema.json describes it.")
      .def(
          "save", [](const Report& r, const std::string& path) { unwrap(r.save(path)); }, nb::arg("path"))
      .def_prop_ro("verdict", [](const Report& r) { return r.verdict(); });
  module.def("report_of_two", &report_of_two, nb::arg("reference"), nb::arg("other"), nb::arg("data"),
             nb::arg("signature"), nb::arg("samples"), nb::arg("seed").none(), nb::arg("others"), nb::arg("threads"),
             nb::arg("runs"), nb::arg("worst"), nb::arg("data_path"), nb::arg("progress").none());
  module.def("report_of_one", &report_of_one, nb::arg("model"), nb::arg("signature"), nb::arg("threads"),
             nb::arg("runs"));
}

}  // namespace fewbits::python
