// One LSTM cell of a node: its operands, sizes and checks, and its kernels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/fixed_point.h"
#include "ops/rnn/dense.h"
#include "ops/rnn/sequence.h"

namespace tflite {
enum class ActivationFunctionType : int8_t;
}

namespace fewbits::ops::rnn {

enum Gate : size_t { kInputGate, kForgetGate, kCellGate, kOutputGate, kGates };
using GateOperands = std::array<int, kGates>;
inline constexpr int kAbsent = -1;

// Operand numbers in the node; kAbsent where the node has none (coupled input and forget gates: no input gate).
struct LstmOperands {
  int input = 0;
  int aux = kAbsent;  // auxiliary input of stacked bidirectional cells
  GateOperands input_weights, recurrent_weights;
  GateOperands aux_weights = {kAbsent, kAbsent, kAbsent, kAbsent};
  GateOperands peephole = {kAbsent, kAbsent, kAbsent, kAbsent};  // never of the cell gate
  GateOperands bias;
  GateOperands norm = {kAbsent, kAbsent, kAbsent, kAbsent};  // layer normalization
  int projection_weights = kAbsent, projection_bias = kAbsent;
  int state = kAbsent, cell_state = kAbsent;  // variables
};

enum class LstmForm { kFloat, kHybrid, kInteger };

// What the options say.
struct LstmSettings {
  tflite::ActivationFunctionType activation;
  float cell_clip = 0, projection_clip = 0;
  bool asymmetric = false;
};

// A checked cell.
struct LstmCell {
  LstmOperands operands;
  LstmSettings settings;
  LstmForm form = LstmForm::kFloat;
  Sequence sequence;
  size_t input = 0, aux = 0, cell = 0, output = 0;  // widths
  bool cifg = false, peephole = false, norm = false, projection = false;
  bool diagonal = false;  // recurrent weights are vectors: float

  size_t gate_count() const noexcept { return cifg ? 3 : 4; }
  // The place of a gate among those that the cell has.
  size_t slot(Gate gate) const noexcept { return cifg ? gate - 1 : gate; }
  Gate first_gate() const noexcept { return cifg ? kForgetGate : kInputGate; }
  // The operands of the gates that the cell has, in their order.
  std::vector<int> stack(const GateOperands& of) const { return {of.begin() + (cifg ? 1 : 0), of.end()}; }
};

// The operands of an LSTM or UNIDIRECTIONAL_SEQUENCE_LSTM (20 or 24), or of a direction of a bidirectional one.
// Operands that the node leaves out become kAbsent.
LstmOperands lstm_operands(const OpContext& context);
LstmOperands bidirectional_operands(const OpContext& context, bool backward);

// Checks types, shapes and settings of every operand. sequence is taken from the input's shape by the caller.
Result<LstmCell> check_lstm(const OpContext& context, const LstmOperands& operands, const LstmSettings& settings,
                            const Sequence& sequence);

// Float and hybrid cells.
class FloatLstm {
 public:
  // The output's rows are out_width wide; the cell writes from column out_column of output `out_index`.
  FloatLstm(const OpContext& context, LstmCell cell, size_t out_index, size_t out_column, size_t out_width,
            Workspace& workspace);
  void run(const RunArgs& args) const noexcept;
  const char* kernel_name() const noexcept { return input_.kernel_name(); }

 private:
  void begin_run(const RunArgs& args) const noexcept;
  void load_peepholes(const RunArgs& args) const noexcept;
  void step(const RunArgs& args, size_t t, const float* from_input, const float* from_aux,
            size_t row_stride) const noexcept;
  void cell_row(const RunArgs& args, float* gates, float* cell_state, float* hidden) const noexcept;
  void finish_gate(const RunArgs& args, Gate gate, float* x, const float* cell_state) const noexcept;

  LstmCell cell_;
  size_t out_index_, out_column_, out_width_;
  Dense input_;
  std::vector<Dense> aux_, recurrent_, projection_;  // none or one
  std::array<float, kGates> peephole_scale_{};       // hybrid
  size_t from_input_at_, from_aux_at_ = 0, gates_at_, hidden_at_, peephole_at_ = 0;
};

// Multipliers and limits of an integer cell, from the scales of its operands and intermediates.
struct IntegerLstmParams {
  std::array<FixedMultiplier, kGates> input, recurrent, peephole, norm;
  std::array<int32_t, kGates> variance_guard{};
  FixedMultiplier hidden, projection;
  int32_t input_zero_point = 0, state_zero_point = 0, hidden_zero_point = 0;
  int cell_exponent = 0;  // the cell state's scale is 2^cell_exponent
  int16_t cell_clip = 0;
  int8_t projection_clip = 0;
};
Result<IntegerLstmParams> integer_lstm_params(const OpContext& context, const LstmCell& cell);

class IntegerLstm {
 public:
  IntegerLstm(const OpContext& context, LstmCell cell, IntegerLstmParams params, Workspace& workspace);
  void run(const RunArgs& args) const noexcept;
  const char* kernel_name() const noexcept { return input_.kernel_name(); }

 private:
  void step(const RunArgs& args, size_t t, const int32_t* from_input, size_t row_stride) const noexcept;
  // The gates of batch entry b: accumulators in, new cell state and hidden row out.
  void cell_row(const RunArgs& args, size_t b, const int32_t* from_input, const int32_t* from_state, int16_t* gates,
                int8_t* hidden) const noexcept;
  void finish_gate(const RunArgs& args, Gate gate, size_t b, const int32_t* from_input, const int32_t* from_state,
                   int16_t* out) const noexcept;
  void project(const RunArgs& args) const noexcept;

  LstmCell cell_;
  IntegerLstmParams params_;
  IntegerDense input_, recurrent_;
  std::vector<IntegerDense> projection_;  // none or one
  size_t from_input_at_, from_state_at_, gates_at_, hidden_at_, projected_at_ = 0;
};

}  // namespace fewbits::ops::rnn
