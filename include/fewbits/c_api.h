/* fewbits in C11: load, calibrate, quantize and run models.

   Conventions, which hold for every function here:

   1. Handles (fb_model, fb_dataset, fb_calibration, fb_runtime, fb_error) are opaque. Who gets one from a function that creates
      it frees it with that type's _free function, which takes NULL, too. Handles may be freed in any order: what still needs
      another keeps it alive.
   2. A function that can fail takes `fb_error** error` last. It returns NULL or false on failure, and then stores a new error
      there; on success it leaves *error alone. Pass NULL to do without. *error should be NULL before the call: an old one is not
      freed.
   3. Nothing aborts, prints or throws. Any bytes may be given as a model.
   4. Strings are UTF-8 and end with 0. Strings and arrays that come from a handle belong to it and live as long as it does,
      unless the function says otherwise. What is passed in is copied.
   5. Options structs are filled by their _init function first; then change what you want. `options` may be NULL for the defaults.
      `size` is for later versions of this header: leave it.
   6. Models and calibrations are immutable but for fb_calibration_merge, and any thread may use them. A dataset or a runtime
      belongs to one thread at a time. Several runtimes of one model share its packed weights.
   7. Tensors are in C order, in this machine's byte order. Shapes list sizes outermost first; -1 is a size that is dynamic. */
#ifndef FEWBITS_C_API_H_
#define FEWBITS_C_API_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define FB_API __declspec(dllexport)
#else
#define FB_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fb_error fb_error;
typedef struct fb_model fb_model;
typedef struct fb_dataset fb_dataset;
typedef struct fb_calibration fb_calibration;
typedef struct fb_runtime fb_runtime;

/* "0.1.0" */
FB_API const char* fb_version(void);

/* ---- errors ---- */

typedef enum fb_error_code {
  FB_INVALID_MODEL = 1, /* the bytes or the graph of a model break the format's rules */
  FB_INVALID_ARGUMENT,  /* the caller asked for something that cannot be */
  FB_INVALID_DATA,      /* calibration or input data: wrong shape, type, NaN, empty */
  FB_NOT_FOUND,         /* a file, tensor, signature or operator that is not there */
  FB_UNSUPPORTED,       /* valid, but nothing here can do it */
  FB_IO,                /* the operating system refused */
  FB_RESOURCE,          /* memory or a size limit */
  FB_INTERNAL           /* a bug in fewbits */
} fb_error_code;

FB_API fb_error_code fb_error_get_code(const fb_error* error);
/* A sentence that names the file, operator and tensor, and says what to do where that is known. */
FB_API const char* fb_error_message(const fb_error* error);
FB_API void fb_error_free(fb_error* error);

/* ---- models ---- */

/* Maps the file: do not change it in place while the model lives. */
FB_API fb_model* fb_model_load(const char* path, fb_error** error);
/* The bytes are copied; `name` stands for the path in messages. */
FB_API fb_model* fb_model_load_bytes(const void* bytes, size_t size, const char* name, fb_error** error);
/* Writes a .tflite file; `path` is old or complete, never half. */
FB_API bool fb_model_save(const fb_model* model, const char* path, fb_error** error);
FB_API void fb_model_free(fb_model* model);

/* ---- data and calibration ---- */

/* How pictures become inputs: value = (pixel * scale - mean) / std. See fewbits/data.h. */
typedef struct fb_dataset_options {
  size_t size;
  int resize_short;    /* 0: leave the size */
  int crop;            /* 0: no crop */
  float scale;         /* 1 */
  float mean[3];       /* 0; for each channel */
  float std[3];        /* 1 */
  bool bgr;            /* false: RGB */
  bool nchw;           /* false: NHWC */
  bool stretch;        /* false: cut the centre when the aspect differs */
  bool bicubic;        /* false: bilinear */
  bool skip_nonfinite; /* leave samples with NaN or infinity out instead of failing */
} fb_dataset_options;

FB_API void fb_dataset_options_init(fb_dataset_options* options);
/* A folder of pictures, sounds, arrays or raw files, a .npz or a .npy. */
FB_API fb_dataset* fb_dataset_open(const char* path, const fb_dataset_options* options, fb_error** error);
FB_API size_t fb_dataset_size(const fb_dataset* data);
FB_API void fb_dataset_free(fb_dataset* data);

typedef struct fb_calibrate_options {
  size_t size;
  const char* signature; /* NULL: the first */
  size_t samples;        /* 0: all */
  bool has_seed;         /* draw the samples; false: take the first */
  uint64_t seed;
  int threads;           /* 1 */
  bool ignore_nonfinite; /* leave NaN and infinity inside the model out of ranges instead of failing */
  /* Called after each sample unless NULL; false stops the work with an error. */
  bool (*progress)(size_t done, size_t total, void* context);
  void* context;
} fb_calibrate_options;

FB_API void fb_calibrate_options_init(fb_calibrate_options* options);
FB_API fb_calibration* fb_calibrate(const fb_model* model, fb_dataset* data, const fb_calibrate_options* options,
                                    fb_error** error);
