// Statistics as a small JSON file, with the preprocessing that made them.
#pragma once

#include <string>

#include "calibrate/dataset.h"
#include "ir/statistics.h"

namespace fewbits::calibrate {

struct StatisticsFile {
  Statistics statistics;
  PreprocessOptions preprocess;
};

// Written through a temporary and renamed. Numbers keep every bit.
Status save_statistics(const StatisticsFile& file, const std::string& path);
// Errors name the file and what is wrong; any bytes are safe.
Result<StatisticsFile> load_statistics(const std::string& path);
Result<StatisticsFile> parse_statistics(const std::string& text, const std::string& name);
std::string statistics_text(const StatisticsFile& file);

}  // namespace fewbits::calibrate
