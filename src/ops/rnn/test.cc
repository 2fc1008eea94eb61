// Tests of the recurrent family: the equations written out in double, directions and layouts against each other,
// refusals.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "ops/one_op.h"
#include "ops/rnn/math.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;
using tflite::ActivationFunctionType;

using Matrix = std::vector<float>;

// One float LSTM cell. Gates: input, forget, cell, output.
struct Cell {
  size_t inputs = 3, cells = 4, outputs = 4;
  bool cifg = false, peephole = false, norm = false, projection = false;
  std::array<Matrix, 4> w, r, b, p, n;
  Matrix project, project_bias;

  static Cell random(test::Random& random, size_t inputs, size_t cells, size_t outputs, bool cifg, bool peephole,
                     bool norm) {
    Cell cell{inputs, cells, outputs, cifg, peephole, norm, outputs != cells};
    for (size_t g = 0; g < 4; ++g) {
      cell.w[g] = random.reals(cells * inputs, -0.8f, 0.8f);
      cell.r[g] = random.reals(cells * outputs, -0.8f, 0.8f);
      cell.b[g] = random.reals(cells, -0.5f, 0.5f);
      cell.p[g] = random.reals(cells, -0.5f, 0.5f);
      cell.n[g] = random.reals(cells, 0.5f, 1.5f);
    }
    cell.project = random.reals(outputs * cells, -0.5f, 0.5f);
    cell.project_bias = random.reals(outputs, -0.5f, 0.5f);
    return cell;
  }
  bool has(size_t gate) const { return gate != 0 || !cifg; }
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The equations of the cell, one step of one batch entry.
void expected_step(const Cell& c, const float* x, std::vector<double>& h, std::vector<double>& s) {
  std::array<std::vector<double>, 4> gate;
  const auto compute = [&](size_t g) {
    gate[g].assign(c.cells, 0);
    for (size_t i = 0; i < c.cells; ++i) {
      double sum = 0;
      for (size_t j = 0; j < c.inputs; ++j) sum += double{c.w[g][i * c.inputs + j]} * x[j];
      for (size_t j = 0; j < c.outputs; ++j) sum += c.r[g][i * c.outputs + j] * h[j];
      if (c.peephole && g != 2) sum += c.p[g][i] * s[i];
      gate[g][i] = sum;
    }
    if (c.norm) {
      double mean = 0, variance = 0;
      for (double v : gate[g]) mean += v / static_cast<double>(c.cells);
      for (double v : gate[g]) variance += (v - mean) * (v - mean) / static_cast<double>(c.cells);
      for (size_t i = 0; i < c.cells; ++i) gate[g][i] = (gate[g][i] - mean) / std::sqrt(variance) * c.n[g][i];
    }
    for (size_t i = 0; i < c.cells; ++i) {
      gate[g][i] = g == 2 ? std::tanh(gate[g][i] + c.b[g][i]) : sigmoid(gate[g][i] + c.b[g][i]);
    }
  };
  if (!c.cifg) compute(0);
  compute(1);
  compute(2);
  for (size_t i = 0; i < c.cells; ++i) s[i] = gate[1][i] * s[i] + (c.cifg ? 1 - gate[1][i] : gate[0][i]) * gate[2][i];
  compute(3);
  std::vector<double> hidden(c.cells);
  for (size_t i = 0; i < c.cells; ++i) hidden[i] = gate[3][i] * std::tanh(s[i]);
  if (!c.projection) {
    h = hidden;
    return;
  }
  for (size_t o = 0; o < c.outputs; ++o) {
    h[o] = c.project_bias[o];
    for (size_t i = 0; i < c.cells; ++i) h[o] += c.project[o * c.cells + i] * hidden[i];
  }
}

int32_t i32(size_t x) { return static_cast<int32_t>(x); }

// Adds the 17 operands of a cell's weights and biases; `live`: weights that may change from run to run.
void add_cell(OneOp& op, const Cell& c, bool live = false) {
  const auto add = [&](bool present, Shape shape, const Matrix& values, bool variable_weights) {
    if (!present) {
      op.absent();
    } else if (variable_weights) {
      op.input(DType::kFloat32, std::move(shape), values);
    } else {
      op.constant(DType::kFloat32, std::move(shape), values);
    }
  };
  for (size_t g = 0; g < 4; ++g) add(c.has(g), {i32(c.cells), i32(c.inputs)}, c.w[g], live);
  for (size_t g = 0; g < 4; ++g) add(c.has(g), {i32(c.cells), i32(c.outputs)}, c.r[g], live);
  for (size_t g : {0, 1, 3}) add(c.peephole && c.has(g), {i32(c.cells)}, c.p[g], false);
  for (size_t g = 0; g < 4; ++g) add(c.has(g), {i32(c.cells)}, c.b[g], false);
  add(c.projection, {i32(c.outputs), i32(c.cells)}, c.project, live);
  add(c.projection, {i32(c.outputs)}, c.project_bias, false);
}

OneOp sequence_lstm(const Cell& c, size_t batch, size_t time, bool time_major, const Matrix& x, bool live = false) {
  OneOp op(Op::UNIDIRECTIONAL_SEQUENCE_LSTM);
  tflite::UnidirectionalSequenceLSTMOptionsT options;
  options.fused_activation_function = ActivationFunctionType::TANH;
  options.time_major = time_major;
  op.options(options);
  op.input(DType::kFloat32,
           time_major ? Shape{i32(time), i32(batch), i32(c.inputs)} : Shape{i32(batch), i32(time), i32(c.inputs)}, x);
  add_cell(op, c, live);
  op.variable(DType::kFloat32, {i32(batch), i32(c.outputs)}, Matrix(batch * c.outputs, 0.0f));
  op.variable(DType::kFloat32, {i32(batch * c.cells)}, Matrix(batch * c.cells, 0.0f));
  for (size_t g = 0; g < 4; ++g) {
    if (c.norm && c.has(g)) {
      op.constant(DType::kFloat32, {i32(c.cells)}, c.n[g]);
    } else {
      op.absent();
    }
  }
  op.output(DType::kFloat32);
  return op;
}

// [time][batch][outputs] of a run from zero states.
Matrix expected_sequence(const Cell& c, size_t batch, size_t time, const Matrix& time_major_x) {
  Matrix y(time * batch * c.outputs);
  for (size_t b = 0; b < batch; ++b) {
    std::vector<double> h(c.outputs, 0), s(c.cells, 0);
    for (size_t t = 0; t < time; ++t) {
      expected_step(c, time_major_x.data() + (t * batch + b) * c.inputs, h, s);
      for (size_t o = 0; o < c.outputs; ++o) y[(t * batch + b) * c.outputs + o] = static_cast<float>(h[o]);
    }
  }
  return y;
}

// [a][b][depth] as [b][a][depth].
Matrix swap_major(const Matrix& x, size_t a, size_t b, size_t depth) {
  Matrix y(x.size());
  for (size_t i = 0; i < a; ++i) {
    for (size_t j = 0; j < b; ++j) std::copy_n(&x[(i * b + j) * depth], depth, &y[(j * a + i) * depth]);
  }
  return y;
}

void expect_near(const Matrix& got, const Matrix& wanted, float bound = 2e-5f) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], bound) << "element " << i;
}