FB_API fb_calibration* fb_calibration_load(const char* path, fb_error** error);
FB_API bool fb_calibration_save(const fb_calibration* calibration, const char* path, fb_error** error);
/* Continues `calibration` with `later`, of the same model. */
FB_API bool fb_calibration_merge(fb_calibration* calibration, const fb_calibration* later, fb_error** error);
FB_API uint64_t fb_calibration_samples(const fb_calibration* calibration);
FB_API void fb_calibration_free(fb_calibration* calibration);

/* ---- quantization ---- */

typedef enum fb_mode {
  FB_MODE_WEIGHTS,   /* int8 weights, float activations */
  FB_MODE_FLOAT16,   /* constants in half precision */
  FB_MODE_INT8,      /* integers; what cannot be stays float */
  FB_MODE_INT8_ONLY, /* integers; what cannot be is an error */
  FB_MODE_INT16X8    /* int16 activations, int8 weights */
} fb_mode;

/* The numbers are those of the .tflite schema's TensorType; there are more than are named here. */
typedef enum fb_dtype {
  FB_FLOAT32 = 0,
  FB_FLOAT16 = 1,
  FB_INT32 = 2,
  FB_UINT8 = 3,
  FB_INT64 = 4,
  FB_STRING = 5,
  FB_BOOL = 6,
  FB_INT16 = 7,
  FB_COMPLEX64 = 8,
  FB_INT8 = 9,
  FB_FLOAT64 = 10,
  FB_DTYPE_DEFAULT = -1,
  FB_DTYPE_ANY_INT = 0x7fffffff /* the numbers in between are types, too */
} fb_dtype;

typedef struct fb_quantize_options {
  size_t size;
  int mode;                    /* an fb_mode; FB_MODE_INT8 */
  int input_type, output_type; /* fb_dtypes; FB_DTYPE_DEFAULT: int8 for FB_MODE_INT8_ONLY, else float32 */
  bool per_tensor;             /* false: one weight scale a channel */
  size_t min_elements;         /* 1024: FB_MODE_WEIGHTS leaves smaller constants alone */
  bool average_range;          /* false: the widest range that was seen */
  bool nearest_rounding;       /* each weight to its nearest integer, instead of filters so that their means stay */
  bool plain_bias;             /* leave out bias correction */
  /* Patterns of operator types or output names, with * and ?; NULL-terminated arrays, or NULL. */
  const char* const* include;
  const char* const* exclude;
  bool int4_weights; /* FB_MODE_WEIGHTS: weights of FULLY_CONNECTED in 4 bits */
  size_t block_size; /* 64: so many inputs share a scale, a multiple of 32; 0: one scale a channel */
  bool whole_ranges; /* FB_MODE_INT8, FB_MODE_INT8_ONLY: do not end ranges where readers stop telling numbers apart */
} fb_quantize_options;

FB_API void fb_quantize_options_init(fb_quantize_options* options);
/* `calibration` is needed by the integer modes, else NULL. The source model is not changed. */
FB_API fb_model* fb_quantize(const fb_model* model, const fb_quantize_options* options,
                             const fb_calibration* calibration, fb_error** error);

/* ---- running ---- */

typedef struct fb_tensor_info {
  const char* name;           /* the tensor's */
  const char* signature_name; /* "" where it has none */
  fb_dtype dtype;
  size_t rank;
  const int32_t* shape;
  float scale; /* above 0: integers stand for scale * (q - zero_point) */
  int64_t zero_point;
} fb_tensor_info;

typedef struct fb_tensor {
  fb_dtype dtype;
  size_t rank;
  const int32_t* shape;
  const void* data;
  size_t bytes;
} fb_tensor;

/* signature: NULL for the first. threads: 1 to 64. */
FB_API fb_runtime* fb_runtime_create(const fb_model* model, int threads, const char* signature, fb_error** error);
/* The same with a file that keeps packed weights from one start to the next (RuntimeOptions::pack_cache in runtime.h). */
FB_API fb_runtime* fb_runtime_create_cached(const fb_model* model, int threads, const char* signature,
                                            const char* pack_cache, fb_error** error);
FB_API void fb_runtime_free(fb_runtime* runtime);

FB_API size_t fb_runtime_input_count(const fb_runtime* runtime);
FB_API size_t fb_runtime_output_count(const fb_runtime* runtime);
/* What the model declares; false when there is no such index. */
FB_API bool fb_runtime_input_info(const fb_runtime* runtime, size_t index, fb_tensor_info* info);
FB_API bool fb_runtime_output_info(const fb_runtime* runtime, size_t index, fb_tensor_info* info);

/* Inputs and outputs go by their name in the signature, or else by their tensor's. */
FB_API bool fb_runtime_resize_input(fb_runtime* runtime, const char* name, const int32_t* shape, size_t rank,
                                    fb_error** error);
/* Exactly as many bytes as the input's shape takes; they are copied. */
FB_API bool fb_runtime_set_input(fb_runtime* runtime, const char* name, const void* data, size_t bytes,
                                 fb_error** error);
FB_API bool fb_runtime_run(fb_runtime* runtime, fb_error** error);
/* What it points to is valid until the next run, resize or fb_runtime_free; its shape also until the next call of this
   function. */
FB_API bool fb_runtime_output(fb_runtime* runtime, const char* name, fb_tensor* output, fb_error** error);
FB_API void fb_runtime_reset_state(fb_runtime* runtime);

#ifdef __cplusplus
}
#endif

#endif /* FEWBITS_C_API_H_ */
