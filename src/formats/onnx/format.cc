// ONNX files: recognised, parsed, imported.
#include "formats/onnx/format.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/pages.h"
#include "formats/onnx/importer.h"

namespace fewbits::onnx {
namespace {

// A model begins with its IR version: field 1, a small varint. Frozen TensorFlow graphs begin with field 1, too, but a message.
bool recognizes(const formats::Source& source) {
  if (source.is_folder) return false;
  if (source.path.ends_with(".onnx")) return true;
  return source.head.size() > 4 && source.head[0] == 0x08 && source.head[1] < 0x20 &&
         source.path.ends_with(".ort") == false &&
         (source.head[2] == 0x12 || source.head[2] == 0x3a || source.head[2] == 0x42);
}

// A mapped file's bytes, whose pages go as soon as they are read: the message that they become is as large.
class MappedInput : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit MappedInput(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  bool Next(const void** data, int* size) override {
    if (at_ > kPiece) forget_pages(bytes_.subspan(at_ - kPiece, kPiece));
    *size = static_cast<int>(std::min(kPiece, bytes_.size() - at_));
    *data = bytes_.data() + at_;
    at_ += static_cast<size_t>(*size);
    return *size > 0;
  }
  void BackUp(int count) override { at_ -= static_cast<size_t>(count); }
  bool Skip(int count) override {
    const size_t step = std::min(static_cast<size_t>(count), bytes_.size() - at_);
    at_ += step;
    return step == static_cast<size_t>(count);
  }
  int64_t ByteCount() const override { return static_cast<int64_t>(at_); }

 private:
  static constexpr size_t kPiece = size_t{1} << 20;
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

Status parse(std::span<const uint8_t> bytes, bool mapped, const std::string& name, proto::Model& source) {
  if (bytes.size() > static_cast<size_t>(INT32_MAX)) {
    return fail(ErrorCode::kInvalidModel,
                "'{}': {} bytes are more than an ONNX file can have; large weights belong in external data", name,
                bytes.size());
  }
  MappedInput pieces(bytes);
  google::protobuf::io::ArrayInputStream whole(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::ZeroCopyInputStream* input = &whole;
  if (mapped) input = &pieces;
  google::protobuf::io::CodedInputStream stream(input);
  stream.SetTotalBytesLimit(INT32_MAX);
  if (!source.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return fail(ErrorCode::kInvalidModel, "'{}' is no ONNX model, or it is damaged: its protobuf does not parse", name);
  }
  return {};
}

Result<formats::Imported> import(proto::Model& source, const std::string& folder, const std::string& name,
                                 const formats::ImportOptions& options) {
  auto imported = Importer(source, folder, options).run(name);
  if (!imported) return with_context(imported.error(), name);
  return imported;
}

Result<formats::Imported> read_file(const std::string& path, const formats::ImportOptions& options) {
  proto::Model source;
  {
    FB_ASSIGN(const auto file, MappedFile::open(path));  // goes when the message is made: weights are held once
    FB_TRY(parse(file->bytes(), true, path, source));
  }
  const auto folder = std::filesystem::path(path).parent_path().string();
  return import(source, folder.empty() ? "." : folder, path, options);
}

}  // namespace

Result<formats::Imported> read_bytes(std::span<const uint8_t> bytes, const std::string& folder, const std::string& name,
                                     const formats::ImportOptions& options) {
  proto::Model source;
  FB_TRY(parse(bytes, false, name, source));
  return import(source, folder, name, options);
}

const formats::Format& format() noexcept {
  static const formats::Format kFormat = {"onnx", "ONNX (.onnx)", false, recognizes, read_file, true};
  return kFormat;
}

}  // namespace fewbits::onnx
