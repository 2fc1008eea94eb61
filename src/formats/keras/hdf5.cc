// libhdf5 behind values: identifiers close themselves, its printing is off, sizes are checked before memory is asked for.
#include "formats/keras/hdf5.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "base/checked.h"
#include "base/pages.h"
#include "formats/keras/lazy_hdf5.h"

namespace fewbits::keras {
namespace {

constexpr size_t kMaxText = size_t{1} << 30;
constexpr size_t kMostPages = size_t{1} << 20;  // of a mapped file, read and not given back
constexpr size_t kMaxGrowth = 1100;             // zlib's best ratio: what a dataset may have grown from

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}
using Lock = std::lock_guard<std::mutex>;

void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

// How files are opened: of what describes datasets, which the library keeps for as long as a file is open, little is kept, as
// each dataset is read once; and what it has freed it gives back.
hid_t new_access() {
  constexpr int kKept = 1 << 16;  // bytes of each kind of what was freed
  H5set_free_list_limits(kKept, kKept, kKept, kKept, kKept, kKept);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5AC_cache_config_t cache{};
  cache.version = H5AC__CURR_CACHE_CONFIG_VERSION;
  if (access < 0 || H5Pget_mdc_config(access, &cache) < 0) return access;
  cache.set_initial_size = true;
  cache.initial_size = cache.min_size = cache.max_size = size_t{1} << 18;
  H5Pset_mdc_config(access, &cache);
  return access;
}

// An identifier that closes itself.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t)) noexcept : id_(id), close_(close) {}
  ~Id() {
    if (id_ >= 0) close_(id_);
  }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  hid_t get() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// The sizes of a dataspace; nothing when they are absurd.
std::optional<std::vector<hsize_t>> sizes_of(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > H5S_MAX_RANK) return std::nullopt;
  std::vector<hsize_t> sizes(static_cast<size_t>(rank));
  if (rank > 0 && H5Sget_simple_extent_dims(space, sizes.data(), nullptr) < 0) return std::nullopt;
  return sizes;
}

// A link that leads out of the file, or one of its parts that does: nothing outside the model's file is read.
bool leads_out(hid_t file, const std::string& path) {
  H5L_info_t link;
  return H5Lget_info(file, path.c_str(), &link, H5P_DEFAULT) < 0 || link.type == H5L_TYPE_EXTERNAL;
}

// Elements that lie in files of their own.
bool is_stored_elsewhere(hid_t dataset) {
  const Id properties(H5Dget_create_plist(dataset), H5Pclose);
  if (!properties) return true;
  const H5D_layout_t layout = H5Pget_layout(properties.get());
  return layout < 0 || layout == H5D_VIRTUAL || H5Pget_external_count(properties.get()) != 0;
}

// The library would copy a file in memory twice. It is lent the one copy instead, reads it and never writes.
void* lend(size_t size, H5FD_file_image_op_t, void* image) {
  const auto bytes = static_cast<const Member*>(image)->bytes;
  return size == bytes.size() ? const_cast<uint8_t*>(bytes.data()) : nullptr;
}
void* leave(void* target, const void*, size_t, H5FD_file_image_op_t, void*) { return target; }
void* lend_again(void* held, size_t size, H5FD_file_image_op_t, void* image) {
  return size == static_cast<const Member*>(image)->bytes.size() ? held : nullptr;
}
herr_t keep(void*, H5FD_file_image_op_t, void*) { return 0; }
void* same(void* image) { return image; }
herr_t none(void*) { return 0; }

std::string trimmed(const char* text, size_t most) { return std::string(text, strnlen(text, most)); }

}  // namespace

struct Hdf5File::Handle {
  explicit Handle(hid_t file, std::shared_ptr<const Member> image = nullptr) : id(file), member(std::move(image)) {}
  ~Handle() {
    const Lock lock(library_mutex());
    H5Fclose(id);
  }
  hid_t id;
  std::shared_ptr<const Member> member;  // a file in memory
  mutable size_t read_since = 0;         // bytes since memory was given back; under the mutex
};

Result<Hdf5File> Hdf5File::open(const std::string& path) {
  FB_TRY(load_hdf5());
  const Lock lock(library_mutex());
  silence();
  const Id access(new_access(), H5Pclose);
  const hid_t id = access ? H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()) : -1;
  if (id < 0) return fail(ErrorCode::kInvalidModel, "{}: cannot be read as HDF5: it is cut off or damaged", path);
  Hdf5File out;
  out.name_ = path;
  out.handle_ = std::make_shared<const Handle>(id);
  return out;
}

Result<Hdf5File> Hdf5File::from_member(const Member& member, const std::string& name) {
  FB_TRY(load_hdf5());
  const auto image = std::make_shared<Member>(member);
  const Lock lock(library_mutex());
  silence();
  const Id access(new_access(), H5Pclose);
  H5FD_file_image_callbacks_t callbacks = {lend, leave, lend_again, keep, same, none, image.get()};
  const bool ready =
      access && H5Pset_fapl_core(access.get(), size_t{1} << 16, false) >= 0 &&
      H5Pset_file_image_callbacks(access.get(), &callbacks) >= 0 &&
      H5Pset_file_image(access.get(), const_cast<uint8_t*>(image->bytes.data()), image->bytes.size()) >= 0;
  const hid_t id = ready ? H5Fopen("image", H5F_ACC_RDONLY, access.get()) : -1;
  if (id < 0) return fail(ErrorCode::kInvalidModel, "{}: cannot be read as HDF5: it is cut off or damaged", name);
  Hdf5File out;
  out.name_ = name;
  out.handle_ = std::make_shared<const Handle>(id, image);
  return out;
}

