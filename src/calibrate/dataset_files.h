// Folders of samples: which files there are, in which order, and what their names say about labels.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace fewbits::calibrate {

enum class FileKind { kPicture, kSound, kNpz, kNpy, kRaw };

// What a file is by its name's ending, letter case aside; nothing for any other.
std::optional<FileKind> file_kind(std::string_view name) noexcept;
const char* kind_name(FileKind kind) noexcept;  // "pictures", for messages

struct FileList {
  FileKind kind = FileKind::kPicture;
  std::string folder;
  std::vector<std::string> files;        // relative to folder, sorted by bytes
  std::vector<int32_t> labels;           // one per file, or empty: none
  std::vector<std::string> class_names;  // by label, where the order of class folders made the labels
  // Raw data of several inputs: the subfolders, sorted; `files` is then relative to each of them.
  std::vector<std::string> input_folders;

  std::string path(size_t index) const { return folder + "/" + files[index]; }
};

// The samples of a folder, as dataset.h tells them. kInvalidData when there is none, more than one kind, pictures both
// in the folder and in subfolders, or raw subfolders whose files do not match.
Result<FileList> list_files(const std::string& folder);

// The number that a name like 0042_n01440764.jpg begins with.
std::optional<int32_t> label_prefix(std::string_view name) noexcept;

}  // namespace fewbits::calibrate
