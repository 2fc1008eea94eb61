// Errors as values: every fallible function of fewbits returns a Status or a Result, and nothing throws across its boundary.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace fewbits {

enum class ErrorCode {
  kInvalidModel,     // the bytes or the graph of a model break the format's rules
  kInvalidArgument,  // the caller asked for something that cannot be
  kInvalidData,      // calibration or input data: wrong shape, type, NaN, empty
  kNotFound,         // a file, tensor, signature or operator that is not there
  kUnsupported,      // valid, but nothing here can do it
  kIo,               // the operating system refused: permission, disk full
  kResource,         // memory or a size limit
  kInternal,         // a bug in fewbits
};

// What went wrong, as a sentence that names the file, operator and tensor, and says what to do where that is known.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};
using Status = Result<void>;

// "invalid_model", "io": the names that JSON output uses.
constexpr const char* error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidModel: return "invalid_model";
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kInvalidData: return "invalid_data";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kResource: return "resource";
    default: return "internal";
  }
}

}  // namespace fewbits
