// What the API's tests share: models as users get them, a folder that goes away, messages that must say something.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "fewbits/model.h"
#include "formats/tflite/writer.h"
#include "test_models.h"

namespace fewbits::test {

// Through bytes, as a file's reader gives it.
inline ModelPtr shared(const Model& model) {
  const auto bytes = tflite_format::write_bytes(model);
  EXPECT_TRUE(bytes) << (bytes ? "" : bytes.error().message);
  auto loaded = load_model_bytes(*bytes, "test.tflite");
  EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
  return *loaded;
}

inline Array floats(std::string name, Shape shape, const std::vector<float>& values) {
  return make_array<float>(std::move(name), DType::kFloat32, std::move(shape), values);
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fewbits-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// EXPECT_ERROR(result, code, "part of the message"): a failure with this code whose message says this.
#define EXPECT_ERROR(result, expected_code, part)                       \
  do {                                                                  \
    const auto& fb_result = (result);                                   \
    ASSERT_FALSE(fb_result) << "it succeeded";                          \
    EXPECT_EQ(fb_result.error().code, expected_code);                   \
    EXPECT_THAT(fb_result.error().message, ::testing::HasSubstr(part)); \
  } while (0)

}  // namespace fewbits::test
