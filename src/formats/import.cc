// The list of formats, and which one a file has.
#include "formats/import.h"

#include <cstdio>
#include <filesystem>
#include <memory>

#include "formats/keras/import.h"
#include "formats/onnx/format.h"
#include "formats/savedmodel/import.h"
#include "formats/tflite/reader.h"

namespace fewbits::formats {
namespace {

constexpr size_t kHead = 4096;

bool recognizes_tflite(const Source& source) {
  const auto& head = source.head;
  if (head.size() >= 8 && std::string_view(reinterpret_cast<const char*>(head.data()) + 4, 4) == "TFL3") return true;
  return !source.is_folder && source.path.ends_with(".tflite");
}

Result<Imported> read_tflite(const std::string& path, const ImportOptions&) {
  FB_ASSIGN(Model model, tflite_format::read_file(path));
  return Imported{std::move(model), {}};
}

const Format kTflite = {"tflite", "TFLite (.tflite)", true, recognizes_tflite, read_tflite};

// The first bytes of a file; fewer when it is shorter.
Result<std::vector<uint8_t>> read_head(const std::string& path) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (file == nullptr) return fail(ErrorCode::kIo, "cannot read '{}'", path);
  std::vector<uint8_t> head(kHead);
  head.resize(std::fread(head.data(), 1, head.size(), file.get()));
  return head;
}

}  // namespace

std::vector<std::string> usual_symbols(const Shape& shape) {
  std::vector<std::string> symbols;
  for (size_t i = 0; i < shape.size(); ++i)
    symbols.push_back(i == 0 ? "batch" : fmt::format("{}/{}", shape_text(shape), i));
  return symbols;
}

std::span<const Format* const> all_formats() {
  static const Format* const kAll[] = {&kTflite, &savedmodel::format(), &onnx::format(), &keras::format()};
  return kAll;
}

Result<const Format*> format_of(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return fail(ErrorCode::kNotFound, "there is no file '{}'", path);
  Source source{path, std::filesystem::is_directory(status), {}};
  std::vector<uint8_t> head;
  if (!source.is_folder) {
    FB_ASSIGN(head, read_head(path));
    source.head = head;
  }
  std::string names;
  for (const Format* format : all_formats()) {
    if (format->recognizes(source)) return format;
    names += (names.empty() ? "" : ", ") + std::string(format->files);
  }
  return fail(ErrorCode::kUnsupported, "'{}' is none of the formats that fewbits reads: {}", path, names);
}

}  // namespace fewbits::formats
