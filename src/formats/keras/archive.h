// A .keras file: a zip of config.json and model.weights.h5.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace fewbits::keras {

// The bytes of one member. kNotFound: there is none; kInvalidModel: the zip is damaged, or the member is absurdly large for what
// is stored of it.
Result<std::vector<uint8_t>> read_member(const std::string& zip_path, const std::string& member);

}  // namespace fewbits::keras
