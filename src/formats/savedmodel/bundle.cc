// Reads the index through leveldb::Table and the shards through maps, and checks every checksum on the way.
#include "formats/savedmodel/bundle.h"

#include <leveldb/env.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"
#include "base/pages.h"
#include "formats/savedmodel/wire.h"

namespace fewbits::savedmodel {
namespace {

constexpr std::string_view kObjectGraphKey = "_CHECKPOINTABLE_OBJECT_GRAPH";
constexpr int kMaxShards = 100000;  // the file names have five digits

// Bytes in memory as LevelDB reads a file.
class MemoryFile final : public leveldb::RandomAccessFile {
 public:
  explicit MemoryFile(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  leveldb::Status Read(uint64_t offset, size_t n, leveldb::Slice* result, char*) const override {
    if (offset > bytes_.size() || n > bytes_.size() - offset) return leveldb::Status::Corruption("past the end");
    *result = leveldb::Slice(reinterpret_cast<const char*>(bytes_.data()) + offset, n);
    return leveldb::Status::OK();
  }

 private:
  std::span<const uint8_t> bytes_;
};

tl::unexpected<Error> damaged(const std::string& path, const std::string& what) {
  return fail(ErrorCode::kInvalidModel, "{}: {}: the file is damaged; save the model again", path, what);
}

}  // namespace

Result<TensorBundle> TensorBundle::parse(std::span<const uint8_t> index, const std::string& name) {
  TensorBundle bundle;
  bundle.path_ = name;
  leveldb::Options options;
  options.paranoid_checks = true;
  MemoryFile file(index);
  leveldb::Table* opened = nullptr;
  const leveldb::Status status = leveldb::Table::Open(options, &file, index.size(), &opened);
  const std::unique_ptr<leveldb::Table> table(opened);
  if (!status.ok()) return damaged(name, status.ToString());

  leveldb::ReadOptions read_options;
  read_options.verify_checksums = true;
  read_options.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(read_options));
  bool header_seen = false;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::string key = it->key().ToString();
    const leveldb::Slice value = it->value();
    if (key.empty()) {
      tf::BundleHeaderProto header;
      if (!header.ParseFromArray(value.data(), static_cast<int>(value.size())))
        return damaged(name, "its header cannot be read");
      if (header.endianness() != 0) return fail(ErrorCode::kUnsupported, "{}: written on a big-endian machine", name);
      if (header.num_shards() < 0 || header.num_shards() > kMaxShards)
        return damaged(name, fmt::format("{} shards", header.num_shards()));
      bundle.shard_count_ = header.num_shards();
      header_seen = true;
    } else if (!bundle.entries_[key].ParseFromArray(value.data(), static_cast<int>(value.size()))) {
      return damaged(name, fmt::format("the entry '{}' cannot be read", key));
    }
  }
  if (!it->status().ok()) return damaged(name, it->status().ToString());
  if (!header_seen) return damaged(name, "there is no header");
  return bundle;
}

Result<TensorBundle> TensorBundle::open(const std::string& prefix) {
  const std::string path = prefix + ".index";
  FB_ASSIGN(const auto index, MappedFile::open(path));
  FB_ASSIGN(TensorBundle bundle, parse(index->bytes(), path));
  for (int i = 0; i < bundle.shard_count_; ++i) {
    Shard shard{fmt::format("{}.data-{:05}-of-{:05}", prefix, i, bundle.shard_count_), nullptr};
    FB_ASSIGN(shard.file, MappedFile::open(shard.path));
    bundle.shards_.push_back(std::move(shard));
  }
  // A shard that was cut short is said even where what was cut off is not read.
  for (const auto& [key, entry] : bundle.entries_) {
    if (entry.slices_size() == 0) FB_TRY(bundle.bytes_of(key, entry));
  }
  return bundle;
}

