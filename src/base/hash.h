// Fingerprints of bytes that tell contents apart; no protection from someone who makes two alike on purpose.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace fewbits {

// XXH3 of 128 bits, as 32 hexadecimal digits.
std::string fingerprint(const void* data, size_t bytes);

}  // namespace fewbits
