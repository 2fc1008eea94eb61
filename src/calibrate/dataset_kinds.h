// The kinds of dataset behind open_dataset(): one factory each.
#pragma once

#include <memory>
#include <string>

#include "calibrate/dataset.h"
#include "calibrate/dataset_files.h"
#include "calibrate/npy_rows.h"
#include "calibrate/npy_zip.h"

namespace fewbits::calibrate {

using DatasetResult = Result<std::unique_ptr<Dataset>>;

// Pictures, sounds or raw files. The list is not empty.
std::unique_ptr<Dataset> file_dataset(FileList list, const DatasetOptions& options);
// One sample a .npz or .npy file.
std::unique_ptr<Dataset> array_file_dataset(FileList list, const DatasetOptions& options);
// A .npz with samples along the first dimensions.
DatasetResult npz_dataset(const std::string& path, const DatasetOptions& options);
DatasetResult npy_dataset(const std::string& path, const DatasetOptions& options);

}  // namespace fewbits::calibrate
