/* The C API from real C: what a C program would do, and what it might do wrong. Takes the folder that make_test_models filled. */
#include "fewbits/c_api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      ++failures;                                                     \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                 \
  } while (0)

static const char* folder;

static const char* in_folder(const char* name) {
  static char paths[8][4096];
  static int next = 0;
  char* path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void check_error(fb_error** error, fb_error_code code, const char* part) {
  CHECK(*error != NULL);
  if (*error == NULL) return;
  CHECK(fb_error_get_code(*error) == code);
  if (strstr(fb_error_message(*error), part) == NULL) {
    ++failures;
    fprintf(stderr, "the message '%s' does not say '%s'\n", fb_error_message(*error), part);
  }
  fb_error_free(*error);
  *error = NULL;
}

static fb_model* load(const char* name) {
  fb_error* error = NULL;
  fb_model* model = fb_model_load(in_folder(name), &error);
  if (model == NULL) {
    fprintf(stderr, "%s\n", fb_error_message(error));
    exit(1);
  }
  return model;
}

static void test_run(void) {
  fb_model* model = load("adder.tflite");
  fb_error* error = NULL;
  fb_runtime* runtime = fb_runtime_create(model, 1, NULL, &error);
  CHECK(runtime != NULL);
  fb_model_free(model); /* the runtime keeps it */
  CHECK(fb_runtime_input_count(runtime) == 2);
  CHECK(fb_runtime_output_count(runtime) == 1);
  fb_tensor_info info;
  CHECK(fb_runtime_input_info(runtime, 0, &info));
  CHECK(strcmp(info.signature_name, "left") == 0 && strcmp(info.name, "a") == 0);
  CHECK(info.dtype == FB_FLOAT32 && info.rank == 2 && info.shape[0] == 1 && info.shape[1] == -1);
  CHECK(!fb_runtime_input_info(runtime, 2, &info));

  const float left[3] = {1, 2, 3}, right[3] = {10, 20, 30};
  const int32_t shape[2] = {1, 3};
  CHECK(fb_runtime_resize_input(runtime, "left", shape, 2, &error));
  CHECK(fb_runtime_resize_input(runtime, "right", shape, 2, &error));
  CHECK(fb_runtime_set_input(runtime, "left", left, sizeof left, &error));
  CHECK(!fb_runtime_run(runtime, &error));
  check_error(&error, FB_INVALID_ARGUMENT, "'right'");
  CHECK(fb_runtime_set_input(runtime, "right", right, sizeof right, &error));
  CHECK(fb_runtime_run(runtime, &error));
  fb_tensor output;
  CHECK(fb_runtime_output(runtime, "sum", &output, &error));
  CHECK(output.dtype == FB_FLOAT32 && output.rank == 2 && output.shape[1] == 3 && output.bytes == sizeof left);
  for (int i = 0; i < 3; ++i) CHECK(((const float*)output.data)[i] == left[i] + right[i]);

  CHECK(!fb_runtime_set_input(runtime, "left", left, 1, &error));
  check_error(&error, FB_INVALID_ARGUMENT, "takes 12 bytes, not 1");
  CHECK(!fb_runtime_output(runtime, "product", &output, &error));
  check_error(&error, FB_NOT_FOUND, "'sum'");
  CHECK(!fb_runtime_output(runtime, "product", &output, NULL)); /* an error may be ignored */
  fb_runtime_reset_state(runtime);
  fb_runtime_free(runtime);
}

static bool stop_at_two(size_t done, size_t total, void* context) {
  *(size_t*)context = total;
  return done < 2;
}

static void test_quantize(void) {
  fb_model* model = load("classifier.tflite");
  fb_error* error = NULL;
  fb_dataset* data = fb_dataset_open(in_folder("pictures.npz"), NULL, &error);
  CHECK(data != NULL);
  CHECK(fb_dataset_size(data) == 6);

  fb_calibrate_options calibrate;
  fb_calibrate_options_init(&calibrate);
  size_t total = 0;
  calibrate.progress = stop_at_two;
  calibrate.context = &total;
  CHECK(fb_calibrate(model, data, &calibrate, &error) == NULL);
  check_error(&error, FB_INVALID_ARGUMENT, "stopped after 2 of 6");
  CHECK(total == 6);

  fb_calibration* ranges = fb_calibrate(model, data, NULL, &error);
  CHECK(ranges != NULL);
  CHECK(fb_calibration_samples(ranges) == 6);
  CHECK(fb_calibration_save(ranges, in_folder("c_ranges.json"), &error));
  fb_calibration* again = fb_calibration_load(in_folder("c_ranges.json"), &error);
  CHECK(again != NULL);
  CHECK(fb_calibration_merge(again, ranges, &error));
  CHECK(fb_calibration_samples(again) == 12);

  fb_quantize_options options;
  fb_quantize_options_init(&options);
  CHECK(fb_quantize(model, &options, NULL, &error) == NULL);
  check_error(&error, FB_INVALID_ARGUMENT, "needs calibration");
  options.mode = FB_MODE_INT8_ONLY;
  options.input_type = FB_UINT8;
  fb_model* small = fb_quantize(model, &options, ranges, &error);
  CHECK(small != NULL);
  CHECK(fb_model_save(small, in_folder("c_int8.tflite"), &error));
  fb_runtime* runtime = fb_runtime_create_cached(small, 2, "serve", in_folder("no/such/c.packs"), &error);
  CHECK(runtime == NULL);
  check_error(&error, FB_NOT_FOUND, "c.packs");
  runtime = fb_runtime_create_cached(small, 2, "serve", in_folder("c.packs"), &error);
  CHECK(runtime != NULL);
  fb_tensor_info info;
  CHECK(fb_runtime_input_info(runtime, 0, &info) && info.dtype == FB_UINT8 && info.scale > 0);
  CHECK(fb_runtime_output_info(runtime, 0, &info) && info.dtype == FB_INT8);

  const char* const exclude[] = {"SOFTMAX", NULL};
  options.exclude = exclude;
  CHECK(fb_quantize(model, &options, ranges, &error) == NULL);
  check_error(&error, FB_UNSUPPORTED, "excluded by 'SOFTMAX'");
  options.mode = 99;
  CHECK(fb_quantize(model, &options, ranges, &error) == NULL);
  check_error(&error, FB_INVALID_ARGUMENT, "no mode 99");
  options.mode = FB_MODE_INT8;
  options.output_type = (fb_dtype)265; /* INT8 + 256 */
  CHECK(fb_quantize(model, &options, ranges, &error) == NULL);
  check_error(&error, FB_INVALID_ARGUMENT, "no type 265");

  fb_quantize_options_init(&options);
  CHECK(options.block_size == 64 && !options.int4_weights);
  options.mode = FB_MODE_WEIGHTS;
  options.int4_weights = true;
  options.block_size = 40;
  CHECK(fb_quantize(model, &options, NULL, &error) == NULL);
  check_error(&error, FB_INVALID_ARGUMENT, "a multiple of 32");
  options.block_size = 64;
  fb_model* smaller = fb_quantize(model, &options, NULL, &error);
  CHECK(smaller != NULL);
  fb_model_free(smaller);

  fb_runtime_free(runtime);
  fb_model_free(small);
  fb_calibration_free(again);
  fb_calibration_free(ranges);
  fb_dataset_free(data);
  fb_model_free(model);
}

static void test_errors(void) {
  fb_error* error = NULL;
  CHECK(fb_model_load(in_folder("none.tflite"), &error) == NULL);
  check_error(&error, FB_NOT_FOUND, "none.tflite");
  CHECK(fb_model_load(NULL, &error) == NULL);
  check_error(&error, FB_INVALID_ARGUMENT, "path is NULL");
  CHECK(fb_model_load_bytes("garbage", 7, "garbage", &error) == NULL);
  check_error(&error, FB_INVALID_MODEL, "garbage");
  CHECK(fb_runtime_create(NULL, 1, NULL, &error) == NULL);
  check_error(&error, FB_INVALID_ARGUMENT, "model is NULL");
  CHECK(fb_dataset_open(in_folder("nothing"), NULL, &error) == NULL);
  check_error(&error, FB_NOT_FOUND, "nothing");
  CHECK(strlen(fb_version()) > 0);
  fb_model_free(NULL);
  fb_dataset_free(NULL);
  fb_calibration_free(NULL);
  fb_runtime_free(NULL);
  fb_error_free(NULL);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  test_run();
  test_quantize();
  test_errors();
  if (failures == 0) printf("ok\n");
  return failures == 0 ? 0 : 1;
}
