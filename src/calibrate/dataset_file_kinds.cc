// Folders of pictures, sounds and raw files.
#include <algorithm>
#include <memory>

#include "base/file.h"
#include "calibrate/audio.h"
#include "calibrate/dataset_kinds.h"
#include "calibrate/image.h"

namespace fewbits::calibrate {
namespace {

// What folders of files have in common.
class FileDataset : public Dataset {
 public:
  FileDataset(FileList list, const DatasetOptions& options) : Dataset(options), list_(std::move(list)) {}

  size_t size() const noexcept override { return list_.files.size(); }
  bool labeled() const noexcept override { return !list_.labels.empty(); }
  std::vector<std::string> class_names() const override { return list_.class_names; }

 protected:
  const FileList& list() const noexcept { return list_; }

  void describe(size_t index, Sample& sample) const {
    sample.source = list_.path(index);
    if (labeled()) sample.label = list_.labels[index];
  }
  Status want_one_input(std::span<const InputSpec> inputs) const {
    if (inputs.size() == 1) return {};
    return fail(ErrorCode::kInvalidData,
                "{}: {} feed one input, but the model has {}; use a .npz with one array per input", list_.folder,
                kind_name(list_.kind), inputs.size());
  }

 private:
  FileList list_;
};

class PictureDataset final : public FileDataset {
 public:
  using FileDataset::FileDataset;

 private:
  Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) override {
    FB_TRY(want_one_input(inputs));
    describe(index, sample);
    sample.picture = sample.source;
    FB_ASSIGN(const Size size, size_of(inputs[0]));
    FB_ASSIGN(Image decoded, read_image(sample.source));
    auto image = fit_image(std::move(decoded), options().preprocess, size.height, size.width, size.channels);
    if (!image) return with_context(std::move(image).error(), sample.source);
    Array array{{}, DType::kUInt8, {image->height, image->width, image->channels}, {}};
    if (planar()) array.shape = {image->channels, image->height, image->width};
    const auto bytes = std::as_bytes(std::span(image->pixels));
    array.bytes.assign(bytes.begin(), bytes.end());
    return add(sample, std::move(array), inputs[0]);
  }

  struct Size {
    int height, width, channels;
  };

  bool planar() const noexcept { return options().preprocess.layout == ChannelLayout::kNchw; }

  // What a picture must become, with or without the batch dimension.
  Result<Size> size_of(const InputSpec& input) const {
    const Shape& shape = input.shape;
    const auto refuse = [&](const char* why) {
      return fail(ErrorCode::kInvalidData,
                  "{}: input '{}' of shape {} does not take pictures as {} of 1 or 3 channels: {}", list().folder,
                  input.name, shape_text(shape), enum_name(options().preprocess.layout), why);
    };
    if (shape.size() != 3 && shape.size() != 4) return refuse("it has not three sizes, or four with the batch");
    if (shape.size() == 3 && first_is_batch(shape)) {
      return refuse("its first size is the batch, and the two others are not height, width and channels");
    }
    const int32_t* s = shape.data() + (shape.size() - 3);
    Size size = planar() ? Size{s[1], s[2], s[0]} : Size{s[0], s[1], s[2]};
    if (size.channels < 0) size.channels = 3;
    if (size.channels != 1 && size.channels != 3) return refuse("another layout would put its channels elsewhere");
    if (size.height == 0 || size.width == 0) return refuse("it holds nothing");
    return size;
  }

  // [-1, 43844, 1] and [1, 43844, 1] are batches of sounds, not pictures of that width. A picture of any size has both of its
  // sides open, one of grey planes begins with 1.
  bool first_is_batch(const Shape& shape) const noexcept {
    if (planar()) return shape[0] < 0 && (shape[1] > 0 || shape[2] > 0);
    return shape[0] == 1 || (shape[0] < 0 && shape[1] > 0);
  }
};

class SoundDataset final : public FileDataset {
 public:
  using FileDataset::FileDataset;

