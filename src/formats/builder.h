// Builds graphs of TFLite operators: what every importer of a foreign format writes with.
//
// A builder adds operators to one subgraph. It infers every shape through the operators' own definitions, replaces what is
// constant by its value on the spot, and remembers names. Sizes that are not known before run time are followed by two
// trial sizes each: shapes and shape arithmetic (SHAPE, GATHER, MUL, ...) are computed for both, what comes out equal is
// constant, what differs is dynamic. So a reshape whose target is computed at run time mostly becomes a constant one.
//
// Errors are sticky: after the first, calls return values that must not be relied on, and status() says what happened.
// An importer checks status() after each operator of its own. dim() and friends are safe on any value at any time.
//
//   GraphBuilder b(model, 0);
//   const ValueId x = b.input("x", DType::kFloat32, {1, 224, 224, 3});
//   const ValueId y = b.conv2d(x, filter, bias, {.stride_h = 2, .stride_w = 2, .same = true}, Activation::kRelu);
//   b.output(y, "y");
//   FB_TRY(b.finish());
//
// Images are NHWC, filters as TFLite keeps them. An importer of NCHW graphs writes transpose(conv2d(transpose(x))): passes/
// removes the transposes.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace fewbits::formats {

enum class Activation : int8_t { kNone = 0, kRelu = 1, kReluN1To1 = 2, kRelu6 = 3 };  // those that operators fuse

// Where the windows of a convolution or pool lie. `same`: TFLite's SAME; else the explicit padding, in elements.
struct Window {
  int32_t stride_h = 1, stride_w = 1;
  int32_t dilation_h = 1, dilation_w = 1;
  bool same = false;
  int32_t top = 0, left = 0, bottom = 0, right = 0;
};

class GraphBuilder {
 public:
  GraphBuilder(Model& model, int32_t graph);

  // ---- errors ----
  const Status& status() const noexcept { return status_; }
  bool ok() const noexcept { return status_.has_value(); }
  // Records an error (the first one stays) and gives a value to go on with.
  ValueId error(ErrorCode code, std::string message);

  // ---- names ----
  // Values made from now on are called `scope`, `scope/1`, ...; a value that already has a name keeps it.
  void set_scope(std::string scope) { scope_ = std::move(scope); }
  void rename(ValueId id, const std::string& name);
  // Keeps a name for the output that output() makes of it, so that no value on the way takes it.
  void reserve(const std::string& name);

  // ---- the borders ----
  // -1: a size that is not known. `symbols` names those sizes: equal names are equal sizes (empty: all different).
  ValueId input(const std::string& name, DType dtype, const Shape& shape, std::span<const std::string> symbols = {});
  // An input of a subgraph that `outer` calls, of the type and shape of `id` there: sizes that are equal stay known to be.
  ValueId input_like(const std::string& name, const GraphBuilder& outer, ValueId id);
  // Makes `id` an output called `name`. What cannot be one as it is (a constant, an input, an output already) is copied.
  ValueId output(ValueId id, const std::string& name);
  // Ends the work: the first error if there was one; operator versions are set.
  Status finish();

  // ---- constants ----
  ValueId constant(ConstData data, DType dtype, Shape shape, const std::string& name = {});
  template <class T>
  ValueId constant(std::vector<T> values, DType dtype, Shape shape, const std::string& name = {}) {
    return constant(ConstData::own(std::move(values)), dtype, std::move(shape), name);
  }
  ValueId ints(const std::vector<int32_t>& values);  // int32 vector
  ValueId int_scalar(int32_t value);                 // int32 scalar
  ValueId floats(std::vector<float> values);         // float32 vector
  ValueId scalar(double value, DType dtype);         // a scalar of a number type or bool
  ValueId scalar_like(double value, ValueId like) { return scalar(value, dtype(like)); }

  // ---- what is known of a value ----
  const Value& value(ValueId id) const { return graph().value(id); }
  DType dtype(ValueId id) const { return graph().value(id).dtype; }
  bool is_const(ValueId id) const { return id != kNoValue && graph().value(id).is_const; }
  bool has_rank(ValueId id) const;
  int rank(ValueId id) const;               // -1: not known
  int32_t dim(ValueId id, int axis) const;  // negative axes count from the end; -1: not known, or no such dimension
  Shape shape(ValueId id) const;            // -1 where not known; empty for a scalar and for an unknown rank
  bool is_static(ValueId id) const;
  // The numbers of a constant of any integer or bool type, or of one whose every element is known now.
  std::optional<std::vector<int64_t>> int_values(ValueId id) const;
  // As int_values with -1 for elements that differ between sizes; nothing when not even their number is known.
  std::optional<std::vector<int64_t>> partial_int_values(ValueId id) const;
  // The numbers of a float32 constant (also integers, widened).
  std::optional<std::vector<double>> number_values(ValueId id) const;
  // True for values that cannot be below zero: behind a RELU and what keeps signs.
  bool non_negative(ValueId id) const;
  // Tells the shape of a value whose operator does not (control flow); -1 is a size not known.
  void set_shape(ValueId id, const Shape& shape);
  // The same for a value as large as `other` of another graph; and whether two are, sizes that are not known included.
  void set_shape_like(ValueId id, const GraphBuilder& from, ValueId other);
  bool same_shape(ValueId id, const GraphBuilder& from, ValueId other) const;

