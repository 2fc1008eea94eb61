// The arrays of an .npz as numpy.savez writes it: every member stored, sizes below 4 GB. Needs no libzip, which cross
// builds lack.
#pragma once

#include <cstring>
#include <map>
#include <string>

#include "base/file.h"
#include "calibrate/npy.h"

namespace fewbits {

class StoredArrays {
 public:
  static Result<StoredArrays> open(const std::string& path) {
    StoredArrays arrays;
    FB_ASSIGN(arrays.file_, MappedFile::open(path));
    if (!arrays.find_members()) return fail(ErrorCode::kInvalidData, "{} is no archive of stored arrays", path);
    return arrays;
  }

  Result<Array> read(const std::string& name) const {
    const auto found = members_.find(name + ".npy");
    if (found == members_.end()) return fail(ErrorCode::kNotFound, "{} has no array {}", file_->path(), name);
    return calibrate::parse_npy(found->second, name);
  }

 private:
  uint64_t number(size_t at, size_t bytes) const {
    uint64_t value = 0;
    std::memcpy(&value, file_->bytes().data() + at, bytes);
    return value;
  }

  // By the central directory, as the zip application note lays it out.
  bool find_members() {
    constexpr size_t kEnd = 22, kEntry = 46, kLocal = 30;
    const auto bytes = file_->bytes();
    if (bytes.size() < kEnd || number(bytes.size() - kEnd, 4) != 0x06054b50) return false;
    size_t at = number(bytes.size() - kEnd + 16, 4);
    for (uint64_t left = number(bytes.size() - kEnd + 10, 2); left > 0; --left) {
      if (at + kEntry > bytes.size() || number(at, 4) != 0x02014b50 || number(at + 10, 2) != 0) return false;
      const size_t size = number(at + 24, 4), name_size = number(at + 28, 2), local = number(at + 42, 4);
      if (at + kEntry + name_size > bytes.size() || local + kLocal > bytes.size()) return false;
      const size_t begin = local + kLocal + number(local + 26, 2) + number(local + 28, 2);
      if (begin > bytes.size() || size > bytes.size() - begin) return false;
      const auto* name = reinterpret_cast<const char*>(bytes.data() + at + kEntry);
      members_[std::string(name, name_size)] = bytes.subspan(begin, size);
      at += kEntry + name_size + number(at + 30, 2) + number(at + 32, 2);
    }
    return true;
  }

  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, std::span<const uint8_t>> members_;
};

}  // namespace fewbits
