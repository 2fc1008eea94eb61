// .npz archives through libzip.
#include "calibrate/npy_zip.h"

#include <algorithm>
#include <set>

#include "base/lazy_zip.h"

namespace fewbits::calibrate {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr size_t kChunk = size_t{1} << 20;

struct FileCloser {
  void operator()(zip_file_t* file) const noexcept { zip_fclose(file); }
};
struct Discarder {
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};
using ZipFile = std::unique_ptr<zip_file_t, FileCloser>;
using Zip = std::unique_ptr<zip_t, Discarder>;

std::string text_of(int zip_code) {
  zip_error_t error;
  zip_error_init_with_code(&error, zip_code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

Result<ZipFile> open_member(zip_t* archive, uint64_t index) {
  ZipFile file(zip_fopen_index(archive, index, 0));
  if (!file) return fail(ErrorCode::kInvalidData, "cannot be opened: {}", zip_strerror(archive));
  return file;
}

Status read_exactly(zip_file_t* file, std::span<std::byte> out) {
  while (!out.empty()) {
    const zip_int64_t got = zip_fread(file, out.data(), std::min(out.size(), kChunk));
    if (got < 0) return fail(ErrorCode::kInvalidData, "cannot be read: {}", zip_file_strerror(file));
    if (got == 0) return fail(ErrorCode::kInvalidData, "it ends {} bytes early", out.size());
    out = out.subspan(static_cast<size_t>(got));
  }
  return {};
}

std::span<const uint8_t> unsigned_bytes(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

// The header of a member that unpacks to `size` bytes.
Result<NpyHeader> read_header(zip_file_t* file, uint64_t size) {
  std::vector<std::byte> bytes(kNpyPreamble);
  FB_TRY(read_exactly(file, bytes));
  FB_ASSIGN(const size_t header_size, npy_header_size(unsigned_bytes(bytes)));
  if (header_size < kNpyPreamble) return fail(ErrorCode::kInvalidData, "the .npy header is too short");
  bytes.resize(header_size);
  FB_TRY(read_exactly(file, std::span(bytes).subspan(kNpyPreamble)));
  FB_ASSIGN(NpyHeader header, parse_npy_header(unsigned_bytes(bytes)));
  if (size != header.data_offset + header.data_bytes) {
    return fail(ErrorCode::kInvalidData, "{} of shape {} takes {} bytes, but the member holds {}",
                dtype_name(header.dtype), shape_text(header.shape), header.data_bytes,
                size - std::min<uint64_t>(size, header.data_offset));
  }
  return header;
}

// The data of a member, in the file's order. Grows as bytes arrive: a size that is only claimed costs nothing.
Result<std::vector<std::byte>> read_data(zip_t* archive, uint64_t index, const NpyHeader& header) {
  FB_ASSIGN(const ZipFile file, open_member(archive, index));
  std::vector<std::byte> data(header.data_offset);
  FB_TRY(read_exactly(file.get(), data));
  data.clear();
  while (data.size() < header.data_bytes) {
    const size_t at = data.size();
    data.resize(at + std::min(std::max(kChunk, at), header.data_bytes - at));
    FB_TRY(read_exactly(file.get(), std::span(data).subspan(at)));
  }
  std::byte extra;
  const zip_int64_t got = zip_fread(file.get(), &extra, 1);  // reaches the end, where libzip compares the checksum
  if (got < 0) return fail(ErrorCode::kInvalidData, "cannot be read: {}", zip_file_strerror(file.get()));
  if (got > 0) return fail(ErrorCode::kInvalidData, "it holds more than its header says");
  return data;
}

// Rows straight from the archive, one at a time.
class StreamedRows final : public RowSource {
 public:
  StreamedRows(std::shared_ptr<NpzReader> reader, zip_t* archive, uint64_t index, bool seekable, NpyHeader header,
               std::string where)
      : RowSource(std::move(header)),
        reader_(std::move(reader)),
        archive_(archive),
        index_(index),
        seekable_(seekable),
        where_(std::move(where)) {}

 private:
  Status fetch(size_t index, std::span<std::byte> out) override {
    auto status = read_at(header().data_offset + index * header().row_bytes(), out);
    if (!status) {
      file_.reset();
      return with_context(std::move(status).error(), where_);
    }
    fix_byte_order(header(), out);
    return {};
  }

  Status read_at(uint64_t offset, std::span<std::byte> out) {
    FB_TRY(seek(offset));
    FB_TRY(read_exactly(file_.get(), out));
    at_ = offset + out.size();
    return {};
  }

  // libzip seeks in stored members; in others the way to a place is to unpack what stands before it.
  Status seek(uint64_t offset) {
    if (file_ && offset == at_) return {};
    if (!file_ || (offset < at_ && !seekable_)) {
      FB_ASSIGN(file_, open_member(archive_, index_));
      at_ = 0;
    }
    if (seekable_) {
      if (zip_fseek(file_.get(), static_cast<zip_int64_t>(offset), SEEK_SET) != 0) {
        return fail(ErrorCode::kInvalidData, "cannot be read: {}", zip_file_strerror(file_.get()));
      }
      at_ = offset;
    }
    std::vector<std::byte> skipped(static_cast<size_t>(std::min<uint64_t>(kChunk, offset - at_)));
    while (at_ < offset) {
      const size_t part = static_cast<size_t>(std::min<uint64_t>(skipped.size(), offset - at_));
      FB_TRY(read_exactly(file_.get(), std::span(skipped).first(part)));
      at_ += part;
    }
    return {};
  }

  std::shared_ptr<NpzReader> reader_;  // keeps archive_ open
  zip_t* archive_;
  uint64_t index_;
  bool seekable_;
  std::string where_;
  ZipFile file_;
  uint64_t at_ = 0;
};

}  // namespace

struct NpzReader::Archive {
  Zip zip;
  std::vector<uint64_t> index;  // of each member in the archive
  std::vector<bool> stored;     // kept uncompressed
};

NpzReader::~NpzReader() = default;

Result<std::shared_ptr<NpzReader>> NpzReader::open(const std::string& path) {
  FB_TRY(load_zip());
  int code = 0;
  auto archive = std::make_unique<Archive>();
  archive->zip.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!archive->zip) {
    const ErrorCode kind = code == ZIP_ER_NOENT                         ? ErrorCode::kNotFound
                           : code == ZIP_ER_OPEN || code == ZIP_ER_READ ? ErrorCode::kIo
                                                                        : ErrorCode::kInvalidData;
    return fail(kind, "cannot open {} as .npz: {}", path, text_of(code));
  }
  return finish(std::move(archive), path);
}

Result<std::shared_ptr<NpzReader>> NpzReader::open_bytes(std::span<const uint8_t> bytes, std::string name) {
  FB_TRY(load_zip());
  zip_error_t error;
  zip_error_init(&error);
  auto archive = std::make_unique<Archive>();
  if (zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error)) {
    archive->zip.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
    if (!archive->zip) zip_source_free(source);
  }
  const std::string problem = archive->zip ? std::string() : zip_error_strerror(&error);
  zip_error_fini(&error);
  if (!archive->zip) return fail(ErrorCode::kInvalidData, "cannot open {} as .npz: {}", name, problem);
  return finish(std::move(archive), std::move(name));
}

Result<std::shared_ptr<NpzReader>> NpzReader::finish(std::unique_ptr<Archive> archive, std::string path) {
  std::shared_ptr<NpzReader> reader(new NpzReader);
  reader->path_ = std::move(path);
  const zip_int64_t entries = zip_get_num_entries(archive->zip.get(), 0);
  for (uint64_t i = 0; entries > 0 && i < static_cast<uint64_t>(entries); ++i) {
    zip_stat_t stat;
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(archive->zip.get(), i, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) continue;
    const std::string_view name = stat.name;
    if (!name.ends_with(kSuffix)) continue;
    NpzMember member{std::string(name.substr(0, name.size() - kSuffix.size())), {}, {}};
    auto file = open_member(archive->zip.get(), i);
    auto header = file ? read_header(file->get(), stat.size) : tl::unexpected(std::move(file).error());
    if (header) {
      member.header = *std::move(header);
    } else {
      member.problem_code = header.error().code;
      member.problem = std::move(header).error().message;
    }
    reader->members_.push_back(std::move(member));
    archive->index.push_back(i);
    archive->stored.push_back(stat.comp_method == ZIP_CM_STORE);
  }
  reader->archive_ = std::move(archive);
  return reader;
}

const NpzMember* NpzReader::find(std::string_view name) const noexcept {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.name == name; });
  return found == members_.end() ? nullptr : &*found;
}

