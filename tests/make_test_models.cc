// Writes the small models and data that tests of whole programs (C API, command line) read, into the folder named.
#include <cstdio>
#include <filesystem>

#include "fewbits/data.h"
#include "formats/tflite/writer.h"
#include "test_models.h"

namespace {

using namespace fewbits;

// Six pictures of 8x8 as the classifier takes them, with labels.
std::vector<Array> pictures() {
  std::vector<float> numbers = test::noise(6 * 192, 77);
  const std::vector<int32_t> labels{0, 1, 2, 3, 4, 5};
  return {make_array<float>("image", DType::kFloat32, {6, 8, 8, 3}, numbers),
          make_array<int32_t>("labels", DType::kInt32, {6}, labels)};
}

Status write_all(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  for (const auto& [name, model] :
       {std::pair("classifier.tflite", test::classifier()), std::pair("adder.tflite", test::dynamic_adder()),
        std::pair("unknown.tflite", test::with_unknown_operator())}) {
    const Status written = tflite_format::write_file(model, folder + "/" + name);
    if (!written) return written;
  }
  return write_arrays(folder + "/pictures.npz", pictures());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const Status status = write_all(argv[1]);
  if (!status) std::fprintf(stderr, "%s\n", status.error().message.c_str());
  return status ? 0 : 1;
}
