// The text of --help: options with their arguments, wrapped to the width of a page.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace fewbits::cli {

class HelpFormatter final : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace fewbits::cli
