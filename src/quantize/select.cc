// Which operators the user's patterns choose.
#include "quantize/select.h"

#include <algorithm>

namespace fewbits::quantize {

bool glob_match(const std::string& pattern, const std::string& text) {
  size_t p = 0, t = 0, star = std::string::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string not_selected(const Options& options, const std::string& type, const std::string& output) {
  const auto matches = [&](const std::string& pattern) { return pattern == type || glob_match(pattern, output); };
  for (const std::string& pattern : options.exclude) {
    if (matches(pattern)) return fmt::format("excluded by '{}'", pattern);
  }
  if (options.include.empty() || std::any_of(options.include.begin(), options.include.end(), matches)) return {};
  return "not among what is included";
}

}  // namespace fewbits::quantize
