// Runs the generated single-operator cases (generate.py) in our runtime and compares with the answers of LiteRT.
//
//   conformance_runner DIR [--family F]... [--case SUBSTRING] [--threads N] [--fast] [--quiet] [--kernels OUT.json]
//
// DIR holds manifest.json. Prints each failure and a line an operator; exits 1 when any case fails or none ran. OUT.json gets,
// for each operator and kind of case, the kernels that ran and the versions that the writer gives: tools/operators.py uses it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/half.h"
#include "conformance/stored_arrays.h"
#include "formats/tflite/reader.h"
#include "formats/tflite/writer.h"
#include "runtime/session.h"

namespace fewbits {
namespace {

using nlohmann::json;

struct Arguments {
  std::string dir, case_filter, kernels_path;
  std::set<std::string> families;
  int threads = 1;
  bool quiet = false, fast = false;
};

// What was seen of an operator in cases of one kind.
struct Seen {
  std::set<std::string> kernels;
  std::set<int32_t> versions;
};
using SeenByCase = std::map<std::pair<std::string, std::string>, Seen>;  // operator, dtype

Status note(const runtime::Session& session, const std::string& op, Seen& seen) {
  const runtime::Plan& plan = session.plan();
  for (size_t i = 0; i < plan.steps().size(); ++i) {
    const Node& node = plan.graph().node(plan.steps()[i].node);
    if (node.type_name() == op && !session.choice(i).empty()) seen.kernels.insert(session.choice(i));
  }
  FB_ASSIGN(const auto written, tflite_format::write_bytes(plan.model()));
  const auto owner = std::make_shared<const std::vector<uint8_t>>(written);
  FB_ASSIGN(const Model read, tflite_format::read_bytes(*owner, owner, "written"));
  for (const Graph& graph : read.graphs) {
    for (size_t i = 0; i < graph.node_count(); ++i) {
      const Node& node = graph.node(static_cast<NodeId>(i));
      if (node.type_name() == op) seen.versions.insert(node.version);
    }
  }
  return {};
}

double element(DType type, const void* data, size_t i) {
  switch (type) {
    case DType::kFloat32: return static_cast<const float*>(data)[i];
    case DType::kFloat64: return static_cast<const double*>(data)[i];
    case DType::kFloat16: return half_to_float(static_cast<const uint16_t*>(data)[i]);
    case DType::kInt8: return static_cast<const int8_t*>(data)[i];
    case DType::kInt4:
      return static_cast<int8_t>(static_cast<const uint8_t*>(data)[i / 2] << (i % 2 == 0 ? 4 : 0)) >> 4;
    case DType::kUInt8: return static_cast<const uint8_t*>(data)[i];
    case DType::kInt16: return static_cast<const int16_t*>(data)[i];
    case DType::kUInt16: return static_cast<const uint16_t*>(data)[i];
    case DType::kInt32: return static_cast<const int32_t*>(data)[i];
    case DType::kUInt32: return static_cast<const uint32_t*>(data)[i];
    case DType::kInt64: return static_cast<double>(static_cast<const int64_t*>(data)[i]);
    case DType::kUInt64: return static_cast<double>(static_cast<const uint64_t*>(data)[i]);
    case DType::kBool: return static_cast<const uint8_t*>(data)[i] != 0;
    default: return 0;
  }
}

Status compare(const TensorView& ours, const Array& expected, const json& tolerance) {
  if (ours.shape != expected.shape) {
    return fail(ErrorCode::kInternal, "shape {} instead of {}", shape_text(ours.shape), shape_text(expected.shape));
  }
  const bool complex = ours.dtype == DType::kComplex64;
  const bool packed = ours.dtype == DType::kInt4 && expected.dtype == DType::kInt8;  // LiteRT hands int4 out unpacked
  if (ours.dtype != expected.dtype && !complex && !packed) {
    return fail(ErrorCode::kInternal, "type {} instead of {}", dtype_name(ours.dtype), dtype_name(expected.dtype));
  }
  const DType type = complex ? DType::kFloat32 : ours.dtype;
  const DType expected_type = packed ? DType::kInt8 : type;
  const size_t count = element_count(ours.shape) * (complex ? 2 : 1);
  double lo = 0, hi = 0;
  for (size_t i = 0; i < count; ++i) {
    const double value = element(expected_type, expected.bytes.data(), i);
    if (std::isfinite(value)) lo = std::min(lo, value), hi = std::max(hi, value);
  }
  const double allowed = tolerance.at("kind") == "float"
                             ? tolerance.at("rel_range").get<double>() * std::max(hi - lo, 1e-30)
                             : tolerance.at("max_diff").get<double>();
  size_t different = 0;
  for (size_t i = 0; i < count; ++i) {
    const double a = element(type, ours.data, i), b = element(expected_type, expected.bytes.data(), i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ++different;
    if (!(std::abs(a - b) <= allowed)) {
      return fail(ErrorCode::kInternal, "element {} of {} is {} instead of {} (allowed {})", i, count, a, b, allowed);
    }
  }
  const double share = tolerance.value("share", 1.0);
  if (static_cast<double>(different) > share * static_cast<double>(count)) {
    return fail(ErrorCode::kInternal, "{} elements of {} differ (allowed {} of them)", different, count, share);
  }
  return {};
}

Status feed(runtime::Session& session, size_t i, const Array& array) {
  const TensorView target = session.input_view(i);
  if (target.dtype == DType::kInt4 && array.bytes.size() == element_count(target.shape)) {  // one a byte in the file
    auto* packed = static_cast<uint8_t*>(session.input(i));
    std::memset(packed, 0, target.bytes);
    for (size_t k = 0; k < array.bytes.size(); ++k) {
      packed[k / 2] |= static_cast<uint8_t>((std::to_integer<unsigned>(array.bytes[k]) & 15u) << (k % 2 * 4));
    }
    return {};
  }
  if (target.bytes != array.bytes.size()) {
    return fail(ErrorCode::kInternal, "input {} takes {} bytes, the case has {}", i, target.bytes, array.bytes.size());
  }
  if (target.bytes > 0) std::memcpy(session.input(i), array.bytes.data(), target.bytes);
  return {};
}

Status run_case(const std::string& base, const json& entry, const Arguments& arguments, Seen* seen) {
  FB_ASSIGN(Model read, tflite_format::read_file(base + ".tflite"));
  const auto model = std::make_shared<const Model>(std::move(read));
  FB_ASSIGN(const auto arrays, StoredArrays::open(base + ".npz"));
  runtime::PlanOptions options;
  options.fast_float = arguments.fast;
  if (entry.contains("resize")) {
    for (const auto& [index, shape] : entry["resize"].items())
      options.input_shapes[std::stoul(index)] = shape.get<Shape>();
  }
  FB_ASSIGN(const auto plan, runtime::Plan::make(model, options));
  FB_ASSIGN(const auto session, runtime::Session::make(plan, {arguments.threads}));
  const int runs = entry.value("runs", 1);
  for (int run = 0; run < runs; ++run) {
    const std::string suffix = run == 0 ? "" : fmt::format("_run{}", run);
    for (size_t i = 0; i < plan->graph().inputs.size(); ++i) {
      FB_ASSIGN(const auto array, arrays.read(fmt::format("in{}{}", i, suffix)));
      FB_TRY(feed(*session, i, array));
    }
    FB_TRY(session->run());
    for (size_t i = 0; i < plan->graph().outputs.size(); ++i) {
      FB_ASSIGN(const auto array, arrays.read(fmt::format("out{}{}", i, suffix)));
      const Status same = compare(session->output(i), array, entry.at("tolerance"));
      if (!same) return with_context(same.error(), fmt::format("output {}{}", i, suffix));
    }
  }
  return seen == nullptr ? Status{} : note(*session, entry.at("op"), *seen);
}

bool write_kernels(const SeenByCase& seen, const std::string& path) {
  json list = json::array();
  for (const auto& [key, what] : seen) {
    list.push_back({{"op", key.first}, {"dtype", key.second}, {"kernels", what.kernels}, {"versions", what.versions}});
  }
  std::ofstream file(path);
  return static_cast<bool>(file << list.dump(1) << "\n" << std::flush);
}

int run_all(const Arguments& arguments) {
  std::ifstream file(arguments.dir + "/manifest.json");
  const json manifest = json::parse(file, nullptr, false);
  if (!manifest.is_array()) return std::fprintf(stderr, "%s/manifest.json cannot be read\n", arguments.dir.c_str()), 2;
  std::map<std::string, std::pair<int, int>> by_op;  // passed, failed
  SeenByCase seen;
  int passed = 0, failed = 0;
  for (const json& entry : manifest) {
    const std::string family = entry.at("family"), name = entry.at("name");
    if (!arguments.families.empty() && arguments.families.count(family) == 0) continue;
    if (name.find(arguments.case_filter) == std::string::npos) continue;
    const std::string op = entry.at("op"), dtype = entry.at("dtype");
    Seen* const to_note = arguments.kernels_path.empty() ? nullptr : &seen[{op, dtype}];
    const Status status = run_case(arguments.dir + "/" + family + "/" + name, entry, arguments, to_note);
    auto& counts = by_op[op + " " + dtype];
    ++(status ? counts.first : counts.second);
    ++(status ? passed : failed);
    if (!status && (!arguments.quiet || counts.second <= 2)) {
      std::printf("FAILED %s/%s: %s\n", family.c_str(), name.c_str(), status.error().message.c_str());
    }
  }
  for (const auto& [op, counts] : by_op) {
    if (!arguments.quiet || counts.second > 0)
      std::printf("%-48s %5d passed %5d failed\n", op.c_str(), counts.first, counts.second);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  if (!arguments.kernels_path.empty() && !write_kernels(seen, arguments.kernels_path)) {
    return std::fprintf(stderr, "%s cannot be written\n", arguments.kernels_path.c_str()), 2;
  }
  return failed > 0 || passed == 0;
}

}  // namespace
}  // namespace fewbits

int main(int argc, char** argv) {
  fewbits::Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--family" && i + 1 < argc) {
      arguments.families.insert(argv[++i]);
    } else if (argument == "--case" && i + 1 < argc) {
      arguments.case_filter = argv[++i];
    } else if (argument == "--threads" && i + 1 < argc) {
      arguments.threads = std::stoi(argv[++i]);
    } else if (argument == "--kernels" && i + 1 < argc) {
      arguments.kernels_path = argv[++i];
    } else if (argument == "--fast") {
      arguments.fast = true;
    } else if (argument == "--quiet") {
      arguments.quiet = true;
    } else {
      arguments.dir = argument;
    }
  }
  if (arguments.dir.empty()) {
    std::fprintf(stderr,
                 "usage: conformance_runner DIR [--family F]... [--case SUBSTRING] [--threads N] [--fast] [--quiet] "
                 "[--kernels OUT]\n");
    return 2;
  }
  return fewbits::run_all(arguments);
}