  // ---- any operator ----
  using OptionsPtr = std::shared_ptr<const tflite::BuiltinOptionsUnion>;  // formats::options(...) of options.h
  ValueId node(Op op, std::vector<ValueId> inputs, OptionsPtr options = nullptr);
  std::vector<ValueId> nodes(Op op, std::vector<ValueId> inputs, size_t outputs, OptionsPtr options = nullptr);
  // An operator whose output types are not what its definition gives: casts, custom operators, control flow.
  std::vector<ValueId> typed_nodes(Node node, const std::vector<DType>& types);

  // ---- elementwise ----
  ValueId unary(Op op, ValueId x);
  ValueId binary(Op op, ValueId a, ValueId b, Activation activation = Activation::kNone);
  ValueId add(ValueId a, ValueId b) { return binary(Op::ADD, a, b); }
  ValueId sub(ValueId a, ValueId b) { return binary(Op::SUB, a, b); }
  ValueId mul(ValueId a, ValueId b) { return binary(Op::MUL, a, b); }
  ValueId div(ValueId a, ValueId b) { return binary(Op::DIV, a, b); }
  ValueId clamp(ValueId x, double low, double high);  // RELU, RELU6 where they say it; infinities mean no limit
  ValueId leaky_relu(ValueId x, float alpha);
  ValueId gelu(ValueId x, bool approximate);
  // TFLite has no error function: passes/ make a GELU of it where it is part of one, else an approximation within 1.5e-7.
  ValueId erf(ValueId x);
  ValueId cast(ValueId x, DType to);
  // Integers of `type` under one scale and zero point, and back: QUANTIZE, DEQUANTIZE.
  ValueId quantize(ValueId x, DType type, QuantParams params);
  ValueId dequantize(ValueId x);
  // Notes on a float constant which integers it came from (passes/ make integers of it again).
  void set_origin(ValueId constant, QuantParams params) { graph().value(constant).quant = std::move(params); }
  ValueId select(ValueId condition, ValueId a, ValueId b);
  ValueId softmax(ValueId x, float beta = 1);  // along the last dimension

  // ---- shapes and movement ----
  ValueId transpose(ValueId x, const std::vector<int32_t>& perm);
  ValueId reshape(ValueId x, const Shape& shape);  // one size may be -1
  ValueId reshape_to(ValueId x, ValueId shape);    // a computed int32 vector; constant where that is known
  ValueId flatten_from(ValueId x, int axis);       // [d0..., rest]
  ValueId expand_dims(ValueId x, const std::vector<int32_t>& axes);  // positions in the result, ascending
  ValueId squeeze(ValueId x, const std::vector<int32_t>& axes);
  ValueId concat(const std::vector<ValueId>& xs, int axis);
  ValueId pack(const std::vector<ValueId>& xs, int axis);
  std::vector<ValueId> split(ValueId x, const std::vector<int32_t>& sizes, int axis);
  // Elements begin, begin + step, ... before end of each axis in `axes`; ends beyond the size are the size.
  ValueId strided_slice(ValueId x, const std::vector<int32_t>& axes, const std::vector<int32_t>& begin,
                        const std::vector<int32_t>& end, const std::vector<int32_t>& step);
  ValueId gather(ValueId x, ValueId indices, int axis, int batch_dims = 0);
  ValueId pad(ValueId x, const std::vector<std::array<int32_t, 2>>& pads, double value = 0);
  ValueId mirror_pad(ValueId x, const std::vector<std::array<int32_t, 2>>& pads, bool symmetric);
  ValueId tile(ValueId x, const std::vector<int32_t>& times);
  ValueId broadcast_to(ValueId x, ValueId shape);
  ValueId shape_of(ValueId x);           // int32 vector
  ValueId size_of(ValueId x, int axis);  // int32 scalar
  ValueId space_to_depth(ValueId x, int32_t block);
  ValueId depth_to_space(ValueId x, int32_t block);

  // ---- reductions ----
  ValueId reduce(Op op, ValueId x, const std::vector<int32_t>& axes, bool keep_dims);
  ValueId arg(Op op, ValueId x, int axis, DType output = DType::kInt32);  // ARG_MAX, ARG_MIN; drops the axis
  ValueId cumsum(ValueId x, ValueId axis, bool exclusive, bool reverse);

