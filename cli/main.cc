// fewbits: the command line tool.
#include <cstdio>

#include "formats/tflite/reader.h"
#include "formats/tflite/writer.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto model = fewbits::tflite_format::read_file(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
  const auto status = fewbits::tflite_format::write_file(*model, argv[2]);
  if (!status) return std::fprintf(stderr, "%s\n", status.error().message.c_str()), 1;
  return 0;
}