bool Hdf5File::has(const std::string& object) const {
  const Lock lock(library_mutex());
  silence();
  // A link is asked for part by part: the library calls a missing group on the way an error.
  const auto is_there = [&](const std::string& path) {
    return H5Lexists(handle_->id, path.c_str(), H5P_DEFAULT) > 0 && !leads_out(handle_->id, path);
  };
  for (size_t end = object.find('/', 1); end != std::string::npos; end = object.find('/', end + 1)) {
    if (!is_there(object.substr(0, end))) return false;
  }
  return object == "/" || is_there(object);
}

bool Hdf5File::has_attribute(const std::string& object, const std::string& attribute) const {
  if (!has(object)) return false;
  const Lock lock(library_mutex());
  silence();
  return H5Aexists_by_name(handle_->id, object.c_str(), attribute.c_str(), H5P_DEFAULT) > 0;
}

Result<std::vector<std::string>> Hdf5File::texts(const std::string& object, const std::string& attribute) const {
  const Lock lock(library_mutex());
  silence();
  const auto unreadable = [&] {
    return fail(ErrorCode::kInvalidModel, "{}: the attribute '{}' of '{}' cannot be read", name_, attribute, object);
  };
  const Id attr(H5Aopen_by_name(handle_->id, object.c_str(), attribute.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attr) return unreadable();
  const Id type(H5Aget_type(attr.get()), H5Tclose), space(H5Aget_space(attr.get()), H5Sclose);
  if (!type || !space || H5Tget_class(type.get()) != H5T_STRING) {
    // An empty list has lost its type.
    return space && H5Sget_simple_extent_npoints(space.get()) == 0 ? Result<std::vector<std::string>>() : unreadable();
  }
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count < 0 || static_cast<size_t>(count) > kMaxText / sizeof(char*)) return unreadable();
  std::vector<std::string> out;
  if (count == 0) return out;
  if (H5Tis_variable_str(type.get()) > 0) {
    const Id memory(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(memory.get(), H5T_VARIABLE);
    H5Tset_cset(memory.get(), H5Tget_cset(type.get()));
    std::vector<char*> pointers(static_cast<size_t>(count), nullptr);
    if (H5Aread(attr.get(), memory.get(), pointers.data()) < 0) return unreadable();
    for (const char* text : pointers) out.push_back(text == nullptr ? std::string() : std::string(text));
    H5Dvlen_reclaim(memory.get(), space.get(), H5P_DEFAULT, pointers.data());
    return out;
  }
  const size_t size = H5Tget_size(type.get());
  const auto all = checked_mul(size, static_cast<size_t>(count));
  if (size == 0 || !all || *all > kMaxText) return unreadable();
  std::vector<char> buffer(*all);
  if (H5Aread(attr.get(), type.get(), buffer.data()) < 0) return unreadable();
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) out.push_back(trimmed(buffer.data() + i * size, size));
  return out;
}

Result<NumberArray> Hdf5File::read(const std::string& dataset) const {
  if (!has(dataset)) return fail(ErrorCode::kNotFound, "{}: has no weights '{}'", name_, dataset);
  const Lock lock(library_mutex());
  silence();
  const auto bad = [&](const char* why) {
    return fail(ErrorCode::kInvalidModel, "{}: the weights '{}' cannot be read: {}", name_, dataset, why);
  };
  const Id data(H5Dopen2(handle_->id, dataset.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data) return bad("they are no dataset");
  if (is_stored_elsewhere(data.get())) return bad("they are stored in another file");
  const Id type(H5Dget_type(data.get()), H5Tclose), space(H5Dget_space(data.get()), H5Sclose);
  if (!type || !space) return bad("their type is damaged");
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind != H5T_FLOAT && kind != H5T_INTEGER) return bad("they are no numbers");
  const auto sizes = sizes_of(space.get());
  if (!sizes) return bad("their shape is damaged");
  NumberArray out;
  for (hsize_t size : *sizes) {
    if (size > INT32_MAX) return bad("a size is beyond what a tensor may have");
    out.shape.push_back(static_cast<int32_t>(size));
  }
  const auto bytes = byte_size(DType::kFloat32, out.shape);
  hsize_t file_size = 0;
  if (H5Fget_filesize(handle_->id, &file_size) < 0) return bad("the file is damaged");
  const auto stored = static_cast<size_t>(std::min<hsize_t>(H5Dget_storage_size(data.get()), file_size));
  if (!bytes || *bytes / kMaxGrowth > stored + 1) return bad("their shape is larger than what is stored");
  std::vector<float> values(*bytes / sizeof(float));
  if (!values.empty() && H5Dread(data.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    return bad("the file is cut off or damaged");
  out.data = ConstData::own(std::move(values));
  handle_->read_since += *bytes;
  if (handle_->read_since > kMostPages) {
    if (handle_->member != nullptr && handle_->member->mapped) forget_pages(handle_->member->bytes);
    trim_heap();
    handle_->read_since = 0;
  }
  return out;
}

}  // namespace fewbits::keras
