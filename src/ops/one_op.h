// For the tests of operator families: a graph of one operator, inferred, prepared and run as a plan would.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "ir/op_def.h"
#include "kernels/test_support.h"
#include "ops/evaluate.h"
#include "schema/tflite.h"

namespace fewbits::test {

inline QuantParams quant(std::vector<float> scale, std::vector<int64_t> zero_point = {}, int32_t axis = 0) {
  return {.scale = std::move(scale), .zero_point = std::move(zero_point), .axis = axis};
}

class OneOp {
 public:
  explicit OneOp(Op op) {
    model_.graphs.emplace_back();
    node_.op = op;
  }

  template <class Options>
  OneOp& options(Options table) {
    auto any = std::make_shared<tflite::BuiltinOptionsUnion>();
    any->Set(std::move(table));
    node_.options = std::move(any);
    return *this;
  }

  // An operand that changes from run to run, with the values of this run; none: only shapes are wanted.
  template <class T>
  OneOp& input(DType dtype, Shape shape, const std::vector<T>& values, QuantParams quant = {}) {
    add_input(dtype, std::move(shape), std::move(quant));
    data_.pop_back();
    data_.emplace_back(bytes_of(values));
    return *this;
  }
  OneOp& input(DType dtype, Shape shape, QuantParams quant = {}) {
    add_input(dtype, std::move(shape), std::move(quant));
    return *this;
  }
  template <class T>
  OneOp& constant(DType dtype, Shape shape, const std::vector<T>& values, QuantParams quant = {}) {
    const ValueId id = add_input(dtype, std::move(shape), std::move(quant));
    Value& value = graph().value(id);
    value.is_const = true;
    value.data = ConstData::own(bytes_of(values));
    data_.pop_back();
    data_.emplace_back(bytes_of(values));
    return *this;
  }
  // State that the operator writes: `values` at first, then what the runs leave there (see operand()).
  template <class T>
  OneOp& variable(DType dtype, Shape shape, const std::vector<T>& values, QuantParams quant = {}) {
    const ValueId id = add_input(dtype, std::move(shape), std::move(quant));
    graph().value(id).is_variable = true;
    data_.pop_back();
    data_.emplace_back(bytes_of(values));
    return *this;
  }
  OneOp& intermediate(DType dtype, QuantParams quant) {
    node_.intermediates.push_back(
        graph().add_value({.name = "middle", .dtype = dtype, .shape = {1}, .quant = std::move(quant)}));
    return *this;
  }
  OneOp& custom(std::string code, std::vector<uint8_t> options) {
    node_.custom_code = std::move(code);
    node_.custom_options = ConstData::own(std::move(options));
    return *this;
  }
  OneOp& absent() {
    node_.inputs.push_back(kNoValue);
    data_.emplace_back(size_t{0});
    return *this;
  }
  // The last input's shape is not known before a run.
  OneOp& dynamic() {
    dynamic_ = static_cast<int>(node_.inputs.size()) - 1;
    return *this;
  }
  OneOp& output(DType dtype, QuantParams quant = {}) {
    node_.outputs.push_back(graph().add_value({.name = "out", .dtype = dtype, .quant = std::move(quant)}));
    return *this;
  }

  Status infer() {
    make_context();
    FB_TRY(ops::check_operands(graph(), context_.node_id, *def()));
    return def()->infer(context_);
  }
  // As a session does: where outputs stay dynamic, they are inferred again with every operand's values.
  Status prepare() {
    FB_TRY(infer());
    const bool at_run_time =
        std::any_of(outputs_.begin(), outputs_.end(), [](const TensorInfo& o) { return o.dynamic; });
    if (at_run_time) {
      for (size_t i = 0; i < inputs_.size(); ++i) {
        if (inputs_[i].present) inputs_[i].data = data_[i].data();
        inputs_[i].dynamic = false;
      }
      for (TensorInfo& output : outputs_) output.dynamic = false;
      FB_TRY(def()->infer(context_));
    }
    FB_ASSIGN(prepared_, def()->prepare(context_));
    return {};
  }
  // infer, prepare and run; the output's bytes lie before a forbidden page.
  Status run(int threads = 1) {
    FB_TRY(prepare());
    std::vector<void*> in, out;
    for (size_t i = 0; i < data_.size(); ++i) in.push_back(node_.inputs[i] == kNoValue ? nullptr : data_[i].data());
    results_.clear();
    for (const TensorInfo& info : outputs_) {
      results_.emplace_back(byte_size(info.dtype, info.shape).value());
      out.push_back(results_.back().data());
    }
    Guarded<std::byte> workspace((prepared_.workspace + 63) / 64 * 64);
    const ThreadPool pool(threads);
    prepared_.kernel->run({in.data(), out.data(), workspace.data(), &pool});
    return {};
  }

  const Shape& shape(size_t i = 0) const { return outputs_[i].shape; }
  bool is_dynamic(size_t i = 0) const { return outputs_[i].dynamic; }
  template <class T>
  std::vector<T> result(size_t i = 0) const {
    std::vector<T> values(results_[i].span().size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), results_[i].data(), values.size() * sizeof(T));
    return values;
  }
  // The values of an operand now.
  template <class T>
  std::vector<T> operand(size_t i) const {
    std::vector<T> values(data_[i].span().size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), data_[i].data(), values.size() * sizeof(T));
    return values;
  }
  Model& model() { return model_; }
  Value& input_value(size_t i) { return graph().value(node_.inputs[i]); }
  const Prepared& prepared() const { return prepared_; }
  const OpContext& context() const { return context_; }
  const OpDef* def() const { return find_op(node_); }

 private:
  Graph& graph() { return model_.graphs[0]; }

  template <class T>
  static std::vector<uint8_t> bytes_of(const std::vector<T>& values) {
    std::vector<uint8_t> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }

  ValueId add_input(DType dtype, Shape shape, QuantParams quant) {
    const ValueId id = graph().add_value({.name = "in" + std::to_string(node_.inputs.size()),
                                          .dtype = dtype,
                                          .shape = std::move(shape),
                                          .quant = std::move(quant)});
    node_.inputs.push_back(id);
    data_.emplace_back(size_t{0});
    return id;
  }

  void make_context() {
    if (graph().node_count() == 0) graph().add_node(node_);
    inputs_.clear();
    outputs_.clear();
    intermediates_.clear();
    for (ValueId id : node_.intermediates) intermediates_.push_back(ops::tensor_info(graph().value(id)));
    for (ValueId id : node_.inputs)
      inputs_.push_back(id == kNoValue ? TensorInfo{} : ops::tensor_info(graph().value(id)));
    for (ValueId id : node_.outputs) outputs_.push_back(ops::tensor_info(graph().value(id)));
    if (dynamic_ >= 0) inputs_[static_cast<size_t>(dynamic_)].dynamic = true;
    context_ = {&model_, &graph(), 0, &graph().node(0), inputs_, outputs_, intermediates_};
  }

  Model model_;
  Node node_;
  std::vector<Guarded<uint8_t>> data_;
  int dynamic_ = -1;
  std::vector<TensorInfo> inputs_, outputs_, intermediates_;
  OpContext context_;
  Prepared prepared_;
  std::vector<Guarded<uint8_t>> results_;
};

}  // namespace fewbits::test
