// prepare() of hash tables.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "ops/support.h"
#include "ops/variable/op.h"
#include "ops/variable/resource.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// int64 or strings, in a tensor's order.
struct Column {
  std::vector<int64_t> numbers;
  std::vector<std::string_view> strings;
  bool text = false;

  size_t size() const noexcept { return text ? strings.size() : numbers.size(); }
  bool less(size_t i, size_t j) const { return text ? strings[i] < strings[j] : numbers[i] < numbers[j]; }
};

// The elements of a tensor that holds int64 or strings; an error when a string tensor's bytes are not one.
Result<Column> read_column(const TensorView& view) {
  Column column;
  column.text = view.dtype == DType::kString;
  if (column.text) {
    auto strings = read_strings(view.data, view.bytes);
    if (!strings || strings->size() != element_count(view.shape)) {
      return fail(ErrorCode::kInvalidData, "a string tensor's bytes do not hold {} strings", element_count(view.shape));
    }
    column.strings = *std::move(strings);
  } else {
    column.numbers.resize(view.bytes / sizeof(int64_t));
    if (!column.numbers.empty()) std::memcpy(column.numbers.data(), view.data, column.numbers.size() * sizeof(int64_t));
  }
  return column;
}

// The elements `order` of a column as a tensor.
Result<OwnedTensor> pick(const Column& column, const std::vector<size_t>& order) {
  OwnedTensor tensor;
  tensor.dtype = column.text ? DType::kString : DType::kInt64;
  tensor.shape = {static_cast<int32_t>(order.size())};
  if (column.text) {
    std::vector<std::string_view> strings;
    for (size_t i : order) strings.push_back(column.strings[i]);
    auto bytes = write_strings(strings);
    if (!bytes) return fail(ErrorCode::kResource, "a table's strings take more than 2 GB");
    tensor.bytes = *std::move(bytes);
  } else {
    tensor.bytes.resize(order.size() * sizeof(int64_t));
    for (size_t i = 0; i < order.size(); ++i) {
      std::memcpy(tensor.bytes.data() + i * sizeof(int64_t), &column.numbers[order[i]], sizeof(int64_t));
    }
  }
  return tensor;
}

Status import_table(DynamicArgs& args) {
  const std::string key = resource_key(args.inputs()[0]);
  if (args.resources().tables.contains(key)) return {};
  FB_ASSIGN(const Column keys, read_column(args.inputs()[1]));
  FB_ASSIGN(const Column values, read_column(args.inputs()[2]));
  if (keys.size() != values.size()) {
    return fail(ErrorCode::kInvalidData, "table {} gets {} keys but {} values", key, keys.size(), values.size());
  }
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Of equal keys the first comes first, and stays.
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return keys.less(i, j); });
  order.erase(std::unique(order.begin(), order.end(), [&](size_t i, size_t j) { return !keys.less(i, j); }),
              order.end());
  FB_ASSIGN(OwnedTensor sorted_keys, pick(keys, order));
  FB_ASSIGN(OwnedTensor sorted_values, pick(values, order));
  args.resources().tables.emplace(key, std::pair(std::move(sorted_keys), std::move(sorted_values)));
  return {};
}

Result<const std::pair<OwnedTensor, OwnedTensor>*> find_table(DynamicArgs& args) {
  const std::string key = resource_key(args.inputs()[0]);
  const auto found = args.resources().tables.find(key);
  if (found == args.resources().tables.end()) {
    return fail(ErrorCode::kInvalidModel, "table {} is used before anything was imported into it", key);
  }
  return &found->second;
}

// Element i of a stored table; import_table wrote it, so its offsets need no checks.
template <class T>
T stored(const OwnedTensor& tensor, size_t i) {
  const std::byte* bytes = tensor.bytes.data();
  if constexpr (std::is_same_v<T, std::string_view>) {
    int32_t span[2];
    std::memcpy(span, bytes + (i + 1) * sizeof(int32_t), sizeof(span));
    return {reinterpret_cast<const char*>(bytes) + span[0], static_cast<size_t>(span[1] - span[0])};
  } else {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    return value;
  }
}

