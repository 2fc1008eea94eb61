// dlopen behind an error that names the library.
#include "base/lazy_library.h"

#include <dlfcn.h>

namespace fewbits {

LazyLibrary::LazyLibrary(const char* soname) noexcept : soname_(soname), handle_(::dlopen(soname, RTLD_NOW)) {
  if (handle_ != nullptr) return;
  const char* why = ::dlerror();
  why_ = why == nullptr ? "not found" : why;
}

Status LazyLibrary::load() const {
  if (handle_ != nullptr) return {};
  return fail(ErrorCode::kIo, "{} cannot be loaded: {}; install it", soname_, why_);
}

void* LazyLibrary::symbol(const char* name) const noexcept { return ::dlsym(handle_, name); }

}  // namespace fewbits