  // ---- networks ----
  // x [n, h, w, c], filter [out, kh, kw, c / groups], bias [out] or kNoValue
  ValueId conv2d(ValueId x, ValueId filter, ValueId bias, const Window& window, Activation a = Activation::kNone);
  // filter [1, kh, kw, c * multiplier]
  ValueId depthwise(ValueId x, ValueId filter, ValueId bias, const Window& window, Activation a = Activation::kNone);
  // filter [out, kh, kw, in]; `window` is that of the convolution whose gradient this is, `out_h`, `out_w` the result's size
  ValueId transpose_conv(ValueId x, ValueId filter, ValueId bias, const Window& window, int32_t out_h, int32_t out_w);
  // x [n, d, h, w, c], filter [kd, kh, kw, c, out]
  ValueId conv3d(ValueId x, ValueId filter, ValueId bias, const std::array<int32_t, 3>& stride,
                 const std::array<int32_t, 3>& dilation, bool same);
  // x [n, d, h, w, in], filter [kd, kh, kw, out, in], bias [out] or kNoValue: the whole result, (size - 1) * stride + kernel
  ValueId conv3d_transpose(ValueId x, ValueId filter, ValueId bias, const std::array<int32_t, 3>& stride);
  // x [n, d, h, w, c], as two pools one after the other: largest values and means are those of planes, then of depths.
  ValueId pool3d(bool largest, ValueId x, const std::array<int32_t, 3>& kernel, const std::array<int32_t, 3>& stride,
                 const std::array<int32_t, 3>& before, const std::array<int32_t, 3>& after, bool same,
                 bool count_padding);
  ValueId max_pool(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& window);
  // `count_padding`: padding counts as zeros in the mean (ONNX count_include_pad); else only elements count (TFLite).
  ValueId average_pool(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& window, bool count_padding);
  // weights [out, in], bias [out] or kNoValue; keeps the leading dimensions of x
  ValueId fully_connected(ValueId x, ValueId weights, ValueId bias, Activation a = Activation::kNone);
  ValueId matmul(ValueId a, ValueId b, bool adj_a = false, bool adj_b = false);
  ValueId resize(Op op, ValueId x, ValueId size, bool align_corners, bool half_pixel_centers);  // size: int32 [h, w]

  // Constants made since there were `values` values and `nodes` nodes that no node reads (weights that were transposed on the
  // spot) give their memory back, but for those in `kept`.
  void release_unread(size_t values, size_t nodes, std::span<const ValueId> kept);

  Model& model() noexcept { return *model_; }
  Graph& graph() noexcept { return model_->graphs[index_]; }
  const Graph& graph() const noexcept { return model_->graphs[index_]; }
  int32_t graph_index() const noexcept { return static_cast<int32_t>(index_); }
  // The operator that makes a value; null for inputs, constants and errors.
  const Node* producer(ValueId id) const;

 private:
  // What is known of a value under the two trial sizes.
  struct Known {
    bool ranked = true;
    std::array<Shape, 2> shape;
    std::array<ConstData, 2> data;  // of small values that follow from sizes; constants have theirs in the Value
    std::array<bool, 2> has_data{};
  };
  Known& known(ValueId id) { return known_[static_cast<size_t>(id)]; }
  const Known& known(ValueId id) const { return known_[static_cast<size_t>(id)]; }
  const ConstData* data_of(ValueId id, size_t trial) const;

  ValueId new_value(DType dtype, const std::string& wish);
  std::string unique_name(const std::string& wish);
  void publish_shape(ValueId id);
  std::array<int32_t, 2> fresh_size();
  Status infer(NodeId id);
  Status infer_trial(NodeId id, size_t trial, bool same_as_first);
  bool infer_shape_of(const Node& node, size_t trial);
  void set_unknown(const Node& node, size_t output, size_t trial, const std::array<int32_t, 2>& fresh);
  bool fold(NodeId id);
  void keep_parameters(const Node& node);
  enum class Padding { kSame, kValid, kExplicit };
  Padding padding_of(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& window) const;
  // x padded so that VALID says what `window` asks, unless SAME or VALID already do.
  ValueId padded(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& window, double value, Padding& padding);

  Model* model_;
  size_t index_;
  Status status_;
  std::string scope_;
  std::map<std::string, int> names_;
  std::set<std::string> reserved_;
  std::vector<Known> known_;      // by ValueId
  std::vector<NodeId> producer_;  // by ValueId
  std::map<std::string, std::array<int32_t, 2>> symbols_;
  std::map<std::vector<int32_t>, ValueId> int_constants_;
  int fresh_ = 0;
};

// The types of a node's outputs, from its inputs' and options; for operators that fewbits has a definition of.
std::vector<DType> output_types(const Graph& graph, const Node& node, size_t outputs);

}  // namespace fewbits::formats