std::string NpzReader::where(size_t member) const {
  return fmt::format("{}: array '{}'", path_, members_[member].name);
}

Result<size_t> NpzReader::index_of(const std::string& name) const {
  const NpzMember* member = find(name);
  if (member == nullptr) return fail(ErrorCode::kNotFound, "{} has no array '{}'", path_, name);
  const size_t index = static_cast<size_t>(member - members_.data());
  if (!member->problem.empty()) return fail(member->problem_code, "{}: {}", where(index), member->problem);
  return index;
}

Result<Array> NpzReader::read(const std::string& name, size_t most_bytes) {
  FB_ASSIGN(const size_t index, index_of(name));
  const NpyHeader& header = members_[index].header;
  if (header.data_bytes > most_bytes) {
    return fail(ErrorCode::kResource, "{}: {} bytes are more than the limit of {}", where(index), header.data_bytes,
                most_bytes);
  }
  auto data = read_data(archive_->zip.get(), archive_->index[index], header);
  if (!data) return with_context(std::move(data).error(), where(index));
  Array array{name, header.dtype, header.shape, {}};
  if (header.fortran_order && header.shape.size() > 1) {
    array.bytes.resize(header.data_bytes);
    copy_npy_rows(header, unsigned_bytes(*data), 0, header.rows(), array.bytes.data());
  } else {
    array.bytes = *std::move(data);
    fix_byte_order(header, array.bytes);
  }
  return array;
}

