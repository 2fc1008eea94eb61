// What the bindings share: errors to exceptions, arrays to numpy and back, callbacks into Python, and the parts of the module.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fewbits/calibrate.h"
#include "fewbits/data.h"
#include "fewbits/model.h"
#include "fewbits/quantize.h"

namespace fewbits::python {

namespace nb = nanobind;

// Numbers that come in: C order; Python makes them so.
using ArrayIn = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using ArrayOut = nb::ndarray<nb::numpy>;

// ---- errors ----

// Throws fewbits.errors.<class of the code>(message). Needs the GIL.
[[noreturn]] void raise(const Error& error);

template <class T>
T unwrap(Result<T>&& result) {
  if (!result) raise(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// An exception that Python code threw inside a callback, kept while native frames unwind.
class PendingError {
 public:
  // Runs `body` with the GIL held; false when it threw.
  template <class Body>
  bool run(const Body& body) noexcept {
    nb::gil_scoped_acquire gil;
    try {
      body();
      return true;
    } catch (...) {
      error_ = std::current_exception();
      return false;
    }
  }
  // Throws what was kept. Needs the GIL.
  void rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  std::exception_ptr error_;
};

// ---- arrays ----

nb::object numpy_dtype(
    DType type);  // the scalar class, such as numpy.float32; TypeError for types that numpy does not have
DType dtype_of(const ArrayIn& array);
Shape shape_of(const ArrayIn& array);
Array copy_in(const ArrayIn& array, std::string name = {});
// A copy that numpy owns.
ArrayOut copy_out(DType type, const Shape& shape, std::span<const std::byte> bytes);
// A view; `owner` keeps the memory alive.
ArrayOut view_out(DType type, const Shape& shape, const void* data, nb::handle owner);

// ---- one thread at a time ----

// Entered by every method of an object that one thread may use; another thread meets InUseError, and nothing breaks.
class Gate {
 public:
  class Pass {
   public:
    Pass(Gate& gate, const char* what);
    ~Pass() { gate_.taken_ = false; }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Gate& gate_;
  };

 private:
  std::atomic<bool> taken_ = false;
};

// ---- handles ----

struct PyModel {
  ModelPtr model;
};

struct PyDataset {
  Dataset data;
  std::shared_ptr<PendingError> pending;  // shared with the callbacks inside `data`
  Gate gate;
};

// Calls work(progress) without the GIL. The progress callback lets Ctrl-C through, and tells `listener`, a callable or None.
template <class Work>
auto without_gil(const nb::object& listener, PendingError* data_error, const Work& work) {
  PendingError pending;
  const ProgressCallback progress = [&](size_t done, size_t total) {
    return pending.run([&] {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      if (!listener.is_none()) listener(done, total);
    });
  };
  auto result = [&] {
    nb::gil_scoped_release release;
    return work(progress);
  }();
  pending.rethrow();
  if (data_error != nullptr) data_error->rethrow();
  return unwrap(std::move(result));
}

// ---- the parts of the module ----

void bind_model(nb::module_& module);
void bind_data(nb::module_& module);
void bind_quantize(nb::module_& module);
void bind_evaluate(nb::module_& module);
void bind_runtime(nb::module_& module);
void bind_interpreter(nb::module_& module);
void bind_report(nb::module_& module);
void bind_convert(nb::module_& module);

}  // namespace fewbits::python
