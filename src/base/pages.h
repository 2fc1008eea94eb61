// The memory behind bytes of a mapped file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fewbits {

// Gives the whole pages within `bytes` back to the system: what is mapped from a file is read again when it is needed. Only for
// bytes of a MappedFile.
void forget_pages(std::span<const uint8_t> bytes) noexcept;

// Gives the memory back that was allocated and freed, in the midst of what is in use too: thousands of small allocations between
// weights leave as much again. Takes a millisecond or less.
void trim_heap() noexcept;

}  // namespace fewbits
