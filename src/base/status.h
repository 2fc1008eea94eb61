// How the library makes, passes on and decorates the errors of fewbits/status.h.
#pragma once

#include "fewbits/status.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace fewbits {

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
#define FB_TRY(expression)                                                                         \
  do {                                                                                             \
    auto&& fb_try_result = (expression);                                                           \
    if (!fb_try_result) return tl::unexpected<::fewbits::Error>(std::move(fb_try_result).error()); \
  } while (0)
// FB_ASSIGN(declaration, expression): declares or assigns the value of a Result, or returns its error.
#define FB_ASSIGN(declaration, expression)                                                       \
  auto FB_CONCAT(fb_assign_, __LINE__) = (expression);                                           \
  if (!FB_CONCAT(fb_assign_, __LINE__))                                                          \
    return tl::unexpected<::fewbits::Error>(std::move(FB_CONCAT(fb_assign_, __LINE__)).error()); \
  declaration = *std::move(FB_CONCAT(fb_assign_, __LINE__))
