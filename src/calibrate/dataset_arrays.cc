// .npz and .npy as datasets: samples along the first dimension of one file, or a file each.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/file.h"
#include "calibrate/dataset_convert.h"
#include "calibrate/dataset_kinds.h"

namespace fewbits::calibrate {
namespace {

constexpr std::string_view kLabelNames[] = {"labels", "label", "y"};
constexpr std::string_view kUsualNames[] = {"images", "x", "input", "inputs", "data", "features"};
constexpr std::string_view kScale = "scale", kZeroPoint = "zero_point";

bool readable(const NpzMember& member) noexcept { return member.problem.empty(); }
bool is_label_name(std::string_view name) noexcept {
  return std::find(std::begin(kLabelNames), std::end(kLabelNames), name) != std::end(kLabelNames);
}
bool is_coding_name(std::string_view name) noexcept {
  return name == kScale || name == kZeroPoint || name.ends_with("_scale") || name.ends_with("_zero_point");
}
bool is_data(const NpzMember& member) noexcept {
  return readable(member) && !is_label_name(member.name) && !is_coding_name(member.name);
}

// The array that holds an input, by the rules of dataset.h.
class ArrayFinder {
 public:
  explicit ArrayFinder(const NpzReader& archive) : archive_(archive) {
    for (const NpzMember& member : archive.members()) {
      if (is_data(member)) data_.push_back(&member);
    }
  }

  const std::vector<const NpzMember*>& data() const noexcept { return data_; }

  Result<const NpzMember*> find(const InputSpec& input, bool only_input) const {
    for (std::string_view name : {std::string_view(input.name), std::string_view(input.signature_name)}) {
      if (const NpzMember* member = by_name(name)) return member;
    }
    if (only_input && data_.size() == 1) return data_[0];
    for (std::string_view name : kUsualNames) {
      const NpzMember* member = only_input ? archive_.find(name) : nullptr;
      if (member != nullptr) return member;
    }
    return fail(ErrorCode::kInvalidData, "{} has no array for input '{}'{}; it holds {}", archive_.path(), input.name,
                input.signature_name.empty() ? "" : fmt::format(" ('{}')", input.signature_name), names());
  }

 private:
  // The exporters' additions to a name are tried away.
  const NpzMember* by_name(std::string_view name) const noexcept {
    constexpr std::string_view kPrefix = "serving_default_", kPort = ":0";
    if (name.empty()) return nullptr;
    if (const NpzMember* member = archive_.find(name)) return member;
    if (name.ends_with(kPort)) name.remove_suffix(kPort.size());
    if (const NpzMember* member = archive_.find(name)) return member;
    return name.starts_with(kPrefix) ? archive_.find(name.substr(kPrefix.size())) : nullptr;
  }

  std::string names() const {
    std::string out;
    for (const NpzMember& member : archive_.members()) out += (out.empty() ? "" : ", ") + member.name;
    return out.empty() ? "no arrays" : out;
  }

