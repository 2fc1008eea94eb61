// The C API of models and the runtime.
#include <memory>

#include "api/runtime/c_handles.h"
#include "fewbits/runtime.h"

using fewbits::ErrorCode;
using fewbits::Result;
using fewbits::Shape;
using fewbits::Status;
using fewbits::api::make_handle;
using fewbits::api::require;
using fewbits::api::succeeded;

struct fb_runtime {
  std::unique_ptr<fewbits::Runtime> runtime;
  Shape output_shape;  // of the last fb_runtime_output
};

namespace {

// Stands in when there is no memory for an error.
fb_error no_memory{{ErrorCode::kResource, {}}};

bool describe(const std::vector<fewbits::TensorSpec>& specs, size_t index, fb_tensor_info* info) {
  if (index >= specs.size() || info == nullptr) return false;
  const fewbits::TensorSpec& spec = specs[index];
  *info = {spec.name.c_str(), spec.signature_name.c_str(), static_cast<fb_dtype>(spec.dtype),
           spec.shape.size(), spec.shape.data(),           spec.scale,
           spec.zero_point};
  return true;
}

}  // namespace

namespace fewbits::api {

void store_error(fb_error** where, Error error) noexcept {
  if (where == nullptr) return;
  auto* stored = new (std::nothrow) fb_error{std::move(error)};
  *where = stored != nullptr ? stored : &no_memory;
}

}  // namespace fewbits::api

extern "C" {

fb_error_code fb_error_get_code(const fb_error* error) {
  return error == nullptr ? FB_INTERNAL
                          : static_cast<fb_error_code>(static_cast<int>(error->error.code) + FB_INVALID_MODEL);
}
const char* fb_error_message(const fb_error* error) {
  if (error == nullptr) return "";
  return error == &no_memory ? "there is not enough memory" : error->error.message.c_str();
}
void fb_error_free(fb_error* error) {
  if (error != &no_memory) delete error;
}

fb_model* fb_model_load(const char* path, fb_error** error) {
  return make_handle<fb_model>(error, [&]() -> Result<fewbits::ModelPtr> {
    FB_TRY(require(path, "path"));
    return fewbits::load_model(path);
  });
}

fb_model* fb_model_load_bytes(const void* bytes, size_t size, const char* name, fb_error** error) {
  return make_handle<fb_model>(error, [&]() -> Result<fewbits::ModelPtr> {
    FB_TRY(require(bytes, "bytes"));
    return fewbits::load_model_bytes({static_cast<const uint8_t*>(bytes), size}, name == nullptr ? "model" : name);
  });
}

bool fb_model_save(const fb_model* model, const char* path, fb_error** error) {
  return succeeded(error, [&]() -> Status {
    FB_TRY(require(model, "model"));
    FB_TRY(require(path, "path"));
    return fewbits::save_model(*model->model, path);
  });
}

void fb_model_free(fb_model* model) { delete model; }

fb_runtime* fb_runtime_create(const fb_model* model, int threads, const char* signature, fb_error** error) {
  return fb_runtime_create_cached(model, threads, signature, nullptr, error);
}

fb_runtime* fb_runtime_create_cached(const fb_model* model, int threads, const char* signature, const char* pack_cache,
                                     fb_error** error) {
  return make_handle<fb_runtime>(error, [&]() -> Result<std::unique_ptr<fewbits::Runtime>> {
    FB_TRY(require(model, "model"));
    fewbits::RuntimeOptions options;
    options.threads = threads;
    options.signature = signature == nullptr ? "" : signature;
    options.pack_cache = pack_cache == nullptr ? "" : pack_cache;
    return fewbits::Runtime::make(model->model, options);
  });
}

void fb_runtime_free(fb_runtime* runtime) { delete runtime; }

size_t fb_runtime_input_count(const fb_runtime* runtime) { return runtime->runtime->inputs().size(); }
size_t fb_runtime_output_count(const fb_runtime* runtime) { return runtime->runtime->outputs().size(); }
bool fb_runtime_input_info(const fb_runtime* runtime, size_t index, fb_tensor_info* info) {
  return describe(runtime->runtime->inputs(), index, info);
}
bool fb_runtime_output_info(const fb_runtime* runtime, size_t index, fb_tensor_info* info) {
  return describe(runtime->runtime->outputs(), index, info);
}

bool fb_runtime_resize_input(fb_runtime* runtime, const char* name, const int32_t* shape, size_t rank,
                             fb_error** error) {
  return succeeded(error, [&]() -> Status {
    FB_TRY(require(name, "name"));
    if (rank > 0) FB_TRY(require(shape, "shape"));
    return runtime->runtime->resize_input(name, rank == 0 ? Shape() : Shape(shape, shape + rank));
  });
}

bool fb_runtime_set_input(fb_runtime* runtime, const char* name, const void* data, size_t bytes, fb_error** error) {
  return succeeded(error, [&]() -> Status {
    FB_TRY(require(name, "name"));
    if (bytes > 0) FB_TRY(require(data, "data"));
    return runtime->runtime->set_input(name, std::span(static_cast<const std::byte*>(data), bytes));
  });
}

bool fb_runtime_run(fb_runtime* runtime, fb_error** error) {
  return succeeded(error, [&] { return runtime->runtime->run(); });
}

bool fb_runtime_output(fb_runtime* runtime, const char* name, fb_tensor* output, fb_error** error) {
  return succeeded(error, [&]() -> Status {
    FB_TRY(require(name, "name"));
    FB_TRY(require(output, "output"));
    FB_ASSIGN(fewbits::OutputView view, runtime->runtime->output(name));
    runtime->output_shape = std::move(view.shape);
    *output = {static_cast<fb_dtype>(view.dtype), runtime->output_shape.size(), runtime->output_shape.data(),
               view.bytes.data(), view.bytes.size()};
    return {};
  });
}

void fb_runtime_reset_state(fb_runtime* runtime) { runtime->runtime->reset_state(); }

}  // extern "C"
