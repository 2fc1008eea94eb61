// Errors as values: every fallible function of fewbits returns a Status or a Result, and nothing throws across its boundary.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

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

// fail(code, "format {}", args...): an Error ready to be returned from a function that gives a Result.
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}
// The same error with "context: " before its message.
[[nodiscard]] inline tl::unexpected<Error> with_context(Error error, const std::string& context) {
  error.message = context + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace fewbits

#define FB_CONCAT_INNER(a, b) a##b
#define FB_CONCAT(a, b) FB_CONCAT_INNER(a, b)
// FB_TRY(expression): returns the error of a Status or Result from the enclosing function.
#define FB_TRY(expression)                                                                          \
  do {                                                                                              \
    auto&& fb_try_result = (expression);                                                            \
    if (!fb_try_result) return tl::unexpected<::fewbits::Error>(std::move(fb_try_result).error());   \
  } while (0)
// FB_ASSIGN(declaration, expression): declares or assigns the value of a Result, or returns its error.
#define FB_ASSIGN(declaration, expression)                                                                     \
  auto FB_CONCAT(fb_assign_, __LINE__) = (expression);                                                         \
  if (!FB_CONCAT(fb_assign_, __LINE__))                                                                        \
    return tl::unexpected<::fewbits::Error>(std::move(FB_CONCAT(fb_assign_, __LINE__)).error());               \
  declaration = *std::move(FB_CONCAT(fb_assign_, __LINE__))
