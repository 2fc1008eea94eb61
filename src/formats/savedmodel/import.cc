// From a signature's outputs back to its inputs: one .tflite model.
#include "formats/savedmodel/import.h"

#include <filesystem>

#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {
namespace {

constexpr size_t kMostProblems = 50;  // that a message lists

bool recognizes(const formats::Source& source) {
  if (!source.is_folder) return source.path.ends_with(".pb");
  return std::filesystem::exists(source.path + "/saved_model.pb");
}

// The shape of an input: the user's, else the file's.
Result<Shape> shape_of_input(const Endpoint& end, const Attrs& attrs, const formats::ImportOptions& options,
                             const std::string& path) {
  for (const std::string& name : {end.key, end.tensor, end.tensor.substr(0, end.tensor.find(':'))}) {
    if (const auto given = options.shapes.find(name); given != options.shapes.end()) return given->second;
  }
  const std::string what = fmt::format("{}: input '{}'", path, end.key);
  if (end.shape != nullptr && !end.shape->unknown_rank()) return shape_of(*end.shape, what);
  if (const tf::AttrValue* shape = attrs.find("shape"); shape != nullptr && !shape->shape().unknown_rank())
    return shape_of(shape->shape(), what);
  return fail(ErrorCode::kInvalidArgument, "{}: its rank is unknown; give it with --shape {}=...", what, end.key);
}

Status report(const Conversion& conversion) {
  const auto& problems = conversion.problems;
  if (problems.empty()) return {};
  std::string list;
  size_t count = 0;
  for (const std::string& problem : problems) {
    if (count++ == kMostProblems) break;
    list += "\n  " + problem;
  }
  if (problems.size() > kMostProblems) list += fmt::format("\n  and {} more", problems.size() - kMostProblems);
  return fail(ErrorCode::kUnsupported, "{}: {} of its operators cannot be said in .tflite:{}", conversion.source.path,
              problems.size(), list);
}

Result<formats::Imported> convert(const SourceGraph& source, const formats::ImportOptions& options) {
  formats::Imported out;
  out.model.path = source.path;
  out.model.graphs.emplace_back();
  out.model.graphs[0].name = "main";
  Conversion conversion(source, out.model);
  Lowering lowering(conversion, 0);
  GraphBuilder& b = lowering.builder();
  const Body body(source.graph, source.ops);
  Signature signature;
  signature.key = source.signature.empty() ? "serving_default" : source.signature;
  for (const Endpoint& end : source.inputs) {
    auto ref = body.resolve(end.tensor);
    if (!ref) return with_context(std::move(ref.error()), source.path);
    if (ref->kind != InputRef::Kind::kNode)
      return fail(ErrorCode::kInvalidModel, "{}: the input '{}' is no tensor", source.path, end.key);
    const auto node = body.node(ref->node).parse();
    if (!node) return with_context(Error(node.error()), source.path);
    const Attrs attrs((*node)->attr());
    FB_ASSIGN(const DType dtype, dtype_of(end.dtype != tf::DT_INVALID ? end.dtype : attrs.type("dtype", tf::DT_FLOAT),
                                          fmt::format("{}: input '{}'", source.path, end.key)));
    FB_ASSIGN(const Shape shape, shape_of_input(end, attrs, options, source.path));
    const ValueId id = b.input(end.tensor, dtype, shape, formats::usual_symbols(shape));
    lowering.set_placeholder(std::string(body.node(ref->node).name), id);
    signature.inputs.push_back({end.key, id});
  }
  std::vector<std::string> wanted;
  for (const Endpoint& end : source.outputs) wanted.push_back(end.tensor);
  auto results = lowering.evaluate(body, {}, wanted, "");
  if (!results) return with_context(std::move(results.error()), source.path);
  FB_TRY(report(conversion));
  for (size_t i = 0; i < results->size(); ++i) {
    if ((*results)[i].kind != Tensor::Kind::kValue) {
      return fail(ErrorCode::kUnsupported, "{}: the output '{}' is no tensor that .tflite can hold", source.path,
                  source.outputs[i].key);
    }
    signature.outputs.push_back({source.outputs[i].key, b.output((*results)[i].value, source.outputs[i].tensor)});
  }
  FB_TRY(b.finish());
  out.model.signatures.push_back(std::move(signature));
  return out;
}

Result<formats::Imported> read(const std::string& path, const formats::ImportOptions& options) {
  FB_ASSIGN(const SourceGraph source, open_source(path, {options.tags, options.signature}));
  auto imported = convert(source, options);
  if (source.bundle) source.bundle->forget_pages();
  return imported;
}

}  // namespace

const formats::Format& format() noexcept {
  static const formats::Format kFormat = {"savedmodel", "TensorFlow SavedModel (a folder) and frozen GraphDef (.pb)",
                                          false, recognizes, read};
  return kFormat;
}

Result<formats::Imported> import_bytes(std::span<const uint8_t> bytes, const formats::ImportOptions& options) {
  FB_ASSIGN(const SourceGraph source, parse_source(bytes, "model", {options.tags, options.signature}));
  return convert(source, options);
}

}  // namespace fewbits::savedmodel
