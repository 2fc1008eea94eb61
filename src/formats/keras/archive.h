// A .keras file: a zip of config.json and model.weights.h5.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace fewbits::keras {

// The bytes of one member. kNotFound: there is none; kInvalidModel: the zip is damaged, or the member is absurdly large for what
// is stored of it.
Result<std::vector<uint8_t>> read_member(const std::string& zip_path, const std::string& member);

struct Member {
  std::span<const uint8_t> bytes;
  std::shared_ptr<const void> owner;
  bool mapped = false;  // where they lie in the file
};
// The same without a copy where the member is stored as it is, as Keras does. Its checksum is verified.
Result<Member> open_member(const std::string& zip_path, const std::string& member);

}  // namespace fewbits::keras
