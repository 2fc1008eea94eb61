// The text of --help.
#include "help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace fewbits::cli {
namespace {

constexpr size_t kPage = 100;   // characters a line
constexpr size_t kColumn = 28;  // where descriptions begin

std::string wrapped(const std::string& text, size_t indent, size_t first_line_used) {
  std::string out;
  size_t used = first_line_used;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (used > indent && used + 1 + word.size() > kPage) {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (used > indent) {
      out += " ";
      ++used;
    }
    out += word;
    used += word.size();
    begin = end + 1;
  }
  return out;
}

std::string entry(const std::string& head, const std::string& text) {
  std::string out = "  " + head;
  if (out.size() + 2 > kColumn) {
    out += "\n" + std::string(kColumn, ' ');
  } else {
    out.resize(kColumn, ' ');
  }
  return out + wrapped(text, kColumn, kColumn) + "\n";
}

// "-o, --output OUT". A check adds its own description to the type's name behind a colon; the text says it better.
std::string option_head(const CLI::Option* option) {
  std::vector<std::string> names;
  for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  std::string type = option->get_type_name();
  type = type.substr(0, type.find(':'));
  const bool takes_value = option->get_type_size() != 0 && !type.empty();
  return fmt::format("{}{}{}", fmt::join(names, ", "), takes_value ? " " : "", takes_value ? type : "");
}

std::string options_of(const CLI::App* app) {
  std::string out;
  for (const std::string& group : app->get_groups()) {
    if (group.empty()) continue;
    const auto options =
        app->get_options([&](const CLI::Option* o) { return o->get_group() == group && o->nonpositional(); });
    if (options.empty()) continue;
    out += fmt::format("\n{}:\n", group);
    for (const CLI::Option* option : options) {
      out += entry(option_head(option), (option->get_required() ? "(required) " : "") + option->get_description());
    }
  }
  return out;
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  const auto positionals = app->get_options([](const CLI::Option* option) { return option->get_positional(); });
  const auto commands = app->get_subcommands([](const CLI::App*) { return true; });
  std::string usage = app->get_name();
  for (const CLI::App* parent = app->get_parent(); parent != nullptr; parent = parent->get_parent()) {
    usage = parent->get_name() + " " + usage;
  }
  usage += commands.empty() ? " [options]" : " COMMAND [options]";
  for (const CLI::Option* option : positionals) {
    usage += option->get_required() ? " " + option->get_name() : fmt::format(" [{}]", option->get_name());
  }
  std::string out = fmt::format("{}\n\nUsage: {}\n", wrapped(app->get_description(), 0, 0), usage);
  if (!positionals.empty()) out += "\n";
  for (const CLI::Option* option : positionals) out += entry(option->get_name(), option->get_description());
  if (!commands.empty()) out += "\nCommands:\n";
  for (const CLI::App* command : commands) out += entry(command->get_name(), command->get_description());
  return out + options_of(app) + "\n" + app->get_footer() + "\n";
}

}  // namespace fewbits::cli
