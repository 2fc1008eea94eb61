// Operators on resources: VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, HASHTABLE, HASHTABLE_IMPORT, HASHTABLE_FIND,
// HASHTABLE_SIZE.
//
// How resources are represented: a tensor of type RESOURCE holds the text of a key into the session's ResourceStore
// (its bytes are the characters, without an end mark), so a handle is a value like any other and may go through
// subgraphs.
//   variables  "container/shared_name" of VAR_HANDLE's options. READ_VARIABLE of one that was never assigned is an
//   error. tables     the decimal table_id of HASHTABLE's options. A table exists once it was imported; later imports
//   are ignored,
//              of equal keys the first counts (as LiteRT). Keys are stored in ascending order, so FIND is a binary
//              search.
// Tables map int64 to string or string to int64, as in LiteRT.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> variable_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_var_handle(const OpContext& context);
Result<Prepared> prepare_read_variable(const OpContext& context);
Result<Prepared> prepare_assign_variable(const OpContext& context);
// table_kernels.cc
Result<Prepared> prepare_hashtable(const OpContext& context);
Result<Prepared> prepare_hashtable_import(const OpContext& context);
Result<Prepared> prepare_hashtable_find(const OpContext& context);
Result<Prepared> prepare_hashtable_size(const OpContext& context);

}  // namespace fewbits::ops