// ---- LSTM ----

TEST(Lstm, FollowsTheEquationsInEveryVariantAndLayout) {
  test::Random random(1);
  // 70 steps: more than one product with the input computes at once.
  for (size_t time : {1u, 5u, 70u}) {
    for (int variant = 0; variant < 16; ++variant) {
      const bool projection = variant & 8;
      const Cell c = Cell::random(random, 3, 5, projection ? 2 : 5, variant & 1, variant & 2, variant & 4);
      const Matrix x = random.reals(time * 2 * c.inputs, -1, 1);
      const Matrix wanted = expected_sequence(c, 2, time, x);
      OneOp op = sequence_lstm(c, 2, time, true, x);
      const Status status = op.run();
      ASSERT_TRUE(status) << status.error().message;
      expect_near(op.result<float>(), wanted);
      OneOp batch_major = sequence_lstm(c, 2, time, false, swap_major(x, time, 2, c.inputs));
      ASSERT_TRUE(batch_major.run(3));
      expect_near(swap_major(batch_major.result<float>(), 2, time, c.outputs), wanted);
    }
  }
}

TEST(Lstm, WeightsThatAreNotConstantArePackedInEachRun) {
  test::Random random(2);
  const Cell c = Cell::random(random, 4, 6, 3, false, true, false);
  const Matrix x = random.reals(5 * 2 * c.inputs, -1, 1);
  OneOp op = sequence_lstm(c, 2, 5, true, x, /*live=*/true);
  ASSERT_TRUE(op.run());
  expect_near(op.result<float>(), expected_sequence(c, 2, 5, x));
}

