// What the commands that write reports share.
#pragma once

#include <string>

#include "command.h"
#include "fewbits/report.h"
#include "flags.h"

namespace fewbits::cli {

// Writes the page and says so.
Status write_report(const Report& report, const std::string& path, const CommonFlags& common);

// What follows --data to prepare samples as these flags do: "pictures/ --mean 127.5".
std::string data_flags_text(const std::string& data, const PreprocessFlags& flags);

}  // namespace fewbits::cli
