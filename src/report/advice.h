// What a report says in words.
#pragma once

#include <string>

#include "report/data.h"

namespace fewbits::report {

// Size, time, agreement, and what stayed float.
std::string verdict_of(const Data& data);
// What to try next, most useful first. `data_flags`: how a command is given the data; may be empty.
std::vector<Advice> advice_for(const Data& data, const std::string& data_flags);

std::string bytes_text(size_t bytes);  // "18.6 MB", in powers of ten

}  // namespace fewbits::report
