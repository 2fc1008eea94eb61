// A tensor bundle: the checkpoint beside a SavedModel, NAME.index (a LevelDB table) and NAME.data-SHARD-of-SHARDS.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "formats/savedmodel/tensor.h"

namespace fewbits::savedmodel {

// Immutable once open; reading is thread-safe. Tensors are views of the mapped shards, which live as long as one does.
class TensorBundle {
 public:
  // `prefix` is the path without ".index". Every shard is mapped here, so that one that is missing or too short is said at once.
  static Result<TensorBundle> open(const std::string& prefix);
  // The index alone, from memory: a bundle that knows its entries, and has no shards to read them from.
  static Result<TensorBundle> parse(std::span<const uint8_t> index, const std::string& name);

  bool contains(std::string_view key) const { return entries_.find(key) != entries_.end(); }
  // The tensor of this name, its checksum verified. kNotFound: there is none; kInvalidModel names the damaged file.
  Result<ConstTensor> read(std::string_view key) const;
  // Gives back the memory that the shards' pages took: what is looked at later is read again.
  void forget_pages() const;
  // Variable name -> key, from the object graph that TensorFlow 2 keeps in a checkpoint; empty when there is none.
  Result<std::map<std::string, std::string>> keys_by_variable_name() const;

 private:
  struct Shard {
    std::string path;
    std::shared_ptr<const MappedFile> file;
  };
  // The bytes of an entry, which its shard has.
  Result<std::span<const uint8_t>> bytes_of(std::string_view key, const tf::BundleEntryProto& entry) const;

  std::string path_;  // of the index
  int shard_count_ = 0;
  std::vector<Shard> shards_;
  std::map<std::string, tf::BundleEntryProto, std::less<>> entries_;
};

}  // namespace fewbits::savedmodel
