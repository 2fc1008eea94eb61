// The expansion of sparse constants.
//
// The format, level by level in traversal order: `rank` levels of the tensor's dimensions (divided by the block sizes
// where a dimension is blocked), then one level for each blocked dimension. A dense level visits all its indices; a
// compressed (CSR) level visits indices[segments[p] .. segments[p + 1]) for each position p of the level above. Values
// follow in that order.
#include <algorithm>
#include <cstring>
#include <new>

#include "base/checked.h"
#include "ops/sparse_constant.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

struct Level {
  bool compressed = false;
  int64_t size = 0;                        // indices are in [0, size)
  size_t stride = 0;                       // elements of the dense tensor between two indices
  std::vector<int64_t> segments, indices;  // compressed only
};

std::vector<int64_t> widen(const tflite::SparseIndexVectorUnion& vector) {
  const auto copy = [](const auto& values) { return std::vector<int64_t>(values.begin(), values.end()); };
  if (const auto* v = vector.AsInt32Vector()) return copy(v->values);
  if (const auto* v = vector.AsUint16Vector()) return copy(v->values);
  if (const auto* v = vector.AsUint8Vector()) return copy(v->values);
  return {};
}

// True when `order` holds each of 0 .. order.size() - 1 once.
bool is_permutation(const std::vector<int32_t>& order) {
  std::vector<bool> seen(order.size(), false);
  for (int32_t i : order) {
    if (i < 0 || static_cast<size_t>(i) >= order.size() || seen[static_cast<size_t>(i)]) return false;
    seen[static_cast<size_t>(i)] = true;
  }
  return true;
}

class Expander {
 public:
  Expander(const OpContext& context, const TensorInfo& tensor, size_t element_bytes)
      : context_(context), tensor_(tensor), element_bytes_(element_bytes) {}

  Result<std::vector<std::byte>> run() {
    FB_TRY(read_levels());
    const auto bytes = checked_mul(tensor_.count(), element_bytes_);
    if (!bytes || *bytes > kLargest) return refuse("the dense tensor is too large");
    try {
      dense_.resize(*bytes);
    } catch (const std::bad_alloc&) {
      return context_.fail(ErrorCode::kResource, "no memory for the {} bytes of '{}' made dense", *bytes,
                           tensor_.value->name);
    }
    source_ = tensor_.value->data.bytes();
    visit(0, 0, 0);
    if (!fits_) return refuse("it has fewer values than its tables say");
    return std::move(dense_);
  }

 private:
  static constexpr size_t kLargest = size_t{1} << 34;  // bytes, and positions of a level
  static constexpr size_t kDeepest = 32;               // levels

  tl::unexpected<Error> refuse(const char* why) const {
    return context_.fail(ErrorCode::kInvalidModel, "the sparse tensor '{}' is broken: {}", tensor_.value->name, why);
  }

