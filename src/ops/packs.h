// Packed weights by what they were packed from and how: plans of one model share them, and a file keeps them from one start of a
// program to the next where the user asks for it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/file.h"
#include "base/status.h"

namespace fewbits {

// Weights before packing.
struct PackSource {
  const void* data = nullptr;
  size_t bytes = 0;
  bool lasting = false;  // they lie there as long as their model lives: the address says which they are
  std::string how;       // kernel and layout: all that the packed form follows from but the weights
};

// Where the packs of a file lie in it, by key; nothing where the bytes are no such file, or a damaged one.
struct PackPlace {
  size_t offset = 0, bytes = 0;
};
std::map<std::string, PackPlace> find_packs(std::span<const uint8_t> file);

// Thread-safe. One for each model, or for each file.
class Packs {
 public:
  using Bytes = std::shared_ptr<const std::byte>;

  // Without a file.
  Packs() = default;
  // With the packs that the file holds. None where there is no such file, or where it is damaged, or of another version of the
  // library: save() then writes it anew. Weights that lie in `model` are known by their place in it, others by their content; a
  // model file that has changed has other packs, and save() drops those of the old one.
  explicit Packs(std::string path, std::shared_ptr<const MappedFile> model = nullptr);

  // `bytes` bytes, aligned to 64, as `pack` wrote them now or before. They live as long as the result.
  Bytes get(const PackSource& source, size_t bytes, const std::function<void(std::byte*)>& pack);

  // Writes the file if packs were made since it was read; does nothing without one. Errors name the file, which is then as it
  // was.
  Status save();

 private:
  struct Entry {
    std::weak_ptr<const std::byte> made;
    const std::byte* mapped = nullptr;  // in the file
    size_t bytes = 0;
  };

  std::string name_of(const PackSource& source) const;
  Bytes find(const std::string& key, size_t bytes) const;

  std::mutex mutex_;
  std::string path_;
  std::shared_ptr<const MappedFile> file_, model_;
  std::map<std::string, Entry> entries_;
  bool grown_ = false;
};

// Memory for packed weights, aligned to 64 bytes; not initialised.
std::shared_ptr<std::byte> allocate_pack(size_t bytes);

}  // namespace fewbits
