// The version of the library.
#include "fewbits/version.h"

namespace fewbits {

const char* version() noexcept { return FEWBITS_VERSION; }

}  // namespace fewbits