TEST(Lstm, StateCarriesOverToTheNextRun) {
  test::Random random(3);
  const Cell c = Cell::random(random, 3, 4, 4, false, false, false);
  const Matrix x = random.reals(2 * c.inputs, -1, 1);
  OneOp op = sequence_lstm(c, 1, 1, true, Matrix(x.begin(), x.begin() + 3));
  ASSERT_TRUE(op.run());
  ASSERT_TRUE(op.run());
  Matrix twice(x.begin(), x.begin() + 3);
  twice.insert(twice.end(), x.begin(), x.begin() + 3);
  const Matrix wanted = expected_sequence(c, 1, 2, twice);
  expect_near(op.result<float>(), Matrix(wanted.begin() + 4, wanted.end()));
  EXPECT_EQ(op.operand<float>(18), op.result<float>());
}

TEST(Lstm, BidirectionalMergesAForwardAndABackwardWalk) {
  test::Random random(4);
  const size_t time = 6, batch = 2;
  const Cell forward = Cell::random(random, 3, 4, 4, false, true, false);
  const Cell backward = Cell::random(random, 3, 5, 2, true, false, false);
  const Matrix x = random.reals(time * batch * 3, -1, 1);
  Matrix reversed(x.size());
  for (size_t t = 0; t < time; ++t) std::copy_n(&x[t * batch * 3], batch * 3, &reversed[(time - 1 - t) * batch * 3]);
  const Matrix wanted_forward = expected_sequence(forward, batch, time, x);
  const Matrix wanted_backward = expected_sequence(backward, batch, time, reversed);
  for (bool time_major : {true, false}) {
    OneOp op(Op::BIDIRECTIONAL_SEQUENCE_LSTM);
    tflite::BidirectionalSequenceLSTMOptionsT options;
    options.fused_activation_function = ActivationFunctionType::TANH;
    options.merge_outputs = true;
    options.time_major = time_major;
    op.options(options);
    op.input(DType::kFloat32, time_major ? Shape{i32(time), i32(batch), 3} : Shape{i32(batch), i32(time), 3},
             time_major ? x : swap_major(x, time, batch, 3));
    add_cell(op, forward);
    add_cell(op, backward);
    for (const Cell* c : {&forward, &backward}) {
      op.variable(DType::kFloat32, {i32(batch), i32(c->outputs)}, Matrix(batch * c->outputs, 0.0f));
      op.variable(DType::kFloat32, {i32(batch), i32(c->cells)}, Matrix(batch * c->cells, 0.0f));
    }
    for (int i = 0; i < 9; ++i) op.absent();
    op.output(DType::kFloat32);
    const Status status = op.run();
    ASSERT_TRUE(status) << status.error().message;
    const Matrix y = time_major ? op.result<float>() : swap_major(op.result<float>(), batch, time, 6);
    for (size_t t = 0; t < time; ++t) {
      for (size_t b = 0; b < batch; ++b) {
        for (size_t o = 0; o < 4; ++o) {
          ASSERT_NEAR(y[(t * batch + b) * 6 + o], wanted_forward[(t * batch + b) * 4 + o], 2e-5f);
        }
        for (size_t o = 0; o < 2; ++o) {
          ASSERT_NEAR(y[(t * batch + b) * 6 + 4 + o], wanted_backward[((time - 1 - t) * batch + b) * 2 + o], 2e-5f);
        }
      }
    }
  }
}

