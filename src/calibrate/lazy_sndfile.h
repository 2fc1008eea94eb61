// libsndfile, loaded when it is first needed: include this in place of <sndfile.h>.
#pragma once

#include <sndfile.h>

#include "base/lazy_library.h"

namespace fewbits {

// Before the first call of it.
inline Status load_sndfile();

#ifdef FEWBITS_SNDFILE

inline const LazyLibrary& sndfile_library() {
  static const LazyLibrary library(FEWBITS_SNDFILE);
  return library;
}
inline Status load_sndfile() { return sndfile_library().load(); }

#define sf_close FB_LAZY(::fewbits::sndfile_library(), sf_close)
#define sf_error FB_LAZY(::fewbits::sndfile_library(), sf_error)
#define sf_open_virtual FB_LAZY(::fewbits::sndfile_library(), sf_open_virtual)
#define sf_readf_float FB_LAZY(::fewbits::sndfile_library(), sf_readf_float)
#define sf_strerror FB_LAZY(::fewbits::sndfile_library(), sf_strerror)

#else

inline Status load_sndfile() { return {}; }

#endif

}  // namespace fewbits
