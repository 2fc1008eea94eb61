// The boundary of the API: exceptions of the standard library become errors.
#pragma once

#include <exception>
#include <new>

#include "base/status.h"

namespace fewbits::api {

// body() returns a Status or Result; what it throws comes back as an error of the same type.
template <class Body>
auto guarded(const Body& body) noexcept -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kResource, "there is not enough memory");
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, "unexpected: {}", error.what());
  }
}

}  // namespace fewbits::api
