// The ways in and out of a model, by signature.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "fewbits/model.h"

namespace fewbits::api {

// As describe_signature().
Result<SignatureDescription> interface_of(const Model& model, const std::string& signature);

// The ways in and out of a subgraph, signatures aside; kInvalidArgument when there is none of this index.
Result<SignatureDescription> interface_of_subgraph(const Model& model, int32_t subgraph);

// Which of `specs` is called `name`: in the signature, or else as a tensor, with or without TensorFlow's "serving_default_" and
// ":0". `what` ("input") stands in the error, which lists the names that there are.
Result<size_t> find_spec(const std::vector<TensorSpec>& specs, std::string_view name, const char* what);

}  // namespace fewbits::api
