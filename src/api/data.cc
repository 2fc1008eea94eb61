// Public datasets and array files, in front of calibrate/.
#include "fewbits/data.h"

#include <algorithm>

#include "api/impl.h"
#include "api/runtime/guard.h"
#include "calibrate/npy_zip.h"

namespace fewbits {
namespace {

// Samples of a program's own.
class ProgramDataset : public calibrate::Dataset {
 public:
  using calibrate::Dataset::Dataset;
  bool labeled() const noexcept override { return false; }

 protected:
  virtual Result<DataItem> item(size_t index) = 0;

  Status read(size_t index, std::span<const calibrate::InputSpec> inputs, calibrate::Sample& sample) override {
    sample.source = fmt::format("sample {}", index);
    auto item = this->item(index);
    if (!item) return with_context(std::move(item).error(), sample.source);
    sample.label = item->label;
    const bool by_place =
        item->arrays.size() == inputs.size() &&
        std::all_of(item->arrays.begin(), item->arrays.end(), [](const Array& array) { return array.name.empty(); });
    for (const calibrate::InputSpec& input : inputs) {
      const auto found =
          by_place ? item->arrays.begin() + (&input - inputs.data())
                   : std::find_if(item->arrays.begin(), item->arrays.end(), [&](const Array& array) {
                       return !array.name.empty() && (array.name == input.name || array.name == input.signature_name);
                     });
      if (found == item->arrays.end()) {
        return fail(ErrorCode::kInvalidData, "{}: there is no array for input '{}'", sample.source, input.name);
      }
      if (byte_size(found->dtype, found->shape) != found->bytes.size()) {
        return fail(ErrorCode::kInvalidData, "{}: array '{}' of shape {} and type {} has {} bytes", sample.source,
                    found->name, shape_text(found->shape), dtype_name(found->dtype), found->bytes.size());
      }
      FB_TRY(add(sample, *found, input));
    }
    return {};
  }
};

class CallbackDataset final : public ProgramDataset {
 public:
  using Read = std::function<Result<DataItem>(size_t)>;
  CallbackDataset(size_t count, Read read, const DatasetOptions& options)
      : ProgramDataset(options), count_(count), read_(std::move(read)) {}

  size_t size() const noexcept override { return count_; }

 protected:
  Result<DataItem> item(size_t index) override { return read_(index); }

 private:
  size_t count_;
  Read read_;
};

// Keeps one sample: two models may ask for the same one.
class StreamDataset final : public ProgramDataset {
 public:
  using Next = std::function<Result<std::optional<DataItem>>()>;
  StreamDataset(Next next, const DatasetOptions& options) : ProgramDataset(options), next_(std::move(next)) {}

  size_t size() const noexcept override { return fewbits::Dataset::kUnknownSize; }

  Result<bool> has(size_t index) override {
    while (!ended_ && read_ <= index) {
      auto next = next_();
      if (!next) return with_context(std::move(next).error(), fmt::format("sample {}", read_));
      ended_ = !next->has_value();
      if (ended_) break;
      current_ = **std::move(next);
      ++read_;
    }
    if (index + 1 < read_) {
      return fail(ErrorCode::kInvalidArgument,
                  "a stream is read once, and this one is past sample {}: give data that can be read again", index);
    }
    return index < read_;
  }

 protected:
  Result<DataItem> item(size_t) override { return current_; }  // after has(): it is the one