Result<std::unique_ptr<RowSource>> NpzReader::rows(const std::shared_ptr<NpzReader>& reader, const std::string& name,
                                                   size_t memory_limit) {
  FB_ASSIGN(const size_t index, reader->index_of(name));
  const NpyHeader& header = reader->members_[index].header;
  const Archive& archive = *reader->archive_;
  const bool fortran = header.fortran_order && header.shape.size() > 1;
  if (header.shape.empty()) return fail(ErrorCode::kInvalidData, "{}: a scalar has no rows", reader->where(index));
  if (header.data_bytes <= memory_limit && (fortran || !archive.stored[index])) {
    auto data = read_data(archive.zip.get(), archive.index[index], header);
    if (!data) return with_context(std::move(data).error(), reader->where(index));
    auto keep = std::make_shared<const std::vector<std::byte>>(*std::move(data));
    return rows_in_memory(header, unsigned_bytes(*keep), keep);
  }
  if (fortran) {
    return fail(ErrorCode::kUnsupported, "{}: {} bytes in Fortran order cannot be read in parts; save it in C order",
                reader->where(index), header.data_bytes);
  }
  return std::make_unique<StreamedRows>(reader, archive.zip.get(), archive.index[index], archive.stored[index], header,
                                        reader->where(index));
}

Result<std::vector<Array>> parse_npz(std::span<const uint8_t> bytes, size_t most_bytes) {
  FB_ASSIGN(const auto reader, NpzReader::open_bytes(bytes, "archive"));
  std::vector<Array> arrays;
  for (const NpzMember& member : reader->members()) {
    FB_ASSIGN(Array array, reader->read(member.name, most_bytes));
    arrays.push_back(std::move(array));
  }
  return arrays;
}

namespace {

// Adds header and data as two fragments, so that the array is not copied; both must live until the archive is closed.
Status add_member(zip_t* archive, std::string& header, const Array& array, NpzCompression compression) {
  zip_buffer_fragment_t fragments[2] = {
      {reinterpret_cast<zip_uint8_t*>(header.data()), header.size()},
      {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(array.bytes.data())), array.bytes.size()}};
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_fragment_create(fragments, array.bytes.empty() ? 1 : 2, 0, &error);
  const std::string problem = source != nullptr ? std::string() : zip_error_strerror(&error);
  zip_error_fini(&error);
  if (source == nullptr) return fail(ErrorCode::kResource, "array '{}': {}", array.name, problem);

  const std::string name = array.name + std::string(kSuffix);
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return fail(ErrorCode::kInvalidArgument, "array '{}': {}", array.name, zip_strerror(archive));
  }
  const auto at = static_cast<zip_uint64_t>(index);
  const zip_int32_t method = compression == NpzCompression::kStored ? ZIP_CM_STORE : ZIP_CM_DEFLATE;
  constexpr zip_uint16_t kFirstDosDay = 1 << 5 | 1;  // 1980-01-01, as numpy writes: the same bytes every time
  if (zip_set_file_compression(archive, at, method, 0) != 0 ||
      zip_file_set_dostime(archive, at, 0, kFirstDosDay, 0) != 0) {
    return fail(ErrorCode::kInternal, "array '{}': {}", array.name, zip_strerror(archive));
  }
  return {};
}

}  // namespace

Status write_npz(const std::string& path, std::span<const Array> arrays, NpzCompression compression) {
  // libzip leaves no file where an archive would be empty.
  if (arrays.empty()) return fail(ErrorCode::kInvalidArgument, "cannot write {}: there are no arrays", path);
  std::vector<std::string> headers;
  std::set<std::string_view> names;
  for (const Array& array : arrays) {
    if (array.name.empty() || !names.insert(array.name).second) {
      return fail(ErrorCode::kInvalidArgument, "cannot write {}: array name '{}' is empty or repeated", path,
                  array.name);
    }
    auto header = npy_header_for(array);
    if (!header) return with_context(std::move(header).error(), path);
    headers.push_back(*std::move(header));
  }
  FB_TRY(load_zip());
  int code = 0;
  Zip archive(zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (!archive) return fail(ErrorCode::kIo, "cannot write {}: {}", path, text_of(code));
  for (size_t i = 0; i < arrays.size(); ++i) {
    auto added = add_member(archive.get(), headers[i], arrays[i], compression);
    if (!added) return with_context(std::move(added).error(), path);
  }
  // libzip writes a temporary beside the path and renames it over it; on an error the old file stays.
  if (zip_close(archive.get()) != 0) {
    return fail(ErrorCode::kIo, "cannot write {}: {}", path, zip_strerror(archive.get()));
  }
  archive.release();
  return {};
}

}  // namespace fewbits::calibrate
