// TensorLists, which Keras's loops gather their results in, as one tensor of their elements.
#include "formats/options.h"
#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {
namespace {

Result<const Tensor*> list_of(const OpCall& op) {
  if (op.inputs.empty() || op.inputs[0].kind != Tensor::Kind::kList) return op.unsupported("it gets no TensorList");
  return &op.inputs[0];
}

Result<Tensors> reserve(const OpCall& op) {
  Tensor list{.kind = Tensor::Kind::kList};
  GraphBuilder& b = op.b();
  list.list_count = b.reshape(op.index(1), {});
  FB_ASSIGN(const DType dtype, dtype_of(op.attrs.type("element_dtype", tf::DT_FLOAT), "its elements"));
  // An element shape of several sizes that are all known; a scalar -1 is a rank that is not.
  const auto sizes = b.int_values(op.in(0));
  if (sizes && b.rank(op.in(0)) == 1 && std::none_of(sizes->begin(), sizes->end(), [](int64_t v) { return v < 0; })) {
    std::vector<ValueId> all{list.list_count};
    for (int64_t size : *sizes) all.push_back(b.int_scalar(static_cast<int32_t>(size)));
    list.value = b.node(Op::FILL, {b.pack(all, 0), b.scalar(0, dtype)}, formats::options(tflite::FillOptionsT()));
  }
  return Tensors{list};
}

Result<Tensors> from_tensor(const OpCall& op) { return Tensors{{.kind = Tensor::Kind::kList, .value = op.in(0)}}; }

Result<Tensors> get_item(const OpCall& op) {
  FB_ASSIGN(const Tensor* list, list_of(op));
  if (list->value == kNoValue) return op.unsupported("it reads a list that is empty");
  return one(op.b().gather(list->value, op.index(1), 0));
}

Result<Tensors> set_item(const OpCall& op) {
  FB_ASSIGN(const Tensor* list, list_of(op));
  GraphBuilder& b = op.b();
  Tensor out = *list;
  const ValueId item = op.in(2);
  if (list->value == kNoValue) {
    out.list_element = item;  // shapes the list; see rules_loop.cc
    return Tensors{out};
  }
  std::vector<ValueId> start{op.index(1)};
  for (int i = 1; i < b.rank(list->value); ++i) start.push_back(b.int_scalar(0));
  out.value = b.node(Op::DYNAMIC_UPDATE_SLICE, {list->value, b.expand_dims(item, {0}), b.pack(start, 0)},
                     formats::options(tflite::DynamicUpdateSliceOptionsT()));
  return Tensors{out};
}

Result<Tensors> stack(const OpCall& op) {
  FB_ASSIGN(const Tensor* list, list_of(op));
  if (list->value == kNoValue) return op.unsupported("it stacks a list that is empty");
  return one(list->value);
}

Result<Tensors> length(const OpCall& op) {
  FB_ASSIGN(const Tensor* list, list_of(op));
  return one(list->value == kNoValue ? list->list_count : op.b().size_of(list->value, 0));
}

constexpr RuleEntry kRules[] = {
    {"TensorListFromTensor", from_tensor}, {"TensorListGetItem", get_item}, {"TensorListLength", length},
    {"TensorListReserve", reserve},        {"TensorListSetItem", set_item}, {"TensorListStack", stack},
};

}  // namespace

std::span<const RuleEntry> list_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
