// Opening DATA, what all kinds share, and the choice of samples.
#include "calibrate/dataset.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <unordered_map>

#include "calibrate/dataset_convert.h"
#include "calibrate/dataset_files.h"
#include "calibrate/dataset_kinds.h"

namespace fewbits::calibrate {
namespace {

namespace fs = std::filesystem;

// SplitMix64 (Steele, Lea, Flood 2014): a few lines that give the same numbers everywhere, which <random> does not
// promise.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) noexcept : state_(seed) {}

  uint64_t next() noexcept {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound): numbers below 2^64 mod bound are drawn again.
  uint64_t below(uint64_t bound) noexcept {
    const uint64_t rejected = (0 - bound) % bound;
    uint64_t number = next();
    while (number < rejected) number = next();
    return number % bound;
  }

 private:
  uint64_t state_;
};

DatasetResult open_folder(const std::string& path, const DatasetOptions& options) {
  FB_ASSIGN(FileList list, list_files(path));
  const bool arrays = list.kind == FileKind::kNpz || list.kind == FileKind::kNpy;
  return arrays ? array_file_dataset(std::move(list), options) : file_dataset(std::move(list), options);
}

DatasetResult open_file(const std::string& path, const DatasetOptions& options) {
  const auto kind = file_kind(path);
  if (!kind) {
    return fail(ErrorCode::kUnsupported,
                "{} is no kind of data that is known: a folder, .npz, .npy, .jpg, .png, .wav, .bin or .raw", path);
  }
  if (*kind == FileKind::kNpz) return npz_dataset(path, options);
  if (*kind == FileKind::kNpy) return npy_dataset(path, options);
  const fs::path file(path);
  FileList list{*kind, file.has_parent_path() ? file.parent_path().native() : ".", {file.filename().native()}};
  if (const auto label = label_prefix(list.files[0])) list.labels = {*label};
  return file_dataset(std::move(list), options);
}

}  // namespace

Result<Sample> Dataset::sample(size_t index, std::span<const InputSpec> inputs) {
  FB_ASSIGN(const bool there, has(index));
  if (!there) return fail(ErrorCode::kInvalidArgument, "there is no sample {} in the data", index);
  if (inputs.empty()) return fail(ErrorCode::kInvalidArgument, "the model has no inputs");
  Sample sample;
  FB_TRY(read(index, inputs, sample));
  if (!sample.skipped.empty()) sample.inputs.clear();
  return sample;
}

Status Dataset::add(Sample& sample, Array array, const InputSpec& input, const IntegerCoding& coding) {
  auto converted = convert_array(std::move(array), input, options_.preprocess, coding);
  if (!converted) return with_context(std::move(converted).error(), sample.source);
  if (!converted->non_finite.empty()) {
    const std::string what = fmt::format("{}: input '{}': {}", sample.source, input.name, converted->non_finite);
    if (options_.non_finite == NonFinite::kError) return fail(ErrorCode::kInvalidData, "{}", what);
    if (sample.skipped.empty()) sample.skipped = what;
  }
  sample.inputs.push_back(std::move(converted->array));
  return {};
}

Result<std::unique_ptr<Dataset>> open_dataset(const std::string& path, const DatasetOptions& options) {
  FB_TRY(check_options(options.preprocess));
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return fail(ErrorCode::kNotFound, "there is no data at {}", path);
  if (error) return fail(ErrorCode::kIo, "cannot open {}: {}", path, error.message());
  return status.type() == fs::file_type::directory ? open_folder(path, options) : open_file(path, options);
}

std::vector<size_t> select_samples(size_t size, size_t count, std::optional<uint64_t> seed) {
  const bool all = count == 0 || count >= size;
  std::vector<size_t> chosen(all ? size : count);
  std::iota(chosen.begin(), chosen.end(), size_t{0});
  if (all || !seed) return chosen;
  // The shuffle swaps place i with one at or after it; only places that differ from their own number are remembered.
  std::unordered_map<size_t, size_t> moved;
  SplitMix64 random(*seed);
  for (size_t i = 0; i < count; ++i) {
    const size_t j = i + random.below(size - i);
    const auto at = [&](size_t place) {
      const auto found = moved.find(place);
      return found == moved.end() ? place : found->second;
    };
    chosen[i] = at(j);
    moved[j] = at(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

SampleWalk SampleWalk::of_stream(size_t most) {
  SampleWalk walk({});
  walk.streamed_ = true;
  walk.most_ = most;
  return walk;
}

Result<std::optional<size_t>> SampleWalk::next(Dataset& data) {
  if (!streamed_) return done_ < samples_.size() ? std::optional(samples_[done_++]) : std::nullopt;
  if (most_ > 0 && done_ == most_) return std::nullopt;
  FB_ASSIGN(const bool more, data.has(done_));
  return more ? std::optional(done_++) : std::nullopt;
}

std::string SampleWalk::progress_text() const {
  return streamed_ ? fmt::format("{} samples", done_) : fmt::format("{} of {} samples", done_, samples_.size());
}

}  // namespace fewbits::calibrate