  const NpzReader& archive_;
  std::vector<const NpzMember*> data_;
};

// The one number of a scalar or of an array with one element.
Result<double> read_number(NpzReader& archive, const std::string& name) {
  constexpr size_t kOneElement = 16;
  FB_ASSIGN(Array array, archive.read(name, kOneElement));
  const InputSpec number{name, {}, DType::kFloat64, {1}};
  FB_ASSIGN(const Converted converted, convert_array(std::move(array), number, {}));
  if (!converted.non_finite.empty())
    return fail(ErrorCode::kInvalidData, "{}: '{}' is not finite", archive.path(), name);
  return converted.array.as<double>()[0];
}

// An array's own scale and zero point, or the common one where the array is the only one of the archive.
Result<IntegerCoding> read_coding(NpzReader& archive, const NpzMember& member, bool only_array) {
  const auto name_of = [&](std::string_view what) {
    const std::string own = fmt::format("{}_{}", member.name, what);
    if (archive.find(own) != nullptr) return own;
    return only_array && archive.find(what) != nullptr ? std::string(what) : std::string();
  };
  IntegerCoding coding;
  const std::string scale = name_of(kScale), zero = name_of(kZeroPoint);
  if (scale.empty() || is_float(member.header.dtype)) return coding;
  FB_ASSIGN(const double scale_number, read_number(archive, scale));
  coding.scale = static_cast<float>(scale_number);
  if (!(coding.scale > 0) || !std::isfinite(coding.scale)) {
    return fail(ErrorCode::kInvalidData, "{}: '{}' is {}, but a scale must be above 0", archive.path(), scale,
                scale_number);
  }
  if (zero.empty()) return coding;
  FB_ASSIGN(const double zero_number, read_number(archive, zero));
  if (zero_number != std::trunc(zero_number) || std::abs(zero_number) > INT32_MAX) {
    return fail(ErrorCode::kInvalidData, "{}: '{}' is {}, but a zero point must be an integer", archive.path(), zero,
                zero_number);
  }
  coding.zero_point = static_cast<int64_t>(zero_number);
  return coding;
}

// Whole numbers of any numeric type as labels.
Result<std::vector<int32_t>> as_labels(Array array) {
  const std::string name = array.name;
  const InputSpec numbers{name, {}, DType::kFloat64, {static_cast<int32_t>(array.count())}};
  array.shape = numbers.shape;
  FB_ASSIGN(const Converted converted, convert_array(std::move(array), numbers, {}));
  if (!converted.non_finite.empty()) return fail(ErrorCode::kInvalidData, "'{}': {}", name, converted.non_finite);
  std::vector<int32_t> labels;
  for (double value : converted.array.as<double>()) {
    if (value != std::trunc(value) || std::abs(value) > INT32_MAX) {
      return fail(ErrorCode::kInvalidData, "label {} of '{}' is {}, not a class number", labels.size(), name, value);
    }
    labels.push_back(static_cast<int32_t>(value));
  }
  return labels;
}

// The member that can be labels of samples: [n] or [n, 1], or a single number in a file of one sample.
const NpzMember* find_labels(const NpzReader& archive, bool one_sample) noexcept {
  for (std::string_view name : kLabelNames) {
    const NpzMember* member = archive.find(name);
    if (member == nullptr || !readable(*member)) continue;
    const Shape& shape = member->header.shape;
    if (one_sample ? element_count(shape) == 1 : shape.size() == 1 || (shape.size() == 2 && shape[1] == 1))
      return member;
  }
  return nullptr;
}

class NpzDataset final : public Dataset {
 public:
  NpzDataset(std::shared_ptr<NpzReader> archive, const DatasetOptions& options)
      : Dataset(options), archive_(std::move(archive)), finder_(*archive_) {}

  // Finds out how many samples there are, and reads the labels.
  Status start() {
    const NpzMember* labels = find_labels(*archive_, false);
    if (labels == nullptr) {
      FB_TRY(agree_on_size());
    } else {
      size_ = labels->header.rows();
      label_array_ = labels->name;
      FB_ASSIGN(Array array, archive_->read(labels->name));
      auto numbers = as_labels(std::move(array));
      if (!numbers) return with_context(std::move(numbers).error(), archive_->path());
      labels_ = *std::move(numbers);
    }
    if (size_ == 0) return fail(ErrorCode::kInvalidData, "{} holds no samples", archive_->path());
    return {};
  }

  size_t size() const noexcept override { return size_; }
  bool labeled() const noexcept override { return !labels_.empty(); }

 private:
  // An array ready to be read.
  struct Source {
    std::unique_ptr<RowSource> rows;
    IntegerCoding coding;
  };

  // Without labels all arrays must tell the same number of samples.
  Status agree_on_size() {
    const NpzMember* first = nullptr;
    for (const NpzMember* member : finder_.data()) {
      if (member->header.shape.empty()) continue;
      if (first == nullptr) first = member;
      if (member->header.rows() != first->header.rows()) {
        return fail(ErrorCode::kInvalidData, "{}: arrays '{}' {} and '{}' {} differ in the number of samples",
                    archive_->path(), first->name, shape_text(first->header.shape), member->name,
                    shape_text(member->header.shape));
      }
    }
    size_ = first == nullptr ? 0 : first->header.rows();
    return {};
  }

  Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) override {
    sample.source = fmt::format("{}[{}]", archive_->path(), index);
    if (!labels_.empty()) sample.label = labels_[index];
    for (const InputSpec& input : inputs) {
      FB_ASSIGN(const NpzMember* member, finder_.find(input, inputs.size() == 1));
      if (member->name == label_array_) sample.label.reset();  // what is an input is no label
      FB_ASSIGN(Source * source, open(*member));
      FB_ASSIGN(Array array, source->rows->row(index));
      FB_TRY(add(sample, std::move(array), input, source->coding));
    }
    return {};
  }

