// Finding chains of pointwise operators, and their tables.
#include "runtime/byte_chains.h"

#include <algorithm>
#include <array>

#include "ops/evaluate.h"

namespace fewbits::runtime {
namespace {

constexpr size_t kBytes = 256;

bool is_byte(DType type) noexcept { return type == DType::kInt8 || type == DType::kUInt8; }

const TensorInfo& info_of(ValueId id, std::span<const TensorInfo> infos) { return infos[static_cast<size_t>(id)]; }

// An operand that is the same for all elements.
bool is_scalar_constant(const TensorInfo& info) { return info.is_const && info.data != nullptr && info.count() == 1; }

}  // namespace

// The chain that ends in `node`: back to where its inputs' chains begin (through), or of the node alone.
std::optional<ByteChain> ByteChains::trace(const Node& node, std::span<const TensorInfo> infos, bool through) const {
  ByteChain chain;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) return std::nullopt;
    if (is_scalar_constant(info_of(id, infos))) continue;
    const auto made = through ? made_by_.find(id) : made_by_.end();
    const ValueId source = made == made_by_.end() ? id : made->second.source;
    if (chain.source != kNoValue && chain.source != source) return std::nullopt;
    chain.source = source;
    if (made == made_by_.end()) continue;
    for (NodeId before : made->second.nodes) {
      if (std::find(chain.nodes.begin(), chain.nodes.end(), before) == chain.nodes.end()) chain.nodes.push_back(before);
    }
  }
  if (chain.source == kNoValue) return std::nullopt;
  return chain;
}

// Whether only the chain reads what its nodes but the last make.
bool ByteChains::hidden(const ByteChain& chain) const {
  const auto inside = [&](NodeId id) {
    return std::find(chain.nodes.begin(), chain.nodes.end(), id) != chain.nodes.end();
  };
  for (size_t i = 0; i + 1 < chain.nodes.size(); ++i) {
    const ValueId value = graph_.node(chain.nodes[i]).outputs[0];
    const auto consumers = uses_.consumers(value);
    if (uses_.is_graph_output(value) || !std::all_of(consumers.begin(), consumers.end(), inside)) return false;
  }
  return true;
}

std::optional<ByteChain> ByteChains::add(NodeId id, std::span<const TensorInfo> infos) {
  const Node& node = graph_.node(id);
  const OpDef* def = find_op(node);
  if (def == nullptr || !(def->flags & kPointwise) || (def->flags & kStateful) || node.outputs.size() != 1)
    return std::nullopt;
  const TensorInfo& output = info_of(node.outputs[0], infos);
  for (const bool through : {true, false}) {
    auto chain = trace(node, infos, through);
    if (!chain) continue;
    const TensorInfo& source = info_of(chain->source, infos);
    const bool plain = !source.is_const && !source.dynamic && !output.dynamic && !source.is_variable &&
                       !source.quant->per_axis() && !output.quant->per_axis();
    if (!plain || !is_byte(source.dtype) || source.shape != output.shape) continue;
    chain->nodes.push_back(id);
    if (!hidden(*chain)) continue;
    made_by_[node.outputs[0]] = *chain;
    const bool fuses = chain->nodes.size() > 1 && is_byte(output.dtype);
    return fuses ? chain : std::nullopt;
  }
  return std::nullopt;
}

Result<ByteTable> ByteChains::table(const ByteChain& chain, std::span<const TensorInfo> infos) const {
  std::array<uint8_t, kBytes> bytes;
  for (size_t i = 0; i < kBytes; ++i) bytes[i] = static_cast<uint8_t>(i);
  std::map<ValueId, OwnedTensor> made;
  for (NodeId id : chain.nodes) {
    const Node& node = graph_.node(id);
    std::vector<TensorInfo> inputs;
    for (ValueId value : node.inputs) {
      TensorInfo input = info_of(value, infos);
      const auto known = made.find(value);
      if (value == chain.source || known != made.end()) {
        input.shape = {static_cast<int32_t>(kBytes)};
        input.data = value == chain.source ? static_cast<const void*>(bytes.data()) : known->second.bytes.data();
        input.is_const = true;
      }
      inputs.push_back(std::move(input));
    }
    FB_ASSIGN(auto outputs, ops::fold_node(model_, graph_, id, inputs));
    if (!outputs) return fail(ErrorCode::kInternal, "{}: cannot be run on bytes", describe_node(graph_, id));
    made[node.outputs[0]] = std::move(outputs->front());
  }
  const OwnedTensor& result = made[graph_.node(chain.nodes.back()).outputs[0]];
  if (result.bytes.size() != kBytes) {
    return fail(ErrorCode::kInternal, "{}: is no function of a byte", describe_node(graph_, chain.nodes.back()));
  }
  ByteTable table;
  std::transform(result.bytes.begin(), result.bytes.end(), table.begin(),
                 [](std::byte b) { return std::to_integer<uint8_t>(b); });
  return table;
}

std::string ByteChains::describe(const ByteChain& chain) const {
  std::string text;
  for (NodeId id : chain.nodes) text += (text.empty() ? "" : ", ") + graph_.node(id).type_name();
  return text;
}

}  // namespace fewbits::runtime