// The values of the wanted keys, or `fallback`.
template <class Key, class Value>
std::vector<Value> look_up(const std::pair<OwnedTensor, OwnedTensor>& table, const std::vector<Key>& wanted,
                           Value fallback) {
  const auto count = static_cast<size_t>(table.first.shape[0]);
  std::vector<Value> result;
  result.reserve(wanted.size());
  for (const Key& key : wanted) {
    size_t begin = 0, end = count;
    while (begin < end) {
      const size_t middle = (begin + end) / 2;
      if (stored<Key>(table.first, middle) < key) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    const bool found = begin < count && stored<Key>(table.first, begin) == key;
    result.push_back(found ? stored<Value>(table.second, begin) : fallback);
  }
  return result;
}

Status find_values(DynamicArgs& args) {
  FB_ASSIGN(const auto* table, find_table(args));
  const TensorView& wanted_view = args.inputs()[1];
  const TensorView& default_view = args.inputs()[2];
  if (table->first.dtype != wanted_view.dtype || table->second.dtype != default_view.dtype) {
    return fail(ErrorCode::kInvalidModel, "a table from {} to {} is asked for {} of {}", dtype_name(table->first.dtype),
                dtype_name(table->second.dtype), dtype_name(default_view.dtype), dtype_name(wanted_view.dtype));
  }
  FB_ASSIGN(const Column wanted, read_column(wanted_view));
  FB_ASSIGN(const Column fallback, read_column(default_view));
  if (fallback.size() != 1) return fail(ErrorCode::kInvalidModel, "the default value must be one element");
  if (wanted.text) {
    const auto found = look_up<std::string_view, int64_t>(*table, wanted.strings, fallback.numbers[0]);
    return copy_to_output(args, 0, {DType::kInt64, wanted_view.shape, found.data(), found.size() * sizeof(int64_t)});
  }
  const auto found = write_strings(look_up<int64_t, std::string_view>(*table, wanted.numbers, fallback.strings[0]));
  if (!found) return fail(ErrorCode::kResource, "the strings found take more than 2 GB");
  return copy_to_output(args, 0, {DType::kString, wanted_view.shape, found->data(), found->size()});
}

Status check_pair(const OpContext& context, const TensorInfo& key, const TensorInfo& value) {
  const bool known = (key.dtype == DType::kInt64 && value.dtype == DType::kString) ||
                     (key.dtype == DType::kString && value.dtype == DType::kInt64);
  if (key.present && value.present && known) return {};
  return context.fail(ErrorCode::kUnsupported, "tables map int64 to string or string to int64, not {} to {}",
                      dtype_name(key.dtype), dtype_name(value.dtype));
}

}  // namespace

Result<Prepared> prepare_hashtable(const OpContext& context) {
  FB_TRY(require_type(context, context.outputs[0], "the handle", {DType::kResource}));
  const auto* options = context.node->options->AsHashtableOptions();
  std::string key = std::to_string(options == nullptr ? 0 : options->table_id);
  return make_dynamic_kernel([key = std::move(key)](DynamicArgs& args) { return write_resource_key(args, {1}, key); },
                             "handle");
}

Result<Prepared> prepare_hashtable_import(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the handle", {DType::kResource}));
  FB_TRY(check_pair(context, context.inputs[1], context.inputs[2]));
  return make_dynamic_kernel(import_table, "import");
}

Result<Prepared> prepare_hashtable_find(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the handle", {DType::kResource}));
  FB_TRY(check_pair(context, context.inputs[1], context.inputs[2]));
  FB_TRY(require_type(context, context.outputs[0], "the output", {context.inputs[2].dtype}));
  return make_dynamic_kernel(find_values, "find");
}

Result<Prepared> prepare_hashtable_size(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the handle", {DType::kResource}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt64}));
  return make_dynamic_kernel(
      [](DynamicArgs& args) -> Status {
        FB_ASSIGN(const auto* table, find_table(args));
        FB_ASSIGN(void* const to, args.resize_output(0, {1}));
        *static_cast<int64_t*>(to) = table->first.shape[0];
        return {};
      },
      "size");
}

}  // namespace fewbits::ops