  Result<Source*> open(const NpzMember& member) {
    const auto known = sources_.find(member.name);
    if (known != sources_.end()) return &known->second;
    Source source;
    FB_ASSIGN(source.rows, NpzReader::rows(archive_, member.name, options().memory_limit));
    if (source.rows->rows() != size_) {
      return fail(ErrorCode::kInvalidData, "{}: array '{}' of shape {} does not hold {} samples", archive_->path(),
                  member.name, shape_text(member.header.shape), size_);
    }
    FB_ASSIGN(source.coding, read_coding(*archive_, member, finder_.data().size() == 1));
    return &sources_.emplace(member.name, std::move(source)).first->second;
  }

  std::shared_ptr<NpzReader> archive_;
  ArrayFinder finder_;
  size_t size_ = 0;
  std::vector<int32_t> labels_;
  std::string label_array_;
  std::map<std::string, Source> sources_;
};

class NpyDataset final : public Dataset {
 public:
  NpyDataset(std::string path, std::unique_ptr<RowSource> rows, const DatasetOptions& options)
      : Dataset(options), path_(std::move(path)), rows_(std::move(rows)) {}

  size_t size() const noexcept override { return rows_->rows(); }
  bool labeled() const noexcept override { return false; }

 private:
  Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) override {
    if (inputs.size() != 1) {
      return fail(ErrorCode::kInvalidData, "{} holds one array, but the model has {} inputs; use a .npz", path_,
                  inputs.size());
    }
    sample.source = fmt::format("{}[{}]", path_, index);
    FB_ASSIGN(Array array, rows_->row(index));
    return add(sample, std::move(array), inputs[0]);
  }

  std::string path_;
  std::unique_ptr<RowSource> rows_;
};

class ArrayFileDataset final : public Dataset {
 public:
  ArrayFileDataset(FileList list, const DatasetOptions& options) : Dataset(options), list_(std::move(list)) {}

  size_t size() const noexcept override { return list_.files.size(); }
  bool labeled() const noexcept override { return !list_.labels.empty(); }
  std::vector<std::string> class_names() const override { return list_.class_names; }

 private:
  Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) override {
    sample.source = list_.path(index);
    if (labeled()) sample.label = list_.labels[index];
    return list_.kind == FileKind::kNpz ? read_archive(inputs, sample) : read_array(inputs, sample);
  }

  Status read_array(std::span<const InputSpec> inputs, Sample& sample) {
    if (inputs.size() != 1) {
      return fail(ErrorCode::kInvalidData, "{}: .npy files feed one input, but the model has {}; use .npz files",
                  list_.folder, inputs.size());
    }
    FB_ASSIGN(Array array, read_npy(sample.source));
    return add(sample, std::move(array), inputs[0]);
  }

  Status read_archive(std::span<const InputSpec> inputs, Sample& sample) {
    FB_ASSIGN(const auto archive, NpzReader::open(sample.source));
    const ArrayFinder finder(*archive);
    const NpzMember* label = find_labels(*archive, true);
    for (const InputSpec& input : inputs) {
      FB_ASSIGN(const NpzMember* member, finder.find(input, inputs.size() == 1));
      if (member == label) label = nullptr;
      FB_ASSIGN(const IntegerCoding coding, read_coding(*archive, *member, finder.data().size() == 1));
      FB_ASSIGN(Array array, archive->read(member->name));
      FB_TRY(add(sample, std::move(array), input, coding));
    }
    if (sample.label || label == nullptr) return {};
    FB_ASSIGN(Array array, archive->read(label->name));
    auto numbers = as_labels(std::move(array));
    if (!numbers) return with_context(std::move(numbers).error(), sample.source);
    sample.label = numbers->front();
    return {};
  }

  FileList list_;
};

}  // namespace

std::unique_ptr<Dataset> array_file_dataset(FileList list, const DatasetOptions& options) {
  return std::make_unique<ArrayFileDataset>(std::move(list), options);
}

DatasetResult npz_dataset(const std::string& path, const DatasetOptions& options) {
  FB_ASSIGN(auto archive, NpzReader::open(path));
  auto dataset = std::make_unique<NpzDataset>(std::move(archive), options);
  FB_TRY(dataset->start());
  return dataset;
}

DatasetResult npy_dataset(const std::string& path, const DatasetOptions& options) {
  FB_ASSIGN(auto rows, open_npy_rows(path));
  if (rows->rows() == 0) return fail(ErrorCode::kInvalidData, "{} holds no samples", path);
  return std::make_unique<NpyDataset>(path, std::move(rows), options);
}

}  // namespace fewbits::calibrate
