// fewbits run: arrays in by name, arrays out by name.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

#include "fewbits/data.h"
#include "fewbits/evaluate.h"
#include "fewbits/runtime.h"
#include "flags.h"
#include "interrupt.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits run model.tflite --input in.npz -o out.npz\n"
    "      in.npz holds one array per input, by its name in the signature or the tensor's; so does out.npz for "
    "outputs\n"
    "  fewbits run model.tflite --input picture.npy\n"
    "      one input may come from a .npy; without -o only the outputs' shapes and ranges are shown\n"
    "  fewbits run model.tflite --signature decode --input in.npz -o out.npz";

struct Flags {
  std::string model, input, output, signature;
  uint64_t seed = 0;
  ThreadFlag threads;
  bool strict_fp32 = false;
  std::string pack_cache;
};

tl::unexpected<Error> error(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

template <class From, class To>
bool narrow(Array& array, DType type) {
  std::vector<std::byte> bytes(array.count() * sizeof(To));
  const auto values = array.as<From>();
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_integral_v<To>) {
      if (values[i] < std::numeric_limits<To>::min() || values[i] > std::numeric_limits<To>::max()) return false;
    }
    const To value = static_cast<To>(values[i]);
    std::memcpy(bytes.data() + i * sizeof(To), &value, sizeof value);
  }
  array.bytes = std::move(bytes);
  array.dtype = type;
  return true;
}

// numpy makes float64 and int64 unless told otherwise: those are taken for float32 and int32.
void take_numpy_default(Array& array, const TensorSpec& spec) {
  if (array.dtype == DType::kFloat64 && spec.dtype == DType::kFloat32) narrow<double, float>(array, spec.dtype);
  if (array.dtype == DType::kInt64 && spec.dtype == DType::kInt32) narrow<int64_t, int32_t>(array, spec.dtype);
}

Result<Array> array_for(const TensorSpec& spec, const std::vector<Array>& arrays, bool only_input,
                        const std::string& path) {
  for (const std::string* name : {&spec.signature_name, &spec.name}) {
    for (const Array& array : arrays) {
      if (!name->empty() && array.name == *name) return array;
    }
  }
  if (only_input && arrays.size() == 1) return arrays[0];
  std::string names;
  for (const Array& array : arrays) names += (names.empty() ? "'" : ", '") + array.name + "'";
  return error(ErrorCode::kInvalidData, fmt::format("{}: there is no array for input '{}'; it holds {}", path,
                                                    spec.label(), names.empty() ? "none" : names));
}

Status set_inputs(Runtime& runtime, const Flags& flags) {
  std::vector<Array> arrays;
  if (!flags.input.empty()) {
    auto read = read_arrays(flags.input);
    if (!read) return tl::unexpected<Error>(read.error());
    arrays = *std::move(read);
  }
  uint64_t seed = flags.seed;
  for (const TensorSpec& spec : runtime.inputs()) {
    auto array = flags.input.empty() ? random_input(spec, seed++)
                                     : array_for(spec, arrays, runtime.inputs().size() == 1, flags.input);
    if (!array) return tl::unexpected<Error>(array.error());
    take_numpy_default(*array, spec);
    const auto shape = runtime.input_shape(spec.name);
    if (shape && *shape != array->shape) {
      if (shape->size() != array->shape.size()) {
        return error(ErrorCode::kInvalidData,
                     fmt::format("{}: the array for input '{}' has the shape {}, and the input {}", flags.input,
                                 spec.label(), shape_text(array->shape), shape_text(spec.shape)));
      }
      const Status resized = runtime.resize_input(spec.name, array->shape);
      if (!resized) return resized;
    }
    const Status set = runtime.set_input(spec.name, *array);
    if (!set) return set;
  }
  return {};
}

template <class T>
std::string range_of(const Array& array) {
  const auto values = array.as<T>();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if constexpr (std::is_floating_point_v<T>) return fmt::format("[{:.6g}, {:.6g}]", *low, *high);
  return fmt::format("[{}, {}]", static_cast<int64_t>(*low), static_cast<int64_t>(*high));
}

// "[0.01, 0.93]": the smallest and the largest number as they are stored, for a first look.
std::string range_text(const Array& array) {
  if (array.count() == 0) return "";
  switch (array.dtype) {
    case DType::kFloat32: return range_of<float>(array);
    case DType::kInt8: return range_of<int8_t>(array);
    case DType::kUInt8: return range_of<uint8_t>(array);
    case DType::kInt16: return range_of<int16_t>(array);
    case DType::kInt32: return range_of<int32_t>(array);
    case DType::kInt64: return range_of<int64_t>(array);
    default: return "";
  }
}

Status run(const Flags& flags, const CommonFlags& common) {
  const auto model = load_model(flags.model);
  if (!model) return tl::unexpected<Error>(model.error());
  const auto runtime =
      Runtime::make(*model, {flags.threads.threads, flags.signature, {}, flags.strict_fp32, flags.pack_cache});
  if (!runtime) return tl::unexpected<Error>(runtime.error());
  const Status set = set_inputs(**runtime, flags);
  if (!set) return set;
  const auto start = std::chrono::steady_clock::now();
  const Status ran = (*runtime)->run();
  if (!ran) return ran;
  const double milliseconds =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();

  std::vector<Array> outputs;
  for (const TensorSpec& spec : (*runtime)->outputs()) {
    auto array = (*runtime)->output_array(spec.label());
    if (!array) return tl::unexpected<Error>(array.error());
    outputs.push_back(*std::move(array));
  }
  if (!flags.output.empty()) {
    const WritingOutput guard;
    const Status written = write_arrays(flags.output, outputs);
    if (!written) return written;
  }
  if (common.json) {
    Json list = Json::array();
    for (const Array& array : outputs)
      list.push_back({{"name", array.name}, {"dtype", dtype_name(array.dtype)}, {"shape", array.shape}});
    print_json({{"output", flags.output}, {"outputs", list}, {"run_ms", milliseconds}});
  } else if (!common.quiet) {
    fmt::print("ran in {:.3f} ms{}\n", milliseconds, flags.input.empty() ? " on random input" : "");
    Table table({{"output"}, {"type"}, {"shape"}, {"range"}});
    for (const Array& array : outputs)
      table.add({array.name, dtype_name(array.dtype), shape_text(array.shape), range_text(array)});
    table.print();
  }
  return {};
}

}  // namespace

void add_run(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add_command(app, common, "run", "Run a model on arrays", kExamples);
  command->add_option("MODEL", flags->model, "A .tflite model")->required();
  command
      ->add_option("--input", flags->input,
                   "A .npz with one array per input, or a .npy for a single one; random numbers without it")
      ->type_name("IN.npz");
  command->add_option("-o,--output", flags->output, "Where the outputs go: a .npz, or a .npy for a single one")
      ->type_name("OUT.npz");
  command->add_option("--seed", flags->seed, "Of the random numbers (0)")->type_name("N");
  add_strict_fp32(*command, flags->strict_fp32);
  add_pack_cache(*command, flags->pack_cache);
  add_signature(*command, flags->signature);
  flags->threads.add(*command);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
