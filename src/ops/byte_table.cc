// The kernel of functions of one byte.
#include "ops/byte_table.h"

#include <utility>

#include "kernels/broadcast.h"
#include "kernels/quantize.h"
#include "ops/support.h"

namespace fewbits::ops {

namespace {

class ByteTableKernel final : public Kernel {
 public:
  ByteTableKernel(const ByteTable& table, size_t count) : table_(table), count_(count) {}
  void run(const RunArgs& args) const noexcept override {
    parallel_for(args.pool, count_, kCheapGrain, [&](size_t begin, size_t end) {
      apply_lut(in<uint8_t>(args, 0) + begin, out<uint8_t>(args) + begin, end - begin, table_.data());
    });
  }
  const uint8_t* byte_table() const noexcept override { return table_.data(); }

 private:
  ByteTable table_;
  size_t count_;
};

}  // namespace

Prepared byte_table_kernel(const ByteTable& table, size_t count, std::string choice) {
  return prepared_kernel(std::make_unique<ByteTableKernel>(table, count), std::move(choice), 0);
}

}  // namespace fewbits::ops