TEST(Lstm, RefusesWhatDoesNotFit) {
  test::Random random(5);
  const Cell c = Cell::random(random, 3, 4, 4, false, false, false);
  const auto refusal = [&](auto spoil) {
    OneOp op = sequence_lstm(c, 1, 2, true, Matrix(6, 0.0f));
    spoil(op);
    const Status status = op.prepare();
    return status ? std::string() : status.error().message;
  };
  EXPECT_EQ(refusal([](OneOp&) {}), "");
  EXPECT_NE(refusal([](OneOp& op) { op.input_value(18).is_variable = false; }).find("variable"), std::string::npos);
  EXPECT_NE(refusal([](OneOp& op) { op.input_value(18).shape = {7}; }), "");
  EXPECT_NE(refusal([](OneOp& op) { op.input_value(2).shape = {4, 4}; }), "");
  EXPECT_NE(refusal([](OneOp& op) { op.input_value(13).shape = {3}; }), "");
  EXPECT_NE(refusal([](OneOp& op) { op.input_value(6).dtype = DType::kInt8; }), "");
  EXPECT_NE(refusal([](OneOp& op) { op.input_value(4).shape = {4}; }), "");
  EXPECT_NE(refusal([](OneOp& op) { op.input_value(8).shape = {}; }), "");
}

TEST(Lstm, ShapesAreDynamicUntilTheInputIsKnown) {
  test::Random random(6);
  const Cell c = Cell::random(random, 3, 4, 4, false, false, false);
  OneOp op = sequence_lstm(c, 1, 2, true, Matrix(6, 0.0f));
  ASSERT_TRUE(op.infer());
  EXPECT_EQ(op.shape(), (Shape{2, 1, 4}));
  op.input_value(0).shape = {-1, 1, 3};
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
}

// ---- RNN ----

TEST(Rnn, FollowsTheEquation) {
  // state = relu(2 x + 0.5 state + 1): 3, then 4.5, ...
  OneOp op(Op::UNIDIRECTIONAL_SEQUENCE_RNN);
  tflite::SequenceRNNOptionsT options;
  options.fused_activation_function = ActivationFunctionType::RELU;
  op.options(options);
  op.input(DType::kFloat32, {1, 4, 1}, Matrix{1, 1, 1, -10});
  op.constant(DType::kFloat32, {1, 1}, Matrix{2})
      .constant(DType::kFloat32, {1, 1}, Matrix{0.5f})
      .constant(DType::kFloat32, {1}, Matrix{1});
  op.variable(DType::kFloat32, {1, 1}, Matrix{0}).output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<float>(), (Matrix{3, 4.5f, 5.25f, 0}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<float>(), (Matrix{3, 4.5f, 5.25f, 0})) << "the state of the last step was 0";
}

TEST(Rnn, HybridQuantizesEachRowByItsOwnRange) {
  // Weights 0.5 * {2, -4}; the row {1, -2} becomes {64, -127} / 63.5 symmetric, so the product is (64 * 2 + 127 * 4) /
  // 127.
  OneOp op(Op::RNN);
  op.options(tflite::RNNOptionsT{});
  op.input(DType::kFloat32, {1, 2}, Matrix{1, -2});
  op.constant(DType::kInt8, {1, 2}, std::vector<int8_t>{2, -4}, quant({0.5f}));
  op.constant(DType::kInt8, {1, 1}, std::vector<int8_t>{0}, quant({0.5f}));
  op.constant(DType::kFloat32, {1}, Matrix{0.25f}).variable(DType::kFloat32, {1, 1}, Matrix{0}).output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_NEAR(op.result<float>()[0], 0.25f + (64 * 2 + 127 * 4) / 63.5f * 0.5f, 1e-5f);
}

