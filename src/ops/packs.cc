// Packed weights and their file: a header, an index, and the packs, each at a multiple of 64 bytes. Numbers are in the order of
// the machine, which alone reads it.
#include "ops/packs.h"

#include <fmt/format.h>

#include <cstring>
#include <new>
#include <vector>

#include "base/hash.h"

namespace fewbits {
namespace {

constexpr size_t kAlignment = 64;
// To be raised when a kernel packs in another way under the same name.
constexpr int kRevision = 1;

constexpr std::string_view kOfFile = "file ";  // begins the name of packs that are known by their place in one

struct Header {
  char magic[8];
  uint64_t index_bytes, file_bytes;
  char index_fingerprint[32];
};
struct IndexEntry {
  uint64_t key_bytes, offset, bytes;  // the key follows
};
constexpr char kMagic[8] = {'f', 'b', 'p', 'a', 'c', 'k', 's', '\n'};

size_t align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// A part of a file; null where it does not lie within.
template <class T>
const T* part_of(std::span<const uint8_t> file, size_t at, size_t bytes) {
  return at <= file.size() && bytes <= file.size() - at ? reinterpret_cast<const T*>(file.data() + at) : nullptr;
}

}  // namespace

std::shared_ptr<std::byte> allocate_pack(size_t bytes) {
  constexpr auto kWhere = std::align_val_t{kAlignment};
  return {static_cast<std::byte*>(::operator new(bytes, kWhere)),
          [](std::byte* p) { ::operator delete(p, std::align_val_t{kAlignment}); }};
}

std::map<std::string, PackPlace> find_packs(std::span<const uint8_t> file) {
  Header header;
  if (file.size() < sizeof header) return {};
  std::memcpy(&header, file.data(), sizeof header);
  const auto* index = part_of<uint8_t>(file, sizeof header, header.index_bytes);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.file_bytes != file.size() || index == nullptr) {
    return {};
  }
  const std::string expected = fingerprint(index, header.index_bytes);
  if (std::memcmp(header.index_fingerprint, expected.data(), sizeof header.index_fingerprint) != 0) return {};
  std::map<std::string, PackPlace> places;
  const std::span<const uint8_t> all(index, header.index_bytes);
  for (size_t at = 0; at < all.size();) {
    IndexEntry entry;
    const auto* raw = part_of<uint8_t>(all, at, sizeof entry);
    if (raw == nullptr) return {};
    std::memcpy(&entry, raw, sizeof entry);
    const auto* key = part_of<char>(all, at + sizeof entry, entry.key_bytes);
    const bool inside = part_of<uint8_t>(file, entry.offset, entry.bytes) != nullptr;
    if (key == nullptr || !inside || entry.offset % kAlignment != 0) return {};
    places[std::string(key, entry.key_bytes)] = {entry.offset, entry.bytes};
    at += sizeof entry + entry.key_bytes;
  }
  return places;
}

Packs::Packs(std::string path, std::shared_ptr<const MappedFile> model)
    : path_(std::move(path)), model_(std::move(model)) {
  auto file = MappedFile::open(path_);
  if (!file) return;
  file_ = *std::move(file);
  for (const auto& [key, place] : find_packs(file_->bytes())) {
    entries_[key] = {{}, reinterpret_cast<const std::byte*>(file_->bytes().data()) + place.offset, place.bytes};
  }
}

// Packs of a model's file begin with its identity.
std::string Packs::name_of(const PackSource& source) const {
  if (path_.empty()) return fmt::format("{} {}", source.data, source.bytes);
  if (model_ != nullptr && source.lasting) {
    const auto* data = static_cast<const uint8_t*>(source.data);
    const std::span<const uint8_t> file = model_->bytes();
    if (std::less_equal<>()(file.data(), data) && std::less<>()(data, file.data() + file.size())) {
      return fmt::format("{}{} +{} {}", kOfFile, model_->identity(), data - file.data(), source.bytes);
    }
  }
  return fingerprint(source.data, source.bytes);
}

Packs::Bytes Packs::find(const std::string& key, size_t bytes) const {
  const auto known = entries_.find(key);
  if (known == entries_.end() || known->second.bytes != bytes) return nullptr;
  if (known->second.mapped != nullptr) return Bytes(file_, known->second.mapped);
  return known->second.made.lock();
}

Packs::Bytes Packs::get(const PackSource& source, size_t bytes, const std::function<void(std::byte*)>& pack) {
  const auto make = [&] {
    auto made = allocate_pack(bytes);
    pack(made.get());
    return made;
  };
  if (path_.empty() && !source.lasting) return make();
  const std::string key = fmt::format("{} {} {} {}", name_of(source), source.how, kRevision, FEWBITS_VERSION);
  {
    const std::lock_guard lock(mutex_);
    if (Bytes known = find(key, bytes)) return known;
  }
  Bytes made = make();  // without the lock: others need not wait
  const std::lock_guard lock(mutex_);
  if (Bytes other = find(key, bytes)) return other;
  entries_[key] = {made, nullptr, bytes};
  grown_ = true;
  return made;
}

Status Packs::save() {
  const std::lock_guard lock(mutex_);
  if (path_.empty() || !grown_) return {};
  const std::string current = model_ == nullptr ? "" : fmt::format("{}{} ", kOfFile, model_->identity());
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.first.starts_with(kOfFile) && (current.empty() || !entry.first.starts_with(current));
  });
  struct Piece {
    Bytes data;
    size_t bytes, offset;
  };
  std::vector<Piece> pieces;
  std::string index;
  size_t index_bytes = 0;
  for (const auto& [key, entry] : entries_) index_bytes += sizeof(IndexEntry) + key.size();
  size_t end = align(sizeof(Header) + index_bytes);
  for (const auto& [key, entry] : entries_) {
    Bytes data = find(key, entry.bytes);
    if (data == nullptr) continue;
    const IndexEntry listed{key.size(), end, entry.bytes};
    index.append(reinterpret_cast<const char*>(&listed), sizeof listed);
    index += key;
    pieces.push_back({std::move(data), entry.bytes, end});
    end = align(end + entry.bytes);
  }
  Header header{{}, index.size(), end, {}};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::memcpy(header.index_fingerprint, fingerprint(index.data(), index.size()).data(),
              sizeof header.index_fingerprint);
  const Status written = write_file_atomically(path_, [&](const ByteSink& sink) -> Status {
    size_t at = 0;
    const auto put = [&](const void* data, size_t bytes) {
      at += bytes;
      return sink({static_cast<const uint8_t*>(data), bytes});
    };
    const std::vector<uint8_t> zeros(index_bytes - index.size() + kAlignment);
    FB_TRY(put(&header, sizeof header));
    FB_TRY(put(index.data(), index.size()));
    for (const Piece& piece : pieces) {
      FB_TRY(put(zeros.data(), piece.offset - at));
      FB_TRY(put(piece.data.get(), piece.bytes));
    }
    return put(zeros.data(), end - at);
  });
  if (!written) return written;
  grown_ = false;
  return {};
}

}  // namespace fewbits
