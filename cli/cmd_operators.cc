// fewbits operators: what is known of each operator.
#include <fmt/format.h>

#include "command.h"
#include "fewbits/model.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits operators\n"
    "      every operator that fewbits runs, and the modes that give it integers\n"
    "  fewbits operators --json\n"
    "      the same for a program; docs/operators.md is made of it";

const char* weights_name(OperatorSupport::Weights weights) {
  switch (weights) {
    case OperatorSupport::Weights::kHybrid: return "hybrid";
    case OperatorSupport::Weights::kStored: return "stored";
    default: return "";
  }
}

Status run(const CommonFlags& common) {
  const std::vector<OperatorSupport> operators = describe_operators();
  if (common.json) {
    Json list = Json::array();
    for (const OperatorSupport& op : operators) {
      list.push_back({{"type", op.type},
                      {"custom", op.custom},
                      {"inputs", {op.min_inputs, op.max_inputs}},
                      {"int8", op.int8},
                      {"int16", op.int16},
                      {"weights", weights_name(op.weights)}});
    }
    print_json(list);
  } else if (!common.quiet) {
    Table table({{"operator"}, {"int8"}, {"int16x8"}, {"weights"}});
    const auto mark = [](bool has) { return has ? "yes" : "-"; };
    for (const OperatorSupport& op : operators) {
      const std::string weights = weights_name(op.weights);
      table.add({op.type, mark(op.int8), mark(op.int16), weights.empty() ? "-" : weights});
    }
    table.print();
    fmt::print(
        "{}; all run in float where their types are. weights: hybrid ones multiply in int8, stored ones in float\n",
        count_text(operators.size(), "operator"));
  }
  return {};
}

}  // namespace

void add_operators(CLI::App& app, CommonFlags& common, Action& action) {
  CLI::App* command = add_command(
      app, common, "operators", "List the operators that fewbits runs, and what quantization makes of them", kExamples);
  command->callback([&common, &action] { action = [&common] { return run(common); }; });
}

}  // namespace fewbits::cli