TEST(RnnMath, TanhIsTanhToFiveUnitsOfTheLastPlace) {
  for (float x = -12; x < 12; x += 0.001f) {
    const auto wanted = static_cast<float>(std::tanh(double{x}));
    const float unit = std::nextafter(std::abs(wanted), 2.0f) - std::abs(wanted);
    ASSERT_LE(std::abs(ops::rnn::tanh_as_eigen(x) - wanted), 5 * unit) << x;
  }
  EXPECT_TRUE(std::isnan(ops::rnn::tanh_as_eigen(NAN)));
}

// ---- SVDF ----

OneOp svdf(int32_t rank, const Matrix& x, const Matrix& feature, const Matrix& time, const Matrix& bias,
           size_t memory) {
  OneOp op(Op::SVDF);
  tflite::SVDFOptionsT options;
  options.rank = rank;
  op.options(options);
  const auto filters = i32(time.size() / memory);
  op.input(DType::kFloat32, {1, i32(x.size())}, x);
  op.constant(DType::kFloat32, {filters, i32(x.size())}, feature)
      .constant(DType::kFloat32, {filters, i32(memory)}, time);
  op.constant(DType::kFloat32, {rank > 0 ? filters / rank : filters}, bias);
  op.variable(DType::kFloat32, {1, filters * i32(memory)}, Matrix(time.size(), 0.0f)).output(DType::kFloat32);
  return op;
}

TEST(Svdf, RemembersAndWeighsOverTime) {
  // Two filters of rank 2 make one unit; memory 2. Newest activations: {1 + 2, 3 - 2} = {3, 1}.
  OneOp op = svdf(2, {1, 2}, {1, 1, 3, -1}, {10, 100, 1, 1000}, {0.5f}, 2);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<float>(), (Matrix{0.5f + 100 * 3 + 1000 * 1}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<float>(), (Matrix{0.5f + 110 * 3 + 1001 * 1}));
  EXPECT_EQ(op.operand<float>(4), (Matrix{3, 3, 1, 1}));
}

TEST(Svdf, IntegerArithmeticByHand) {
  OneOp op(Op::SVDF);
  tflite::SVDFOptionsT options;
  options.rank = 1;
  options.fused_activation_function = ActivationFunctionType::RELU;
  op.options(options);
  // (3 - 1) * 4 + (-1 - 1) * 2 = 4, times 0.5 * 0.5 / 0.125 = 2 is the state 8; 8 * 5 + 3 = 43, times 0.125 * 1 / 2 =
  // 1/16 is 2.69, so 3, plus the zero point -10.
  op.input(DType::kInt8, {1, 2}, std::vector<int8_t>{3, -1}, quant({0.5f}, {1}));
  op.constant(DType::kInt8, {1, 2}, std::vector<int8_t>{4, 2}, quant({0.5f}));
  op.constant(DType::kInt16, {1, 2}, std::vector<int16_t>{7, 5}, quant({1.0f}));
  op.constant(DType::kInt32, {1}, std::vector<int32_t>{3}, quant({0.125f}));
  op.variable(DType::kInt16, {1, 2}, std::vector<int16_t>{0, 0}, quant({0.125f}));
  op.output(DType::kInt8, quant({2.0f}, {-10}));
  const Status status = op.run();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{-7}));
  EXPECT_EQ(op.operand<int16_t>(4), (std::vector<int16_t>{0, 8}));
}

TEST(Svdf, RefusesRanksThatDoNotDivideTheFilters) {
  EXPECT_FALSE(svdf(0, {1}, {1, 1}, {1, 1}, {0}, 1).infer());
  EXPECT_FALSE(svdf(-1, {1}, {1, 1}, {1, 1}, {0}, 1).infer());
  EXPECT_FALSE(svdf(2, {1}, {1, 1, 1}, {1, 1, 1}, {0}, 1).infer());
}

}  // namespace
}  // namespace fewbits
