// The version of the library.
#pragma once

namespace fewbits {

// "0.1.0". A string that lives for ever.
const char* version() noexcept;

}  // namespace fewbits
