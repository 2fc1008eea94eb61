// Models: loading, saving, what is in them.
#include <nanobind/stl/pair.h>

#include "bindings.h"

namespace fewbits::python {
namespace {

nb::bytes to_bytes(const PyModel& self) {
  auto result = [&] {
    nb::gil_scoped_release release;
    return model_bytes(*self.model);
  }();
  const std::vector<uint8_t> bytes = unwrap(std::move(result));
  return nb::bytes(bytes.data(), bytes.size());
}

PyModel load(const std::string& path) {
  auto result = [&] {
    nb::gil_scoped_release release;
    return load_model(path);
  }();
  return {unwrap(std::move(result))};
}

PyModel from_bytes(const nb::bytes& content, const std::string& name) {
  auto result = [&] {
    const std::span bytes(reinterpret_cast<const uint8_t*>(content.c_str()), content.size());
    nb::gil_scoped_release release;
    return load_model_bytes(bytes, name);
  }();
  return {unwrap(std::move(result))};
}

void save(const PyModel& self, const std::string& path) {
  auto result = [&] {
    nb::gil_scoped_release release;
    return save_model(*self.model, path);
  }();
  unwrap(std::move(result));
}

std::string specs_text(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& s : specs) {
    text += (text.empty() ? "" : ", ") + s.label() + " " + dtype_name(s.dtype) + " " + shape_text(s.shape);
  }
  return text.empty() ? "nothing" : text;
}

void bind_descriptions(nb::module_& module) {
  nb::class_<TensorSpec>(module, "TensorSpec", "One way into a model or out of it.")
      .def_ro("name", &TensorSpec::name)
      .def_ro("signature_name", &TensorSpec::signature_name)
      .def_prop_ro(
          "label", [](const TensorSpec& s) { return s.label(); }, "The name that users call it by.")
      .def_prop_ro("dtype", [](const TensorSpec& s) { return dtype_name(s.dtype); })
      .def_ro("shape", &TensorSpec::shape, "With the batch dimension; -1 where dynamic.")
      .def_ro("scale", &TensorSpec::scale)
      .def_ro("zero_point", &TensorSpec::zero_point)
      .def("__repr__", [](const TensorSpec& s) {
        return "<" + s.label() + ": " + dtype_name(s.dtype) + " " + shape_text(s.shape) + ">";
      });
  nb::class_<SignatureDescription>(module, "Signature")
      .def_ro("key", &SignatureDescription::key)
      .def_ro("subgraph", &SignatureDescription::subgraph)
      .def_ro("inputs", &SignatureDescription::inputs)
      .def_ro("outputs", &SignatureDescription::outputs)
      .def("__repr__", [](const SignatureDescription& s) {
        return "<signature '" + s.key + "': " + specs_text(s.inputs) + " -> " + specs_text(s.outputs) + ">";
      });
  nb::class_<TensorDescription>(module, "Tensor")
      .def_ro("name", &TensorDescription::name)
      .def_prop_ro("dtype", [](const TensorDescription& t) { return dtype_name(t.dtype); })
      .def_ro("shape", &TensorDescription::shape, "-1 where dynamic.")
      .def_ro("file_shape", &TensorDescription::file_shape)
      .def_ro("constant", &TensorDescription::constant)
      .def_ro("variable", &TensorDescription::variable)
      .def_ro("sparse", &TensorDescription::sparse)
      .def_ro("bytes", &TensorDescription::bytes)
      .def_ro("scale", &TensorDescription::scale)
      .def_ro("zero_point", &TensorDescription::zero_point)
      .def_ro("axis", &TensorDescription::axis)
      .def("__repr__", [](const TensorDescription& t) {
        return std::string("<") +
               (t.constant   ? "constant "
                : t.variable ? "variable "
                             : "") +
               t.name + ": " + dtype_name(t.dtype) + " " + shape_text(t.shape) + ">";
      });
  nb::class_<OperatorDescription>(module, "Operator")
      .def_ro("index", &OperatorDescription::index)
      .def_ro("type", &OperatorDescription::type)
      .def_ro("version", &OperatorDescription::version)
      .def_ro("inputs", &OperatorDescription::inputs)
      .def_ro("outputs", &OperatorDescription::outputs)
      .def_ro("constant_bytes", &OperatorDescription::constant_bytes)
      .def("__repr__", [](const OperatorDescription& o) {
        return "<#" + std::to_string(o.index) + " " + o.type + " " + shape_text(o.inputs) + " -> " +
               shape_text(o.outputs) + ">";
      });
  nb::class_<SubgraphDescription>(module, "Subgraph")
      .def_ro("name", &SubgraphDescription::name)
      .def_ro("inputs", &SubgraphDescription::inputs)
      .def_ro("outputs", &SubgraphDescription::outputs)
      .def_ro("tensors", &SubgraphDescription::tensors)
      .def_ro("operators", &SubgraphDescription::operators)
      .def("__repr__", [](const SubgraphDescription& g) {
        return "<subgraph '" + g.name + "': " + std::to_string(g.operators.size()) + " operators, " +
               std::to_string(g.tensors.size()) + " tensors>";
      });
  nb::class_<ModelDescription>(module, "ModelDescription")
      .def_ro("path", &ModelDescription::path)
      .def_ro("description", &ModelDescription::description)
      .def_ro("subgraphs", &ModelDescription::subgraphs)
      .def_ro("signatures", &ModelDescription::signatures)
      .def_ro("constant_bytes", &ModelDescription::constant_bytes)
      .def("__repr__", [](const ModelDescription& m) {
        return "<what is in " + (m.path.empty() ? "a model in memory" : m.path) + ": " +
               std::to_string(m.subgraphs.size()) + " subgraphs, " + std::to_string(m.signatures.size()) +
               " signatures, " + std::to_string(m.constant_bytes) + " bytes of constants>";
      });
}

}  // namespace

void bind_model(nb::module_& module) {
  bind_descriptions(module);
  nb::class_<PyModel>(module, "Model", "A model, immutable: any thread may use it.")
      .def_static("load", &load, nb::arg("path"), "Reads a .tflite file.")
      .def_static("from_bytes", &from_bytes, nb::arg("content"), nb::arg("name") = "model")
      .def("to_bytes", &to_bytes, "The .tflite file as bytes.")
      .def("save", &save, nb::arg("path"), "Writes a .tflite file, all of it or nothing.")
      .def(
          "describe", [](const PyModel& m) { return describe_model(*m.model); }, "All that is in it, as plain data.")
      .def(
          "signature",
          [](const PyModel& m, const std::string& key) { return unwrap(describe_signature(*m.model, key)); },
          nb::arg("key") = "", "The ways in and out of a signature, of the first one without a key.")
      .def(
          "constant",
          [](const PyModel& m, int32_t subgraph, int32_t tensor) {
            const Array array = unwrap(constant_array(*m.model, subgraph, tensor));
            return copy_out(array.dtype, array.shape, array.bytes);
          },
          nb::arg("subgraph"), nb::arg("tensor"),
          nb::sig("def constant(self, subgraph: int, tensor: int) -> numpy.typing.NDArray[typing.Any]"),
          "A constant's stored values.")
      .def(
          "__repr__",
          [](const PyModel& m) { return nb::module_::import_("fewbits._display").attr("model_text")(nb::cast(m)); },
          nb::sig("def __repr__(self) -> str"))
      .def(
          "_repr_html_",
          [](const PyModel& m) { return nb::module_::import_("fewbits._display").attr("model_html")(nb::cast(m)); },
          nb::sig("def _repr_html_(self) -> str"));
}

}  // namespace fewbits::python
