// A model as C source.
#include <algorithm>

#include "api/runtime/guard.h"
#include "fewbits/convert.h"

namespace fewbits {
namespace {

constexpr size_t kBytesALine = 20;

bool is_identifier(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

}  // namespace

Result<std::string> model_as_c(const Model& model, const std::string& name) {
  return api::guarded([&]() -> Result<std::string> {
    if (!is_identifier(name)) return fail(ErrorCode::kInvalidArgument, "'{}' is no name for a C array", name);
    FB_ASSIGN(const std::vector<uint8_t> bytes, model_bytes(model));
    std::string text = fmt::format(
        "/* A .tflite model, {1} bytes. Written by fewbits. */\n#include <stdalign.h>\n#include <stddef.h>\n\n"
        "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n"
        "extern const unsigned char {0}[];\nextern const size_t {0}_size;\n\n"
        "const size_t {0}_size = {1};\nalignas(16) const unsigned char {0}[] = {{",
        name, bytes.size());
    text.reserve(text.size() + bytes.size() * 4 + bytes.size() / kBytesALine + 64);
    for (size_t i = 0; i < bytes.size(); ++i) {
      text += i % kBytesALine == 0 ? "\n" : "";
      text += std::to_string(bytes[i]) + ",";
    }
    return text + "\n};\n\n#ifdef __cplusplus\n}\n#endif\n";
  });
}

}  // namespace fewbits
