// What the commands share: how they are registered and how they end.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "fewbits/status.h"

namespace fewbits::cli {

using Json = nlohmann::ordered_json;

inline constexpr int kExitWork = 1;   // the model or the data do not allow it
inline constexpr int kExitUsage = 2;  // the command line does not make sense

// Flags that every command has.
struct CommonFlags {
  bool json = false;   // one JSON document on stdout, and nothing else
  bool quiet = false;  // errors only
};

// Thrown by a command for what its flags ask and cannot be; ends with kExitUsage.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The work that the command line chose.
using Action = std::function<Status()>;

// Each adds its subcommand to `app`, which sets `action` when it is chosen.
void add_convert(CLI::App& app, CommonFlags& common, Action& action);
void add_quantize(CLI::App& app, CommonFlags& common, Action& action);
void add_calibrate(CLI::App& app, CommonFlags& common, Action& action);
void add_run(CLI::App& app, CommonFlags& common, Action& action);
void add_compare(CLI::App& app, CommonFlags& common, Action& action);
void add_eval(CLI::App& app, CommonFlags& common, Action& action);
void add_inspect(CLI::App& app, CommonFlags& common, Action& action);
void add_report(CLI::App& app, CommonFlags& common, Action& action);
void add_bench(CLI::App& app, CommonFlags& common, Action& action);
void add_operators(CLI::App& app, CommonFlags& common, Action& action);

// A subcommand with the common flags; `examples` stands at the end of its help.
CLI::App* add_command(CLI::App& app, CommonFlags& common, const std::string& name, const std::string& description,
                      const std::string& examples);

void print_json(const Json& document);

}  // namespace fewbits::cli
