// Gives every value of a graph a name of its own: passes copy names, and tools that read the file look tensors up by them.
#include <set>
#include <string>

#include "passes/pipeline.h"

namespace fewbits::passes {

void unique_names(Graph& graph) {
  std::set<std::string, std::less<>> taken;
  const auto keep = [&](ValueId id) { return taken.insert(graph.value(id).name).second; };
  // What callers know comes first: outputs and inputs keep their names.
  std::vector<bool> done(graph.value_count(), false);
  for (const auto* list : {&graph.inputs, &graph.outputs}) {
    for (ValueId id : *list) {
      if (!done[static_cast<size_t>(id)]) done[static_cast<size_t>(id)] = keep(id);
    }
  }
  for (size_t i = 0; i < done.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (done[i] || keep(id)) continue;
    const std::string name = graph.value(id).name;
    for (int number = 2; !keep(id); ++number) graph.value(id).name = name + "/" + std::to_string(number);
  }
}

}  // namespace fewbits::passes
