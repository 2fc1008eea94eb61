// For the tests of dynamic kernels: what a session would give them.
#pragma once

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/op_def.h"

namespace fewbits::test {

template <class T>
OwnedTensor tensor(DType dtype, Shape shape, const std::vector<T>& values) {
  OwnedTensor result{dtype, std::move(shape), std::vector<std::byte>(values.size() * sizeof(T))};
  if (!values.empty()) std::memcpy(result.bytes.data(), values.data(), result.bytes.size());
  return result;
}
inline OwnedTensor text_tensor(DType dtype, Shape shape, std::string_view bytes) {
  return tensor(dtype, std::move(shape), std::vector<char>(bytes.begin(), bytes.end()));
}

class DynamicTestArgs final : public DynamicArgs {
 public:
  using Callee = std::function<Result<std::vector<OwnedTensor>>(int32_t, std::span<const TensorView>)>;

  DynamicTestArgs(std::vector<OwnedTensor> operands, std::vector<DType> outputs, ResourceStore& store,
                  Callee callee = {})
      : operands_(std::move(operands)), store_(store), callee_(std::move(callee)) {
    for (const OwnedTensor& operand : operands_) views_.push_back(operand.view());
    for (DType dtype : outputs) results_.push_back({dtype, {}, {}});
  }

  std::span<const TensorView> inputs() const override { return views_; }
  Result<void*> resize_output(size_t i, const Shape& shape) override {
    return resize_output_bytes(i, shape, byte_size(results_.at(i).dtype, shape).value());
  }
  Result<void*> resize_output_bytes(size_t i, const Shape& shape, size_t bytes) override {
    results_.at(i).shape = shape;
    results_.at(i).bytes.resize(bytes);
    return static_cast<void*>(results_.at(i).bytes.data());
  }
  Result<std::vector<OwnedTensor>> call(int32_t graph, std::span<const TensorView> inputs) override {
    return callee_(graph, inputs);
  }
  ResourceStore& resources() override { return store_; }

  const OwnedTensor& output(size_t i = 0) const { return results_.at(i); }
  template <class T>
  std::vector<T> values(size_t i = 0) const {
    std::vector<T> result(results_.at(i).bytes.size() / sizeof(T));
    if (!result.empty()) std::memcpy(result.data(), results_.at(i).bytes.data(), result.size() * sizeof(T));
    return result;
  }

 private:
  std::vector<OwnedTensor> operands_, results_;
  std::vector<TensorView> views_;
  ResourceStore& store_;
  Callee callee_;
};

}  // namespace fewbits::test
