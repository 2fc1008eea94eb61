// The OpDef table of the resource family.
#include "ops/variable/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

Status infer_scalar(OpContext& context) {
  context.outputs[0].shape = {};
  return {};
}
Status infer_one(OpContext& context) {
  context.outputs[0].shape = {1};
  return {};
}
Status infer_nothing(OpContext&) { return {}; }

// Found values have the shape of the keys; strings have no size that a plan could know.
Status infer_find(OpContext& context) {
  if (context.outputs[0].dtype == DType::kString || any_dynamic(context)) return infer_dynamic(context);
  context.outputs[0].shape = context.inputs[1].shape;
  return {};
}

const OpDef kOps[] = {
    {.op = Op::VAR_HANDLE, .inputs = {0, 0}, .flags = kStateful, .infer = infer_scalar, .prepare = prepare_var_handle},
    {.op = Op::READ_VARIABLE, .flags = kStateful, .infer = infer_dynamic, .prepare = prepare_read_variable},
    {.op = Op::ASSIGN_VARIABLE,
     .inputs = {2, 2},
     .outputs = {0, 0},
     .flags = kStateful,
     .infer = infer_nothing,
     .prepare = prepare_assign_variable},
    {.op = Op::HASHTABLE, .inputs = {0, 0}, .flags = kStateful, .infer = infer_one, .prepare = prepare_hashtable},
    {.op = Op::HASHTABLE_IMPORT,
     .inputs = {3, 3},
     .outputs = {0, 0},
     .flags = kStateful,
     .infer = infer_nothing,
     .prepare = prepare_hashtable_import},
    {.op = Op::HASHTABLE_FIND,
     .inputs = {3, 3},
     .flags = kStateful,
     .infer = infer_find,
     .prepare = prepare_hashtable_find},
    {.op = Op::HASHTABLE_SIZE, .flags = kStateful, .infer = infer_one, .prepare = prepare_hashtable_size},
};

}  // namespace

std::span<const OpDef> variable_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
