// Text in columns, and numbers as people read them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fewbits::cli {

// Rows of cells; columns are as wide as their widest cell, two spaces apart. The last column is not padded: names go there.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // To stdout, indented by `indent` spaces, with the titles unless all are empty.
  void print(size_t indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A tensor's name as a table shows it: converters join the names of what they fused with ';', and the first says enough.
std::string short_name(const std::string& name);
std::string bytes_text(size_t bytes);                           // "18.6 MB", in powers of ten
std::string count_text(size_t count, const std::string& noun);  // "1 sample", "3 samples"
std::string decibel_text(double decibel);                       // "21.34", "exact" for infinity
std::string percent_text(double share);                         // "74.4 %"

}  // namespace fewbits::cli
