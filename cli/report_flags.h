// What the commands that write reports share.
#pragma once

#include <string>

#include "command.h"
#include "fewbits/report.h"
#include "flags.h"

namespace fewbits::cli {

// Writes the page and says so.
Status write_report(const Report& report, const std::string& path, const CommonFlags& common);

// The flags that prepare samples as these do: "--mean 127.5 --std 127.5".
std::string preprocess_text(const PreprocessFlags& flags);

}  // namespace fewbits::cli
