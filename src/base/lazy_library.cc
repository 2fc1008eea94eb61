// dlopen behind an error that names the library. What loading it took of memory is given back.
#include "base/lazy_library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/pages.h"

namespace fewbits {
namespace {

using Addresses = std::vector<ElfW(Addr)>;

// Code that was written to while it was loaded is not in its file as it is in memory.
bool changes_code(const dl_phdr_info& info, const ElfW(Phdr) & dynamic) {
  const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(info.dlpi_addr + dynamic.p_vaddr);
  for (; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0)) return true;
  }
  return false;
}

int note(dl_phdr_info* info, size_t, void* addresses) {
  static_cast<Addresses*>(addresses)->push_back(info->dlpi_addr);
  return 0;
}

// Of libraries that were not there before: the loader has looked through all their symbols, and most are never called.
int forget(dl_phdr_info* info, size_t, void* addresses) {
  const auto& before = *static_cast<const Addresses*>(addresses);
  const std::span<const ElfW(Phdr)> segments(info->dlpi_phdr, info->dlpi_phnum);
  const bool keep = std::any_of(segments.begin(), segments.end(), [&](const ElfW(Phdr) & segment) {
    return segment.p_type == PT_DYNAMIC && changes_code(*info, segment);
  });
  if (keep || std::find(before.begin(), before.end(), info->dlpi_addr) != before.end()) return 0;
  for (const auto& segment : segments) {
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) == 0)
      forget_pages({reinterpret_cast<const uint8_t*>(info->dlpi_addr + segment.p_vaddr), segment.p_memsz});
  }
  return 0;
}

}  // namespace

LazyLibrary::LazyLibrary(const char* soname) : soname_(soname), handle_(nullptr) {
  Addresses before;
  ::dl_iterate_phdr(note, &before);
  handle_ = ::dlopen(soname, RTLD_LAZY);
  if (handle_ != nullptr) {
    ::dl_iterate_phdr(forget, &before);
    return;
  }
  const char* why = ::dlerror();
  why_ = why == nullptr ? "not found" : why;
}

Status LazyLibrary::load() const {
  if (handle_ != nullptr) return {};
  return fail(ErrorCode::kIo, "{} cannot be loaded: {}; install it", soname_, why_);
}

void* LazyLibrary::symbol(const char* name) const noexcept { return ::dlsym(handle_, name); }

}  // namespace fewbits