Result<std::span<const uint8_t>> TensorBundle::bytes_of(std::string_view key, const tf::BundleEntryProto& entry) const {
  if (entry.shard_id() < 0 || static_cast<size_t>(entry.shard_id()) >= shards_.size())
    return damaged(path_, fmt::format("'{}' lies in shard {} of {}", key, entry.shard_id(), shards_.size()));
  const Shard& shard = shards_[static_cast<size_t>(entry.shard_id())];
  const std::span<const uint8_t> all = shard.file->bytes();
  if (entry.offset() < 0 || entry.size() < 0 || static_cast<uint64_t>(entry.offset()) > all.size() ||
      static_cast<uint64_t>(entry.size()) > all.size() - static_cast<uint64_t>(entry.offset())) {
    return damaged(shard.path,
                   fmt::format("'{}' needs bytes {} to {} of {}", key, entry.offset(),
                               static_cast<double>(entry.offset()) + static_cast<double>(entry.size()), all.size()));
  }
  return all.subspan(static_cast<size_t>(entry.offset()), static_cast<size_t>(entry.size()));
}

Result<ConstTensor> TensorBundle::read(std::string_view key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return fail(ErrorCode::kNotFound, "{}: has no tensor '{}'", path_, key);
  const tf::BundleEntryProto& entry = found->second;
  const std::string what = fmt::format("{}: '{}'", path_, key);
  if (entry.slices_size() > 0)
    return fail(ErrorCode::kUnsupported, "{} is stored in slices; save it as one variable", what);
  ConstTensor out;
  FB_ASSIGN(out.dtype, dtype_of(entry.dtype(), what));
  FB_ASSIGN(out.shape, shape_of(entry.shape(), what));
  FB_ASSIGN(const auto bytes, bytes_of(key, entry));
  const auto needed = byte_size(out.dtype, out.shape);
  if (!needed || *needed != bytes.size()) {
    return damaged(path_, fmt::format("'{}' has {} bytes where {} of {} does not", key, bytes.size(),
                                      shape_text(out.shape), dtype_name(out.dtype)));
  }
  const Shard& shard = shards_[static_cast<size_t>(entry.shard_id())];
  if (masked_crc32c(crc32c(bytes)) != entry.crc32c())
    return damaged(shard.path, fmt::format("the checksum of '{}' does not fit its bytes", key));
  const size_t element = std::max<size_t>(byte_size(out.dtype, size_t{1}).value_or(1), 1);
  if (reinterpret_cast<uintptr_t>(bytes.data()) % element == 0) {
    out.data = ConstData(bytes, shard.file);
  } else {
    out.data = ConstData::own(std::vector<uint8_t>(bytes.begin(), bytes.end()));
  }
  return out;
}

void TensorBundle::forget_pages() const {
  for (const Shard& shard : shards_) fewbits::forget_pages(shard.file->bytes());
}

Result<std::map<std::string, std::string>> TensorBundle::keys_by_variable_name() const {
  std::map<std::string, std::string> keys;
  const auto found = entries_.find(kObjectGraphKey);
  if (found == entries_.end() || found->second.dtype() != tf::DT_STRING) return keys;
  // A string tensor: the lengths as varints, a checksum of them in four bytes, then the texts. This one is a scalar.
  FB_ASSIGN(auto bytes, bytes_of(kObjectGraphKey, found->second));
  const auto length = take_varint(bytes);
  tf::TrackableObjectGraph graph;
  if (!length || bytes.size() < 4 || *length != bytes.size() - 4 || *length > INT32_MAX ||
      !graph.ParseFromArray(bytes.data() + 4, static_cast<int>(*length)))
    return damaged(path_, "its object graph cannot be read");
  for (const auto& node : graph.nodes()) {
    for (const auto& attribute : node.attributes()) {
      if (!attribute.full_name().empty()) keys.emplace(attribute.full_name(), attribute.checkpoint_key());
    }
  }
  return keys;
}

}  // namespace fewbits::savedmodel
