// A report as JSON, and as a page.
#pragma once

#include <string>

#include "report/data.h"

namespace fewbits::report {

std::string to_json(const Data& data);
// The page with the JSON, the style and the script inside: it loads nothing.
std::string to_html(const Data& data);

}  // namespace fewbits::report
