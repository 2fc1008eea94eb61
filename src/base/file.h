// Files: read-only memory maps, and writes that leave the old file whole until the new one is complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace fewbits {

// The bytes of a file mapped read-only. The map lives until the last shared_ptr to it goes. Thread-safe.
class MappedFile {
 public:
  // Errors name the path: not found, a directory, no permission. An empty file maps to an empty span.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const uint8_t> bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }
  // Another one whenever the content has changed, as far as the file system tells: device, file, size, time of its last change.
  const std::string& identity() const noexcept { return identity_; }

 private:
  MappedFile() = default;
  std::string path_, identity_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Takes the next piece of a file's bytes.
using ByteSink = std::function<Status(std::span<const uint8_t>)>;

// Writes `path` through a temporary in the same folder (removed on any error or exception), flushed to disk and renamed over
// `path` only when `produce` has succeeded. Errors (folder not writable, disk full) name the path.
Status write_file_atomically(const std::string& path, const std::function<Status(const ByteSink&)>& produce);
Status write_file_atomically(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace fewbits
