// Checks of arguments.
#include "api/runtime/checks.h"

namespace fewbits::api {

Status check_threads(int threads) {
  constexpr int kMost = 64;
  if (threads >= 1 && threads <= kMost) return {};
  return fail(ErrorCode::kInvalidArgument, "threads must be 1 to {}, not {}", kMost, threads);
}

Status check_model(const ModelPtr& model) {
  if (model != nullptr) return {};
  return fail(ErrorCode::kInvalidArgument, "there is no model: the pointer is null");
}

}  // namespace fewbits::api
