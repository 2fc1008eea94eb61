// ONNX's own node tests: each is converted, run by our runtime, and compared with the outputs that come with it.
//
//   onnx_node_tests FOLDER [--case NAME] [--write PAGE | --check PAGE] [--save FOLDER]
//
// FOLDER is data/node of Debian's libonnx-testdata. PAGE is docs/onnx-coverage.md: --write makes it, --check fails where it no
// longer says what is so. --save keeps the .tflite files.
//
// The tests give every operand as an input, shapes and axes too, which exporters write as constants. Where a model cannot be
// converted as it is, it is tried with its integer operands as constants; the page says which way a case passed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "fewbits/model.h"
#include "fewbits/runtime.h"
#include "formats/onnx/format.h"
#include "formats/onnx/tensors.h"
#include "passes/pipeline.h"

namespace fewbits {
namespace {

namespace fs = std::filesystem;
namespace proto = onnx_proto;

std::string file_bytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A tensor as double numbers, with its ONNX type.
struct Numbers {
  int32_t type = 0;
  Shape shape;
  std::vector<double> values;
};

template <class T>
std::vector<double> widen(std::span<const uint8_t> bytes) {
  std::vector<double> out(bytes.size() / sizeof(T));
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
  return out;
}

std::optional<std::vector<double>> to_doubles(DType type, std::span<const uint8_t> bytes) {
  switch (type) {
    case DType::kFloat32: return widen<float>(bytes);
    case DType::kFloat64: return widen<double>(bytes);
    case DType::kInt64: return widen<int64_t>(bytes);
    case DType::kInt32: return widen<int32_t>(bytes);
    case DType::kUInt32: return widen<uint32_t>(bytes);
    case DType::kInt16: return widen<int16_t>(bytes);
    case DType::kUInt16: return widen<uint16_t>(bytes);
    case DType::kInt8: return widen<int8_t>(bytes);
    case DType::kUInt8:
    case DType::kBool: return widen<uint8_t>(bytes);
    case DType::kFloat16: return widen<_Float16>(bytes);
    default: return std::nullopt;
  }
}

template <class T>
std::vector<std::byte> narrow(const std::vector<double>& values) {
  std::vector<std::byte> out(values.size() * sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    const T value = static_cast<T>(values[i]);
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
  }
  return out;
}

std::vector<std::byte> from_doubles(DType type, const std::vector<double>& values) {
  switch (type) {
    case DType::kFloat64: return narrow<double>(values);
    case DType::kInt64: return narrow<int64_t>(values);
    case DType::kInt32: return narrow<int32_t>(values);
    case DType::kUInt32: return narrow<uint32_t>(values);
    case DType::kInt16: return narrow<int16_t>(values);
    case DType::kUInt16: return narrow<uint16_t>(values);
    case DType::kInt8: return narrow<int8_t>(values);
    case DType::kUInt8:
    case DType::kBool: return narrow<uint8_t>(values);
    case DType::kFloat16: return narrow<_Float16>(values);
    default: return narrow<float>(values);
  }
}

struct DataSet {
  std::vector<proto::Tensor> inputs, outputs;
};

std::optional<DataSet> read_data(const fs::path& folder) {
  DataSet set;
  for (auto* list : {&set.inputs, &set.outputs}) {
    for (int i = 0;; ++i) {
      const fs::path path = folder / fmt::format("{}_{}.pb", list == &set.inputs ? "input" : "output", i);
      if (!fs::exists(path)) break;
      proto::Tensor tensor;
      if (!tensor.ParseFromString(file_bytes(path)) || tensor.data_type() == 0) return std::nullopt;
      list->push_back(std::move(tensor));
    }
  }
  return set;
}

Result<Numbers> numbers_of(proto::Tensor tensor) {
  Numbers out;
  out.type = tensor.data_type();
  auto constant = onnx::read_tensor(tensor, "");
  if (!constant) return tl::unexpected<Error>(constant.error());
  out.shape = constant->shape;
  const auto values = to_doubles(constant->dtype, constant->data.bytes());
  if (!values) return tl::unexpected<Error>(Error{ErrorCode::kUnsupported, "values of a type that is not compared"});
  out.values = *values;
  return out;
}

// "" when equal within float rounding; `loose` is set where only ONNX's own tolerance (1e-3 of a number) lets it pass.
std::string difference(const Numbers& want, const Array& got, bool& loose) {
  if (got.shape != want.shape)
    return fmt::format("shape {} instead of {}", shape_text(got.shape), shape_text(want.shape));
  const auto* first = reinterpret_cast<const uint8_t*>(got.bytes.data());
  const auto values = to_doubles(got.dtype, {first, got.bytes.size()});
  if (!values || values->size() != want.values.size()) return "values of another type";
  double low = 0, high = 0;
  for (double v : want.values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const bool halves = want.type == onnx::kFloat16;
  const double allowed = (high - low) * (halves ? 1e-3 : 1e-5);
  for (size_t i = 0; i < want.values.size(); ++i) {
    const double a = want.values[i], b = (*values)[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (std::abs(a - b) <= allowed) continue;
    loose = true;
    if (!(std::abs(a - b) <= 1e-7 + 1e-3 * std::abs(a))) return fmt::format("element {} is {} instead of {}", i, b, a);
  }
  return "";
}

struct Outcome {
  bool converted = false, passed = false, loose = false;
  std::string reason;
};

std::string first_line(std::string text) {
  if (const size_t end = text.find('\n'); end != std::string::npos) {
    std::string second = text.substr(end + 1);
    second = second.substr(0, second.find('\n'));
    while (!second.empty() && second[0] == ' ') second.erase(0, 1);
    text = text.substr(0, end) + second;
  }
  return text;
}

Outcome run(const proto::Model& source, const std::vector<DataSet>& sets, const std::vector<std::string>& names,
            const std::string& save) {
  Outcome out;
  const std::string text = source.SerializeAsString();
  auto imported = onnx::read_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "", "model", {});
  if (!imported) return {false, false, false, imported.error().message};
  const auto passes = passes::run_pipeline(imported->model, {.keep_layout = true});
  if (!passes) return {false, false, false, passes.error().message};
  const auto model = std::make_shared<const Model>(std::move(imported->model));
  out.converted = true;
  const auto bytes = model_bytes(*model);  // what is written must be valid, too
  if (!bytes) return {true, false, false, bytes.error().message};
  if (!save.empty()) {
    std::ofstream(save, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
  }
  const auto loaded = load_model_bytes(*bytes);
  if (!loaded) return {true, false, false, loaded.error().message};
  auto runtime = Runtime::make(*loaded);
  if (!runtime) return {true, false, false, runtime.error().message};
  for (const DataSet& set : sets) {
    for (size_t i = 0; i < set.inputs.size(); ++i) {
      const auto wanted = std::find_if((*runtime)->inputs().begin(), (*runtime)->inputs().end(),
                                       [&](const TensorSpec& spec) { return spec.label() == names[i]; });
      if (wanted == (*runtime)->inputs().end()) continue;  // a constant now
      const auto numbers = numbers_of(set.inputs[i]);
      if (!numbers) return {true, false, false, numbers.error().message};
      const Array array{names[i], wanted->dtype, numbers->shape, from_doubles(wanted->dtype, numbers->values)};
      Status status = (*runtime)->resize_input(names[i], numbers->shape);
      if (status) status = (*runtime)->set_input(names[i], array);
      if (!status) return {true, false, false, status.error().message};
    }
    const Status ran = (*runtime)->run();
    if (!ran) return {true, false, false, ran.error().message};
    for (size_t i = 0; i < set.outputs.size(); ++i) {
      const std::string name = source.graph().output(static_cast<int>(i)).name();
      const auto got = (*runtime)->output_array(name);
      if (!got) return {true, false, false, got.error().message};
      const auto want = numbers_of(set.outputs[i]);
      if (!want) return {true, false, false, want.error().message};
      const std::string wrong = difference(*want, *got, out.loose);
      if (!wrong.empty()) return {true, false, false, fmt::format("output '{}': {}", name, wrong)};
    }
  }
  out.passed = true;
  return out;
}

// Integer operands become constants; the first input stays one.
bool freeze(proto::Model& model, const DataSet& set, std::vector<std::string>& names) {
  proto::Graph& graph = *model.mutable_graph();
  bool any = false;
  for (int i = graph.input_size() - 1; i >= 0; --i) {
    const proto::ValueInfo& info = graph.input(i);
    const int32_t type = info.type().tensor_type().elem_type();
    const bool whole = type == onnx::kInt64 || type == onnx::kInt32 || type == onnx::kBool || type == onnx::kInt8 ||
                       type == onnx::kUInt8;
    const bool scales = info.name() == "scales" || info.name() == "roi" || type != onnx::kFloat ||
                        (model.graph().node(0).op_type() == "Pad" && i == 2);
    if ((!whole && !scales) || i == 0 || static_cast<size_t>(i) >= set.inputs.size()) continue;
    proto::Tensor& tensor = *graph.add_initializer();
    tensor = set.inputs[static_cast<size_t>(i)];
    tensor.set_name(info.name());
    any = true;
  }
  (void)names;
  return any;
}

enum class State { kPassed, kPassedConstant, kPassedLoose, kRefused, kWrong };
struct Case {
  std::string name, op, reason;
  State state = State::kWrong;
};

Case run_case(const fs::path& folder, const std::string& save) {
  Case result;
  result.name = folder.filename().string();
  proto::Model model;
  if (!model.ParseFromString(file_bytes(folder / "model.onnx"))) {
    result.reason = "the model does not parse";
    return result;
  }
  result.op = model.graph().node_size() > 0 ? model.graph().node(0).op_type() : "";
  std::vector<DataSet> sets;
  for (int i = 0; fs::exists(folder / fmt::format("test_data_set_{}", i)); ++i) {
    auto set = read_data(folder / fmt::format("test_data_set_{}", i));
    if (!set) {
      result.state = State::kRefused;
      result.reason = "its data are sequences or optionals: TFLite has tensors only";
      return result;
    }
    sets.push_back(*std::move(set));
  }
  std::vector<std::string> names;
  for (const proto::ValueInfo& info : model.graph().input()) names.push_back(info.name());
  Outcome outcome = run(model, sets, names, save);
  result.state = outcome.passed      ? (outcome.loose ? State::kPassedLoose : State::kPassed)
                 : outcome.converted ? State::kWrong
                                     : State::kRefused;
  result.reason = outcome.reason;
  if (!outcome.passed && !sets.empty() && freeze(model, sets[0], names)) {
    sets.resize(1);
    const Outcome second = run(model, sets, names, save);
    if (second.passed) result.state = second.loose ? State::kPassedLoose : State::kPassedConstant;
    if (!second.passed) {
      result.reason = second.reason;
      result.state = second.converted ? State::kWrong : State::kRefused;
    }
  }
  return result;
}

std::string page(const std::vector<Case>& cases) {
  std::map<State, size_t> counts;
  for (const Case& c : cases) ++counts[c.state];
  std::ostringstream out;
  out << "# ONNX coverage\n\n"
         "Generated by `onnx_node_tests --write` from ONNX's node tests (Debian's libonnx-testdata); a test keeps it "
         "true.\n"
         "Numbers are compared within 1e-5 of an output's range (1e-3 for float16), integers exactly.\n\n";
  out << fmt::format(
      "| | cases |\n|---|---|\n| pass | {} |\n| pass with integer operands as constants, as exporters write them | {} "
      "|\n"
      "| pass with ONNX's own tolerance only, 1e-3 of each number | {} |\n"
      "| refused, with a reason | {} |\n| converted, with another result | {} |\n| all | {} |\n\n",
      counts[State::kPassed], counts[State::kPassedConstant], counts[State::kPassedLoose], counts[State::kRefused],
      counts[State::kWrong], cases.size());
  const auto section = [&](State state, const char* title) {
    out << "## " << title << "\n\n| case | why |\n|---|---|\n";
    for (const Case& c : cases) {
      if (c.state != state) continue;
      std::string reason = first_line(c.reason);
      if (reason.rfind("model: ", 0) == 0) reason = reason.substr(7);
      for (size_t at = 0; (at = reason.find('|', at)) != std::string::npos; at += 2) reason.replace(at, 1, "\\|");
      out << "| " << c.name.substr(5) << " | " << reason << " |\n";
    }
    out << "\n";
  };
  section(State::kWrong, "Converted, with another result");
  section(State::kRefused, "Refused");
  const auto names = [&](State state, const char* title) {
    std::string line;
    for (const Case& c : cases) {
      if (c.state == state) line += (line.empty() ? "" : ", ") + c.name.substr(5);
    }
    out << "## " << title << "\n\n" << line << "\n\n";
  };
  names(State::kPassedLoose, "Pass with ONNX's own tolerance only");
  names(State::kPassedConstant, "Pass with integer operands as constants");
  return out.str();
}

int main_(int argc, char** argv) {
  std::string only, write, check, save;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    (flag == "--case" ? only : flag == "--write" ? write : flag == "--check" ? check : save) = argv[i + 1];
  }
  if (argc < 2 || !fs::is_directory(argv[1])) {
    fmt::print(stderr, "there is no folder of node tests: apt-get install libonnx-testdata\n");
    return 1;
  }
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(argv[1])) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  std::vector<Case> cases;
  for (const fs::path& folder : folders) {
    if (!only.empty() && folder.filename().string().find(only) == std::string::npos) continue;
    cases.push_back(
        run_case(folder, save.empty() ? "" : (fs::path(save) / (folder.filename().string() + ".tflite")).string()));
    if (!only.empty())
      fmt::print("{} {} {}\n", static_cast<int>(cases.back().state), cases.back().name, cases.back().reason);
  }
  const std::string text = page(cases);
  if (!write.empty()) std::ofstream(write) << text;
  if (!check.empty() && file_bytes(check) != text) {
    std::ofstream("onnx-coverage.md") << text;
    fmt::print(stderr, "{} does not say what is so: compare it with ./onnx-coverage.md, made now\n", check);
    return 1;
  }
  fmt::print("{}", text.substr(0, text.find("## ")));
  return 0;
}

}  // namespace
}  // namespace fewbits

int main(int argc, char** argv) { return fewbits::main_(argc, argv); }