 private:
  Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) override {
    FB_TRY(want_one_input(inputs));
    describe(index, sample);
    FB_ASSIGN(Audio audio, read_audio(sample.source, options().audio));
    FB_ASSIGN(const Shape shape, fit_length(inputs[0], audio));
    return add(sample, make_array<float>({}, DType::kFloat32, shape, audio.samples), inputs[0]);
  }

  // Cuts or pads the sound; the shape that it takes, batch dimension included. At most one size may differ from 1.
  Result<Shape> fit_length(const InputSpec& input, Audio& audio) const {
    Shape shape = input.shape;
    if (shape.size() > 1 && shape[0] < 0) shape[0] = 1;
    const auto longer = [](int32_t size) { return size != 1; };
    const auto time = std::find_if(shape.begin(), shape.end(), longer);
    if (time == shape.end() || *time == 0 || std::any_of(time + 1, shape.end(), longer)) {
      return fail(ErrorCode::kInvalidData,
                  "{}: input '{}' of shape {} does not take a sound: one size must be its length", list().folder,
                  input.name, shape_text(input.shape));
    }
    if (*time < 0) {
      if (audio.samples.size() > INT32_MAX) return fail(ErrorCode::kResource, "the sound is too long");
      *time = static_cast<int32_t>(audio.samples.size());
    }
    cut_or_pad(audio, static_cast<size_t>(*time));
    return shape;
  }
};

// Files that hold an input's bytes as the model takes them.
class RawDataset final : public FileDataset {
 public:
  using FileDataset::FileDataset;

 private:
  Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) override {
    describe(index, sample);
    if (list().input_folders.empty()) {
      FB_TRY(want_one_input(inputs));
      return add_file(sample.source, inputs[0], sample);
    }
    for (const InputSpec& input : inputs) {
      FB_ASSIGN(const std::string folder, folder_of(input));
      FB_TRY(add_file(fmt::format("{}/{}/{}", list().folder, folder, list().files[index]), input, sample));
    }
    return {};
  }

  Status add_file(const std::string& path, const InputSpec& input, Sample& sample) {
    FB_ASSIGN(const auto file, MappedFile::open(path));
    Array array{{}, input.dtype, input.shape, {}};
    if (!array.shape.empty() && array.shape[0] < 0) array.shape[0] = 1;
    const auto bytes = byte_size(array.dtype, array.shape);
    if (!bytes) {
      return fail(ErrorCode::kInvalidData, "{}: input '{}' is {} of shape {}, whose size raw files do not tell", path,
                  input.name, dtype_name(input.dtype), shape_text(input.shape));
    }
    if (file->bytes().size() != *bytes) {
      return fail(ErrorCode::kInvalidData, "{}: {} bytes, but input '{}', {} of shape {}, takes {}", path,
                  file->bytes().size(), input.name, dtype_name(input.dtype), shape_text(array.shape), *bytes);
    }
    const auto data = std::as_bytes(file->bytes());
    array.bytes.assign(data.begin(), data.end());
    sample.source = path;
    return add(sample, std::move(array), input, {.of_input = true});
  }

  Result<std::string> folder_of(const InputSpec& input) const {
    for (const std::string& name : {input.name, input.signature_name}) {
      std::string plain = name;
      std::replace_if(plain.begin(), plain.end(), [](char c) { return c == '/' || c == ':'; }, '_');
      for (const std::string& folder : list().input_folders) {
        if (!folder.empty() && (folder == name || folder == plain)) return folder;
      }
    }
    return fail(ErrorCode::kInvalidData, "{} has no subfolder for input '{}'; there is {}", list().folder, input.name,
                fmt::join(list().input_folders, ", "));
  }
};

}  // namespace

std::unique_ptr<Dataset> file_dataset(FileList list, const DatasetOptions& options) {
  if (list.kind == FileKind::kSound) return std::make_unique<SoundDataset>(std::move(list), options);
  if (list.kind == FileKind::kRaw) return std::make_unique<RawDataset>(std::move(list), options);
  return std::make_unique<PictureDataset>(std::move(list), options);
}

}  // namespace fewbits::calibrate