  // Strides and sizes of all levels, in traversal order.
  Status read_levels() {
    const tflite::SparsityParametersT& sparsity = *tensor_.value->sparsity;
    const size_t rank = tensor_.shape.size(), blocks = sparsity.block_map.size();
    if (rank + blocks > kDeepest) return refuse("it has too many dimensions");
    if (sparsity.traversal_order.size() != rank + blocks || sparsity.dim_metadata.size() != rank + blocks ||
        !is_permutation(sparsity.traversal_order)) {
      return refuse("the traversal order does not cover its dimensions");
    }
    std::vector<int64_t> sizes(tensor_.shape.begin(), tensor_.shape.end());
    std::vector<size_t> strides(rank, 1);
    for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * static_cast<size_t>(tensor_.shape[i]);
    for (size_t block = 0; block < blocks; ++block) {
      const int32_t mapped = sparsity.block_map[block];
      if (mapped < 0 || static_cast<size_t>(mapped) >= rank || (block > 0 && mapped <= sparsity.block_map[block - 1])) {
        return refuse("a block belongs to no dimension");
      }
      const auto at = std::find(sparsity.traversal_order.begin(), sparsity.traversal_order.end(),
                                static_cast<int32_t>(rank + block));
      const auto& metadata = sparsity.dim_metadata[static_cast<size_t>(at - sparsity.traversal_order.begin())];
      const auto dimension = static_cast<size_t>(mapped);
      if (metadata == nullptr || metadata->format != tflite::DimensionType::DENSE || metadata->dense_size <= 0 ||
          sizes[dimension] % metadata->dense_size != 0) {
        return refuse("a block does not divide its dimension");
      }
      sizes.push_back(metadata->dense_size);
      strides.push_back(strides[dimension]);
      sizes[dimension] /= metadata->dense_size;
      strides[dimension] *= static_cast<size_t>(metadata->dense_size);
    }
    for (size_t i = 0; i < rank + blocks; ++i) {
      const auto dimension = static_cast<size_t>(sparsity.traversal_order[i]);
      if (sparsity.dim_metadata[i] == nullptr) return refuse("a dimension is not described");
      FB_TRY(add_level(*sparsity.dim_metadata[i], sizes[dimension], strides[dimension]));
    }
    return {};
  }

  // positions_: how many positions the levels so far have.
  Status add_level(const tflite::DimensionMetadataT& metadata, int64_t size, size_t stride) {
    Level level{.compressed = metadata.format == tflite::DimensionType::SPARSE_CSR, .size = size, .stride = stride};
    if (!level.compressed) {
      if (metadata.dense_size != size) return refuse("a dense dimension has another size than the tensor");
      const auto positions = checked_mul(positions_, static_cast<size_t>(size));
      if (!positions || *positions > kLargest) return refuse("it is too large");
      positions_ = *positions;
    } else {
      level.segments = widen(metadata.array_segments);
      level.indices = widen(metadata.array_indices);
      const auto count = static_cast<int64_t>(level.indices.size());
      if (level.segments.size() != positions_ + 1 || level.segments.front() != 0 || level.segments.back() != count ||
          !std::is_sorted(level.segments.begin(), level.segments.end())) {
        return refuse("the segments of a dimension do not fit the indices");
      }
      for (int64_t index : level.indices) {
        if (index < 0 || index >= size) return refuse("an index is outside its dimension");
      }
      positions_ = level.indices.size();
    }
    levels_.push_back(std::move(level));
    return {};
  }

  void visit(size_t depth, size_t position, size_t offset) {
    if (depth == levels_.size()) {
      fits_ = fits_ && next_ + element_bytes_ <= source_.size();
      if (!fits_) return;
      std::memcpy(dense_.data() + offset * element_bytes_, source_.data() + next_, element_bytes_);
      next_ += element_bytes_;
      return;
    }
    const Level& level = levels_[depth];
    if (!level.compressed) {
      for (int64_t i = 0; i < level.size && fits_; ++i) {
        const auto index = static_cast<size_t>(i);
        visit(depth + 1, position * static_cast<size_t>(level.size) + index, offset + index * level.stride);
      }
      return;
    }
    for (int64_t i = level.segments[position]; i < level.segments[position + 1] && fits_; ++i) {
      const auto entry = static_cast<size_t>(i);
      visit(depth + 1, entry, offset + static_cast<size_t>(level.indices[entry]) * level.stride);
    }
  }

  const OpContext& context_;
  const TensorInfo& tensor_;
  size_t element_bytes_;
  std::vector<Level> levels_;
  size_t positions_ = 1;
  std::vector<std::byte> dense_;
  std::span<const uint8_t> source_;
  size_t next_ = 0;  // bytes of source_ that were placed
  bool fits_ = true;
};

}  // namespace

Result<std::vector<std::byte>> densify(const OpContext& context, const TensorInfo& tensor, size_t element_bytes) {
  return Expander(context, tensor, element_bytes).run();
}

}  // namespace fewbits::ops
