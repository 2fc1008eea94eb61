// The kernel of functions of one byte.
#include "ops/byte_table.h"

#include <utility>

#include "kernels/broadcast.h"
#include "kernels/quantize.h"
#include "ops/support.h"

namespace fewbits::ops {

Prepared byte_table_kernel(const ByteTable& table, size_t count, std::string choice) {
  return make_kernel(
      [table, count](const RunArgs& args) noexcept {
        parallel_for(args.pool, count, kCheapGrain, [&](size_t begin, size_t end) {
          apply_lut(in<uint8_t>(args, 0) + begin, out<uint8_t>(args) + begin, end - begin, table.data());
        });
      },
      std::move(choice));
}

}  // namespace fewbits::ops
