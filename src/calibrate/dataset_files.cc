// Listing folders of samples.
#include "calibrate/dataset_files.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <map>
#include <utility>

namespace fewbits::calibrate {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<std::string_view, FileKind> kEndings[] = {
    {".jpg", FileKind::kPicture}, {".jpeg", FileKind::kPicture}, {".png", FileKind::kPicture},
    {".wav", FileKind::kSound},   {".npz", FileKind::kNpz},      {".npy", FileKind::kNpy},
    {".bin", FileKind::kRaw},     {".raw", FileKind::kRaw},
};

bool ends_with_ignoring_case(std::string_view name, std::string_view ending) noexcept {
  if (name.size() < ending.size()) return false;
  return std::equal(ending.begin(), ending.end(), name.end() - static_cast<ptrdiff_t>(ending.size()),
                    [](char e, char n) { return e == std::tolower(static_cast<unsigned char>(n)); });
}

tl::unexpected<Error> cannot_list(const std::string& folder, const std::error_code& error) {
  return fail(error == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound : ErrorCode::kIo,
              "cannot list {}: {}", folder, error.message());
}

bool hidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

// All files under `folder`, relative to it. Links to files are followed, those to folders are not: they may lead in a
// circle.
Result<std::vector<std::string>> files_under(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // a dangling link is no sample
    if (hidden(it->path())) {
      if (it->is_directory(gone)) it.disable_recursion_pending();
    } else if (it->is_regular_file(gone)) {
      files.push_back(it->path().lexically_relative(folder).native());
    }
  }
  if (error) return cannot_list(folder, error);
  return files;
}

struct Entries {
  std::vector<std::string> files;
  std::vector<std::string> folders;
};

Result<Entries> entries_of(const std::string& folder) {
  Entries entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (hidden(it->path())) continue;
    std::error_code gone;
    if (it->is_directory(gone)) entries.folders.push_back(it->path().filename().native());
    if (it->is_regular_file(gone)) entries.files.push_back(it->path().filename().native());
  }
  if (error) return cannot_list(folder, error);
  std::sort(entries.folders.begin(), entries.folders.end());
  std::sort(entries.files.begin(), entries.files.end());
  return entries;
}

using FilesByKind = std::map<FileKind, std::vector<std::string>>;

void sort_in(FilesByKind& kinds, const std::vector<std::string>& files, const std::string& subfolder) {
  for (const std::string& file : files) {
    if (const auto kind = file_kind(file)) kinds[*kind].push_back(subfolder.empty() ? file : subfolder + "/" + file);
  }
}

std::optional<int32_t> whole_number(std::string_view text) noexcept {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string_view last_part(std::string_view path) noexcept { return path.substr(path.rfind('/') + 1); }
std::string_view first_part(std::string_view path) noexcept { return path.substr(0, path.find('/')); }

// Labels that stand before each name's underscore; none unless all names have one.
void label_by_prefix(FileList& list) {
  for (const std::string& file : list.files) {
    const auto label = label_prefix(last_part(file));
    if (!label) return list.labels.clear();
    list.labels.push_back(*label);
  }
}

// Labels from the first folder of each path: its name when all are numbers, else its place among them.
void label_by_folder(FileList& list) {
  std::map<std::string_view, int32_t> classes;
  for (const std::string& file : list.files) classes.emplace(first_part(file), 0);
  const bool numbers = std::all_of(classes.begin(), classes.end(), [](const auto& c) { return whole_number(c.first); });
  int32_t next = 0;
  for (auto& [name, label] : classes) {
    label = numbers ? *whole_number(name) : next++;
    if (!numbers) list.class_names.emplace_back(name);
  }
  for (const std::string& file : list.files) list.labels.push_back(classes.at(first_part(file)));
}

// One subfolder an input: the same names in each of them.
Status split_raw_inputs(FileList& list) {
  std::map<std::string, std::vector<std::string>> by_folder;
  for (const std::string& file : list.files) {
    const std::string folder(first_part(file));
    by_folder[folder].push_back(file.substr(folder.size() + 1));
  }
  list.files = by_folder.begin()->second;
  for (const auto& [folder, files] : by_folder) {
    const auto [here, there] = std::mismatch(list.files.begin(), list.files.end(), files.begin(), files.end());
    if (here != list.files.end() || there != files.end()) {
      return fail(ErrorCode::kInvalidData,
                  "{}: subfolders {} and {} must hold the same file names, but {} is in one only", list.folder,
                  by_folder.begin()->first, folder,
                  there == files.end() || (here != list.files.end() && *here < *there) ? *here : *there);
    }
    list.input_folders.push_back(folder);
  }
  return {};
}

Result<FileList> only_kind(const std::string& folder, FilesByKind kinds) {
  if (kinds.empty()) {
    return fail(
        ErrorCode::kInvalidData,
        "{} holds no samples: expected pictures (.jpg, .png), sounds (.wav), .npz, .npy or raw files (.bin, .raw)",
        folder);
  }
  if (kinds.size() > 1) {
    return fail(ErrorCode::kInvalidData, "{} holds both {} and {}; give a folder with one kind", folder,
                kind_name(kinds.begin()->first), kind_name(std::next(kinds.begin())->first));
  }
  FileList list{kinds.begin()->first, folder, std::move(kinds.begin()->second)};
  std::sort(list.files.begin(), list.files.end());
  return list;
}

}  // namespace

std::optional<FileKind> file_kind(std::string_view name) noexcept {
  for (const auto& [ending, kind] : kEndings) {
    if (ends_with_ignoring_case(name, ending)) return kind;
  }
  return std::nullopt;
}

const char* kind_name(FileKind kind) noexcept {
  switch (kind) {
    case FileKind::kPicture: return "pictures";
    case FileKind::kSound: return "sounds";
    case FileKind::kNpz: return ".npz files";
    case FileKind::kNpy: return ".npy files";
    case FileKind::kRaw: return "raw files";
  }
  return "files";
}

std::optional<int32_t> label_prefix(std::string_view name) noexcept {
  const size_t underscore = name.find('_');
  return underscore == std::string_view::npos ? std::nullopt : whole_number(name.substr(0, underscore));
}

Result<FileList> list_files(const std::string& given) {
  std::string folder = given;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  FB_ASSIGN(const Entries entries, entries_of(folder));
  FilesByKind at_top, below;
  sort_in(at_top, entries.files, {});
  for (const std::string& subfolder : entries.folders) {
    FB_ASSIGN(const auto files, files_under(folder + "/" + subfolder));
    sort_in(below, files, subfolder);
  }
  if (!at_top.empty() && !below.empty()) {
    return fail(ErrorCode::kInvalidData, "{} holds samples in itself ({}) and in subfolders ({}); give one of them",
                folder, at_top.begin()->second.front(), below.begin()->second.front());
  }
  const bool nested = at_top.empty();
  FB_ASSIGN(FileList list, only_kind(folder, std::move(nested ? below : at_top)));
  if (!nested) {
    label_by_prefix(list);
  } else if (list.kind == FileKind::kRaw) {
    FB_TRY(split_raw_inputs(list));
    label_by_prefix(list);
  } else {
    label_by_folder(list);
  }
  return list;
}

}  // namespace fewbits::calibrate
