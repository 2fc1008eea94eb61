// Gathering, scattering, one-hot vectors, ranges and diagonals.
#include "formats/options.h"
#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {
namespace {

using enum fewbits::Op;

Result<Tensors> gather(const OpCall& op) { return one(op.b().gather(op.in(0), op.in(1), 0)); }

Result<Tensors> gather_v2(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(const int32_t axis, op.axis(2, op.in(0)));
  int64_t batch_dims = op.attrs.integer("batch_dims", 0);
  if (batch_dims < 0) batch_dims += b.rank(op.in(1));
  return one(b.gather(op.in(0), op.in(1), axis, static_cast<int>(batch_dims)));
}

Result<Tensors> resource_gather(const OpCall& op) {
  if (op.inputs.empty() || op.inputs[0].kind != Tensor::Kind::kVariable) return op.unsupported("it reads no variable");
  FB_ASSIGN(const ValueId table, op.lowering.read_variable(op.inputs[0].variable));
  return one(op.b().gather(table, op.in(1), 0, static_cast<int>(op.attrs.integer("batch_dims", 0))));
}

Result<Tensors> gather_nd(const OpCall& op) {
  return one(op.b().node(GATHER_ND, {op.in(0), op.in(1)}, formats::options(tflite::GatherNdOptionsT())));
}

Result<Tensors> scatter_nd(const OpCall& op) {
  return one(
      op.b().node(SCATTER_ND, {op.index(0), op.in(1), op.index(2)}, formats::options(tflite::ScatterNdOptionsT())));
}

Result<Tensors> tensor_scatter_add(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId sizes = b.shape_of(op.in(0));
  const ValueId added =
      b.node(SCATTER_ND, {op.index(1), op.in(2), sizes}, formats::options(tflite::ScatterNdOptionsT()));
  return one(b.add(op.in(0), added));
}

// What is scattered where a mask of the same scatter says so, and the old values elsewhere.
Result<Tensors> tensor_scatter_update(const OpCall& op) {
  GraphBuilder& b = op.b();
  const auto scatter = [&](ValueId updates) {
    return b.node(SCATTER_ND, {op.index(1), updates, b.shape_of(op.in(0))},
                  formats::options(tflite::ScatterNdOptionsT()));
  };
  const ValueId ones =
      b.node(FILL, {b.shape_of(op.in(2)), b.scalar(1, DType::kInt32)}, formats::options(tflite::FillOptionsT()));
  const ValueId is_new = b.binary(GREATER, scatter(ones), b.scalar(0, DType::kInt32));
  return one(b.select(is_new, scatter(op.in(2)), op.in(0)));
}

Result<Tensors> one_hot(const OpCall& op) {
  tflite::OneHotOptionsT table;
  table.axis = static_cast<int32_t>(op.attrs.integer("axis", -1));
  return one(op.b().node(ONE_HOT, {op.in(0), op.index(1), op.in(2), op.in(3)}, formats::options(std::move(table))));
}

Result<Tensors> range(const OpCall& op) {
  return one(op.b().node(RANGE, {op.in(0), op.in(1), op.in(2)}, formats::options(tflite::RangeOptionsT())));
}

Result<Tensors> where(const OpCall& op) {
  return one(op.b().node(WHERE, {op.in(0)}, formats::options(tflite::WhereOptionsT())));
}

Result<Tensors> invert_permutation(const OpCall& op) {
  FB_ASSIGN(const auto perm, op.ints(0, "permutation"));
  std::vector<int32_t> inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] < 0 || static_cast<size_t>(perm[i]) >= perm.size()) return op.unsupported("no permutation");
    inverse[static_cast<size_t>(perm[i])] = static_cast<int32_t>(i);
  }
  return one(op.b().ints(inverse));
}

Result<Tensors> unique(const OpCall& op) {
  tflite::UniqueOptionsT table;
  table.idx_out_type =
      op.attrs.type("out_idx", tf::DT_INT32) == tf::DT_INT64 ? tflite::TensorType::INT64 : tflite::TensorType::INT32;
  return many(op.b().nodes(UNIQUE, {op.in(0)}, 2, formats::options(std::move(table))));
}

Result<Tensors> matrix_diag(const OpCall& op) {
  return one(op.b().node(MATRIX_DIAG, {op.in(0)}, formats::options(tflite::MatrixDiagOptionsT())));
}
// The main diagonal alone: (diagonal, k, rows, columns, padding).
Result<Tensors> matrix_diag_v3(const OpCall& op) {
  FB_ASSIGN(const int32_t k, op.integer(1, "diagonal's number"));
  FB_ASSIGN(const int32_t rows, op.integer(2, "number of rows"));
  FB_ASSIGN(const int32_t columns, op.integer(3, "number of columns"));
  const int32_t size = op.b().dim(op.in(0), -1);
  if (k != 0 || (rows != -1 && rows != size) || (columns != -1 && columns != size))
    return op.unsupported("a diagonal that is not the main one of a square matrix");
  return matrix_diag(op);
}
Result<Tensors> matrix_set_diag(const OpCall& op) {
  return one(op.b().node(MATRIX_SET_DIAG, {op.in(0), op.in(1)}, formats::options(tflite::MatrixSetDiagOptionsT())));
}

Result<Tensors> sparse_to_dense(const OpCall& op) {
  return one(op.b().node(SPARSE_TO_DENSE, {op.index(0), op.index(1), op.in(2), op.in(3)},
                         formats::options(tflite::SparseToDenseOptionsT())));
}

Result<Tensors> bucketize(const OpCall& op) {
  tflite::BucketizeOptionsT table;
  if (const tf::AttrValue* list = op.attrs.find("boundaries"); list != nullptr)
    table.boundaries.assign(list->list().f().begin(), list->list().f().end());
  return one(op.b().node(BUCKETIZE, {op.in(0)}, formats::options(std::move(table))));
}

// start + i * (stop - start) / (count - 1)
Result<Tensors> lin_space(const OpCall& op) {
  FB_ASSIGN(const int32_t count, op.integer(2, "number"));
  const auto start = op.b().number_values(op.in(0)), stop = op.b().number_values(op.in(1));
  if (!start || !stop || start->size() != 1 || stop->size() != 1 || count < 1 || count > (1 << 24))
    return op.unsupported("its ends must be known at conversion");
  std::vector<float> values;
  const double step = count > 1 ? ((*stop)[0] - (*start)[0]) / (count - 1) : 0;
  for (int32_t i = 0; i < count; ++i) values.push_back(static_cast<float>((*start)[0] + i * step));
  return one(op.b().floats(std::move(values)));
}

constexpr RuleEntry kRules[] = {
    {"Bucketize", bucketize},
    {"Gather", gather},
    {"GatherNd", gather_nd},
    {"GatherV2", gather_v2},
    {"InvertPermutation", invert_permutation},
    {"LinSpace", lin_space},
    {"MatrixDiag", matrix_diag},
    {"MatrixDiagV3", matrix_diag_v3},
    {"MatrixSetDiag", matrix_set_diag},
    {"OneHot", one_hot},
    {"Range", range},
    {"ResourceGather", resource_gather},
    {"ScatterNd", scatter_nd},
    {"SparseToDense", sparse_to_dense},
    {"TensorScatterAdd", tensor_scatter_add},
    {"TensorScatterUpdate", tensor_scatter_update},
    {"Unique", unique},
    {"Where", where},
};

}  // namespace

std::span<const RuleEntry> index_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
