// Keras models as a format that fewbits reads: .keras archives and .h5 files.
#pragma once

#include "formats/import.h"

namespace fewbits::keras {

const formats::Format& format() noexcept;

}  // namespace fewbits::keras
