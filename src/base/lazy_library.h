// Shared libraries that are loaded when something of them is first called: libhdf5, libzip and libsndfile bring 30 others
// along, which take more memory than a small model, and most runs need none of them.
// The headers lazy_*.h stand for the libraries' own, and give their functions by the same names. FEWBITS_HDF5 and its like are
// what CMake found, "libhdf5_serial.so.103"; without FEWBITS_LAZY_LIBRARIES they are not defined, and the libraries are linked.
#pragma once

#include "base/status.h"

namespace fewbits {

// Thread-safe. What was loaded stays until the process ends.
class LazyLibrary {
 public:
  explicit LazyLibrary(const char* soname);
  // kIo names the library that cannot be loaded, and why.
  Status load() const;
  // The address of a function or a variable of a library that is loaded.
  void* symbol(const char* name) const noexcept;

 private:
  const char* soname_;
  void* handle_;
  std::string why_;
};

}  // namespace fewbits

// What `name` of a header is in `library`, a LazyLibrary.
#define FB_LAZY(library, name)                                                              \
  ([]() noexcept {                                                                          \
    static const auto address = reinterpret_cast<decltype(&::name)>(library.symbol(#name)); \
    return address;                                                                         \
  }())
