// fewbits: the command line tool. One file a command; this one parses, dispatches and reports errors.
#include <fmt/format.h>

#include <cstdio>
#include <cstring>

#include "command.h"
#include "fewbits/version.h"
#include "help.h"
#include "interrupt.h"

namespace fewbits::cli {
namespace {

constexpr const char* kDescription =
    "fewbits stores a trained neural network (.tflite, ONNX, SavedModel, Keras) in few bits as .tflite, shows how far "
    "its "
    "answers moved, and runs it.";
constexpr const char* kExamples =
    "Examples:\n"
    "  fewbits quantize model.tflite -o small.tflite --mode weights\n"
    "  fewbits quantize model.tflite -o int8.tflite --mode int8 --calibrate pictures/ --mean 127.5 --std 127.5\n"
    "  fewbits compare model.tflite int8.tflite --data pictures/ --layers\n"
    "  fewbits inspect int8.tflite --why\n"
    "\n"
    "fewbits COMMAND --help explains a command. Exit codes: 0 done; 1 the model or the data do not allow it; 2 the "
    "command line\n"
    "does not make sense. With --json, errors are {\"error\": {\"code\", \"message\"}} on stdout.";

bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) return true;
  }
  return false;
}

int report(const std::string& message, const char* code, int exit_code, bool json) {
  if (json) print_json({{"error", {{"code", code}, {"message", message}}}});
  fmt::print(stderr, "fewbits: {}\n", message);
  return exit_code;
}

std::string help_hint(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return fmt::format("fewbits {}--help explains the command line", chosen.empty() ? "" : chosen[0]->get_name() + " ");
}

int run(int argc, char** argv) {
  CommonFlags common;
  Action action;
  CLI::App app(kDescription, "fewbits");
  app.footer(kExamples);
  app.set_version_flag("--version", std::string("fewbits ") + version(), "Print the version");
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "Print this help");
  for (const auto add : {add_convert, add_quantize, add_calibrate, add_run, add_compare, add_eval, add_inspect,
                         add_report, add_bench, add_operators})
    add(app, common, action);
  const bool json = asks_for_json(argc, argv);
  try {
    const auto named = [&](const CLI::App* command) { return argc > 1 && command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty()) {
      throw UsageError(fmt::format("there is no command '{}'", argv[1]));
    }
    app.parse(argc, argv);
    const Status status = action();
    if (!status) return report(status.error().message, error_code_name(status.error().code), kExitWork, json);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return report(fmt::format("{}; {}", error.what(), help_hint(app)), "usage", kExitUsage, json);
  } catch (const UsageError& error) {
    return report(fmt::format("{}; {}", error.what(), help_hint(app)), "usage", kExitUsage, json);
  } catch (const std::exception& error) {
    return report(fmt::format("unexpected: {}", error.what()), error_code_name(ErrorCode::kInternal), kExitWork, json);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return report("cannot write to the standard output", error_code_name(ErrorCode::kIo), kExitWork, false);
  }
  return 0;
}

}  // namespace

CLI::App* add_command(CLI::App& app, CommonFlags& common, const std::string& name, const std::string& description,
                      const std::string& examples) {
  CLI::App* command = app.add_subcommand(name, description);
  command->footer("Examples:\n" + examples);
  command->add_flag("--json", common.json, "Print one JSON document instead of text");
  command->add_flag("--quiet,-q", common.quiet, "Print nothing but errors");
  return command;
}

void print_json(const Json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace fewbits::cli

int main(int argc, char** argv) {
  fewbits::cli::handle_interrupts();
  return fewbits::cli::run(argc, argv);
}
