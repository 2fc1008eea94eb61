// libzip, loaded when it is first needed: include this in place of <zip.h>.
#pragma once

#include <zip.h>

#include "base/lazy_library.h"

namespace fewbits {

// Before the first call of it.
inline Status load_zip();

#ifdef FEWBITS_ZIP

inline const LazyLibrary& zip_library() {
  static const LazyLibrary library(FEWBITS_ZIP);
  return library;
}
inline Status load_zip() { return zip_library().load(); }

#define zip_close FB_LAZY(::fewbits::zip_library(), zip_close)
#define zip_discard FB_LAZY(::fewbits::zip_library(), zip_discard)
#define zip_error_fini FB_LAZY(::fewbits::zip_library(), zip_error_fini)
#define zip_error_init FB_LAZY(::fewbits::zip_library(), zip_error_init)
#define zip_error_init_with_code FB_LAZY(::fewbits::zip_library(), zip_error_init_with_code)
#define zip_error_strerror FB_LAZY(::fewbits::zip_library(), zip_error_strerror)
#define zip_fclose FB_LAZY(::fewbits::zip_library(), zip_fclose)
#define zip_file_add FB_LAZY(::fewbits::zip_library(), zip_file_add)
#define zip_file_set_dostime FB_LAZY(::fewbits::zip_library(), zip_file_set_dostime)
#define zip_file_strerror FB_LAZY(::fewbits::zip_library(), zip_file_strerror)
#define zip_fopen_index FB_LAZY(::fewbits::zip_library(), zip_fopen_index)
#define zip_fread FB_LAZY(::fewbits::zip_library(), zip_fread)
#define zip_fseek FB_LAZY(::fewbits::zip_library(), zip_fseek)
#define zip_get_num_entries FB_LAZY(::fewbits::zip_library(), zip_get_num_entries)
#define zip_open FB_LAZY(::fewbits::zip_library(), zip_open)
#define zip_open_from_source FB_LAZY(::fewbits::zip_library(), zip_open_from_source)
#define zip_set_file_compression FB_LAZY(::fewbits::zip_library(), zip_set_file_compression)
#define zip_source_buffer_create FB_LAZY(::fewbits::zip_library(), zip_source_buffer_create)
#define zip_source_buffer_fragment_create FB_LAZY(::fewbits::zip_library(), zip_source_buffer_fragment_create)
#define zip_source_free FB_LAZY(::fewbits::zip_library(), zip_source_free)
#define zip_stat FB_LAZY(::fewbits::zip_library(), zip_stat)
#define zip_stat_index FB_LAZY(::fewbits::zip_library(), zip_stat_index)
#define zip_strerror FB_LAZY(::fewbits::zip_library(), zip_strerror)

#else

inline Status load_zip() { return {}; }

#endif

}  // namespace fewbits
