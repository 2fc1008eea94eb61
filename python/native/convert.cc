// Models of other formats.
#include "fewbits/convert.h"

#include <nanobind/stl/map.h>

#include "bindings.h"

namespace fewbits::python {
namespace {

ConvertResult convert(const std::string& path, const std::string& signature, const std::vector<std::string>& tags,
                      const std::map<std::string, Shape>& shapes, bool keep_layout, bool fuse_recurrent) {
  auto result = [&] {
    nb::gil_scoped_release release;
    return convert_file(path, {signature, tags, shapes, keep_layout, fuse_recurrent});
  }();
  return unwrap(std::move(result));
}

}  // namespace

void bind_convert(nb::module_& module) {
  nb::class_<ConvertResult>(module, "ConvertResult")
      .def_prop_ro("model", [](const ConvertResult& r) { return PyModel{r.model}; })
      .def_ro("format", &ConvertResult::format)
      .def_ro("warnings", &ConvertResult::warnings);
  module.def("convert", &convert, nb::arg("path"), nb::arg("signature"), nb::arg("tags"), nb::arg("shapes"),
             nb::arg("keep_layout"), nb::arg("fuse_recurrent"));
}

}  // namespace fewbits::python
