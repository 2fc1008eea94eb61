// Text in columns, and numbers as people read them.
#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fewbits::cli {
namespace {

// Characters on the screen: UTF-8 continuation bytes take none.
size_t display_width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

void Table::print(size_t indent) const {
  std::vector<size_t> widths;
  std::vector<std::string> titles;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(display_width(column.title));
  }
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], display_width(row[c]));
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line(indent, ' ');
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - display_width(row[c]), ' ');
      const bool right = columns_[c].align == Align::kRight, last = c + 1 == row.size();
      line += right ? space + row[c] : row[c] + (last ? "" : space);
      if (!last) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  };
  if (std::any_of(titles.begin(), titles.end(), [](const std::string& t) { return !t.empty(); })) print_row(titles);
  for (const auto& row : rows_) print_row(row);
}

std::string short_name(const std::string& name) {
  const size_t fused = static_cast<size_t>(std::count(name.begin(), name.end(), ';'));
  return fused == 0 ? name : fmt::format("{} (+{})", name.substr(0, name.find(';')), fused);
}

std::string bytes_text(size_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (value < 999.95e3) return fmt::format("{:.1f} kB", value / 1e3);
  if (value < 999.95e6) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.2f} GB", value / 1e9);
}

std::string count_text(size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string decibel_text(double decibel) {
  if (std::isinf(decibel)) return decibel > 0 ? "exact" : "-inf";
  return fmt::format("{:.2f}", decibel);
}

std::string percent_text(double share) { return fmt::format("{:.1f} %", share * 100); }

}  // namespace fewbits::cli
