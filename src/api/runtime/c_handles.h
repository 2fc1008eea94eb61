// What the C handles hold, and how C++ errors become C ones.
#pragma once

#include "api/runtime/guard.h"
#include "fewbits/c_api.h"
#include "fewbits/model.h"
#include "fewbits/status.h"

struct fb_error {
  fewbits::Error error;
};
struct fb_model {
  fewbits::ModelPtr model;
};

namespace fewbits::api {

// Stores `error` where the caller wants it.
void store_error(fb_error** where, Error error) noexcept;

inline Status require(const void* pointer, const char* what) {
  if (pointer != nullptr) return {};
  return fail(ErrorCode::kInvalidArgument, "{} is NULL", what);
}

// A new handle from body(), which returns a Result of what the handle holds; NULL and an error when it fails.
template <class Handle, class Body>
Handle* make_handle(fb_error** error, const Body& body) noexcept {
  auto made = guarded([&]() -> Result<Handle*> {
    auto value = body();
    if (!value) return tl::unexpected<Error>(std::move(value).error());
    return new Handle{*std::move(value)};
  });
  if (made) return *made;
  store_error(error, std::move(made).error());
  return nullptr;
}

// Whether body(), which returns a Status, succeeded.
template <class Body>
bool succeeded(fb_error** error, const Body& body) noexcept {
  Status status = guarded(body);
  if (status) return true;
  store_error(error, std::move(status).error());
  return false;
}

}  // namespace fewbits::api
