// The README's example as it stands there, run in a folder of its own: consumer IN.tflite OUT.tflite stores the weights in int8,
// then loads the result.
#include <fewbits/runtime.h>

#include <cstdio>
#include <filesystem>

#include "readme.inc"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto fail = [](const fewbits::Error& error) { return std::fprintf(stderr, "%s\n", error.message.c_str()), 1; };
  namespace fs = std::filesystem;
  const fs::path in = fs::absolute(argv[1]), out = fs::absolute(argv[2]);
  const fs::path folder = out.parent_path() / "readme";
  fs::create_directories(folder);
  fs::current_path(folder);
  fs::copy_file(in, "model.tflite", fs::copy_options::overwrite_existing);
  if (auto done = shrink(); !done) return fail(done.error());
  fs::copy_file("small.tflite", out, fs::copy_options::overwrite_existing);
  auto again = fewbits::load_model(out.string());
  return again ? 0 : fail(again.error());
}
