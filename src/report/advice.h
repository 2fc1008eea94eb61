// What a report says in words.
#pragma once

#include <string>

#include "report/data.h"

namespace fewbits::report {

// Size, time, agreement, and what stayed float.
std::string verdict_of(const Data& data);
// What to try next, most useful first. `data_flags`: how a command is given the data, of data_words(); may be empty.
std::vector<Advice> advice_for(const Data& data, const std::string& data_flags);
// "pictures/ --mean 127.5", as a shell reads it; empty without a path.
std::string data_words(const std::string& path, const std::string& flags);

std::string bytes_text(size_t bytes);  // "18.6 MB", in powers of ten

}  // namespace fewbits::report