 private:
  Next next_;
  size_t read_ = 0;
  bool ended_ = false;
  DataItem current_;
};

bool is_npy(const std::string& path) { return path.ends_with(".npy"); }

}  // namespace

Dataset::Dataset(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Dataset::Dataset(Dataset&&) noexcept = default;
Dataset& Dataset::operator=(Dataset&&) noexcept = default;
Dataset::~Dataset() = default;

Result<Dataset> Dataset::open(const std::string& path, const DatasetOptions& options) {
  return api::guarded([&]() -> Result<Dataset> {
    FB_ASSIGN(auto data, calibrate::open_dataset(path, options));
    return Dataset(std::make_unique<Impl>(Impl{options, std::move(data)}));
  });
}

Result<Dataset> Dataset::from_callback(size_t count, std::function<Result<DataItem>(size_t)> read,
                                       const DatasetOptions& options) {
  return api::guarded([&]() -> Result<Dataset> {
    if (count == 0) return fail(ErrorCode::kInvalidArgument, "a dataset has at least one sample");
    FB_TRY(calibrate::check_options(options.preprocess));
    auto data = std::make_unique<CallbackDataset>(count, std::move(read), options);
    return Dataset(std::make_unique<Impl>(Impl{options, std::move(data)}));
  });
}

Result<Dataset> Dataset::from_stream(std::function<Result<std::optional<DataItem>>()> next,
                                     const DatasetOptions& options) {
  return api::guarded([&]() -> Result<Dataset> {
    FB_TRY(calibrate::check_options(options.preprocess));
    auto data = std::make_unique<StreamDataset>(std::move(next), options);
    return Dataset(std::make_unique<Impl>(Impl{options, std::move(data)}));
  });
}

size_t Dataset::size() const noexcept { return impl_->data->size(); }
bool Dataset::labeled() const noexcept { return impl_->data->labeled(); }
const PreprocessOptions& Dataset::preprocess() const noexcept { return impl_->options.preprocess; }

Result<std::vector<Array>> read_arrays(const std::string& path) {
  return api::guarded([&]() -> Result<std::vector<Array>> {
    std::vector<Array> arrays;
    if (is_npy(path)) {
      FB_ASSIGN(Array array, calibrate::read_npy(path));
      arrays.push_back(std::move(array));
      return arrays;
    }
    FB_ASSIGN(const auto reader, calibrate::NpzReader::open(path));
    for (const calibrate::NpzMember& member : reader->members()) {
      FB_ASSIGN(Array array, reader->read(member.name));
      array.name = member.name;
      arrays.push_back(std::move(array));
    }
    return arrays;
  });
}

Status write_arrays(const std::string& path, std::span<const Array> arrays) {
  return api::guarded([&]() -> Status {
    if (!is_npy(path)) return calibrate::write_npz(path, arrays);
    if (arrays.size() != 1) {
      return fail(ErrorCode::kInvalidArgument, "{}: a .npy file holds one array, not {}: write a .npz", path,
                  arrays.size());
    }
    return calibrate::write_npy(path, arrays[0]);
  });
}

namespace api {

Result<calibrate::SampleWalk> chosen_samples(const Dataset& data, const SampleChoice& choice) {
  const size_t size = data.size();
  if (size == Dataset::kUnknownSize) {
    if (!choice.seed && !choice.others) return calibrate::SampleWalk::of_stream(choice.count);
    return fail(ErrorCode::kInvalidArgument,
                "samples cannot be drawn from a stream, whose number is not known: give data with a length");
  }
  std::vector<size_t> chosen = calibrate::select_samples(size, choice.count, choice.seed);
  if (!choice.others) return calibrate::SampleWalk(std::move(chosen));
  std::vector<size_t> others;
  for (size_t i = 0, next = 0; i < size; ++i) {
    if (next < chosen.size() && chosen[next] == i) {
      ++next;
    } else {
      others.push_back(i);
    }
  }
  if (others.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "no samples are left: there are {}, and all of them are chosen for something else", size);
  }
  return calibrate::SampleWalk(std::move(others));
}

Result<SampleCounts> for_each_sample(Dataset& data, const SampleChoice& choice, const ProgressCallback& progress,
                                     const std::function<Result<bool>(size_t)>& body) {
  FB_ASSIGN(calibrate::SampleWalk walk, chosen_samples(data, choice));
  SampleCounts counts;
  while (true) {
    FB_ASSIGN(const std::optional<size_t> index, walk.next(*data.impl().data));
    if (!index) break;
    FB_ASSIGN(const bool used, body(*index));
    ++(used ? counts.seen : counts.skipped);
    if (progress && !progress(walk.done(), walk.total())) {
      return fail(ErrorCode::kInvalidArgument, "stopped after {}", walk.progress_text());
    }
  }
  if (walk.done() == 0) return fail(ErrorCode::kInvalidData, "the data gave no sample");
  if (counts.seen == 0) return fail(ErrorCode::kInvalidData, "all {} samples hold NaN or infinity", counts.skipped);
  return counts;
}

}  // namespace api
}  // namespace fewbits
