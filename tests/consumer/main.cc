// The README's example as a whole program: consumer IN.tflite OUT.tflite stores the weights in int8, then loads the result.
#include <fewbits/quantize.h>
#include <fewbits/runtime.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto fail = [](const fewbits::Error& error) { return std::fprintf(stderr, "%s\n", error.message.c_str()), 1; };
  auto model = fewbits::load_model(argv[1]);
  if (!model) return fail(model.error());
  fewbits::QuantizeOptions options;
  options.mode = fewbits::QuantizeMode::kWeights;
  options.min_elements = 1;
  auto small = fewbits::quantize_model(**model, options);
  if (!small) return fail(small.error());
  if (auto saved = fewbits::save_model(*small->model, argv[2]); !saved) return fail(saved.error());
  auto again = fewbits::load_model(argv[2]);
  return again ? 0 : fail(again.error());
}
