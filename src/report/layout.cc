// Where a graph's nodes and edges are drawn: Sugiyama's layers.
#include "report/layout.h"

#include <algorithm>
#include <numeric>

namespace fewbits::report {
namespace {

constexpr int kOrderSweeps = 8, kPlaceSweeps = 24;
constexpr size_t kMostBends =
    50;  // a node, on average: one tensor that a deep model's every layer reads takes the square of its depth

// A node, or the bend of a long edge.
struct Item {
  size_t row = 0;
  double width = 0;
  double x = 0;
  std::vector<size_t> above, below;  // neighbours in the rows next to it
};

class Layouter {
 public:
  Layouter(size_t nodes, const std::vector<std::pair<size_t, size_t>>& edges) : nodes_(nodes) {
    std::vector<size_t> row(nodes, 0);
    for (const auto& [from, to] : edges) row[to] = std::max(row[to], row[from] + 1);
    // A second look, for edges that are not sorted by their ends.
    for (size_t changes = 1; changes > 0;) {
      changes = 0;
      for (const auto& [from, to] : edges) {
        if (row[to] > row[from]) continue;
        row[to] = row[from] + 1;
        ++changes;
      }
    }
    for (size_t i = 0; i < nodes; ++i) items_.push_back({row[i], kColumnWidth, 0, {}, {}});
    for (const auto& [from, to] : edges) add_edge(from, to);
    for (size_t i = 0; i < items_.size(); ++i) {
      if (rows_.size() <= items_[i].row) rows_.resize(items_[i].row + 1);
      rows_[items_[i].row].push_back(i);
    }
  }

  Layout run() {
    for (int sweep = 0; sweep < kOrderSweeps; ++sweep) order(sweep % 2 == 0);
    for (auto& row : rows_) pack(row);
    for (int sweep = 0; sweep < kPlaceSweeps; ++sweep) place(sweep % 2 == 0);
    Layout out;
    double left = 0;
    for (const Item& item : items_) left = std::min(left, item.x - item.width / 2);
    const auto at = [&](size_t i) {
      return std::pair(items_[i].x - left, (static_cast<double>(items_[i].row) + 0.5) * kRowHeight);
    };
    for (size_t i = 0; i < nodes_; ++i) out.places.push_back(at(i));
    for (const auto& chain : chains_) {
      LayoutEdge edge{chain.front(), chain.back(), {}};
      for (size_t i = 1; i + 1 < chain.size(); ++i) edge.points.push_back(at(chain[i]));
      out.edges.push_back(std::move(edge));
    }
    return out;
  }

 private:
  void add_edge(size_t from, size_t to) {
    std::vector<size_t> chain{from};
    const size_t bends = items_[to].row - items_[from].row - 1;
    const bool straight =
        items_.size() + bends > (1 + kMostBends) * nodes_;  // it goes past the others, and does not move them
    for (size_t row = items_[from].row + 1; !straight && row < items_[to].row; ++row) {
      chain.push_back(items_.size());
      items_.push_back({row, kBendWidth, 0, {}, {}});
    }
    chain.push_back(to);
    if (straight) {
      chains_.push_back(std::move(chain));
      return;
    }
    for (size_t i = 0; i + 1 < chain.size(); ++i) {
      items_[chain[i]].below.push_back(chain[i + 1]);
      items_[chain[i + 1]].above.push_back(chain[i]);
    }
    chains_.push_back(std::move(chain));
  }

  // Orders each row by the mean place of its items' neighbours in the row before.
  void order(bool downwards) {
    std::vector<double> place(items_.size());
    const auto note = [&](const std::vector<size_t>& row) {
      for (size_t i = 0; i < row.size(); ++i) place[row[i]] = static_cast<double>(i);
    };
    for (const auto& row : rows_) note(row);
    for (size_t step = 0; step < rows_.size(); ++step) {
      auto& row = rows_[downwards ? step : rows_.size() - 1 - step];
      std::vector<std::pair<double, size_t>> keyed;
      for (const size_t i : row) {
        const auto& neighbours = downwards ? items_[i].above : items_[i].below;
        double sum = 0;
        for (const size_t n : neighbours) sum += place[n];
        keyed.emplace_back(neighbours.empty() ? place[i] : sum / static_cast<double>(neighbours.size()), i);
      }
      std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      for (size_t i = 0; i < row.size(); ++i) row[i] = keyed[i].second;
      note(row);
    }
  }

  void pack(const std::vector<size_t>& row) {
    double x = 0;
    for (const size_t i : row) {
      items_[i].x = x + items_[i].width / 2;
      x += items_[i].width;
    }
  }

  // Moves each item to the mean of its neighbours as far as its row leaves room: the pools of adjacent items that want to
  // overlap take their common mean (isotonic regression).
  void place(bool downwards) {
    for (size_t step = 0; step < rows_.size(); ++step) {
      const auto& row = rows_[downwards ? step : rows_.size() - 1 - step];
      struct Pool {
        double sum = 0;  // of wished left offsets
        double count = 0;
        size_t first = 0, last = 0;
        double mean() const { return sum / count; }
      };
      std::vector<Pool> pools;
      std::vector<double> offset(row.size());
      double width = 0;
      for (size_t k = 0; k < row.size(); ++k) {
        const Item& item = items_[row[k]];
        offset[k] = width + item.width / 2;
        width += item.width;
        double wish = 0, count = 0;
        for (const auto* side : {&item.above, &item.below}) {
          for (const size_t n : *side) {
            wish += items_[n].x;
            ++count;
          }
        }
        pools.push_back({(count > 0 ? wish / count : item.x) - offset[k], 1, k, k});
        while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
          const Pool last = pools.back();
          pools.pop_back();
          pools.back().sum += last.sum;
          pools.back().count += last.count;
          pools.back().last = last.last;
        }
      }
      for (const Pool& pool : pools) {
        for (size_t k = pool.first; k <= pool.last; ++k) items_[row[k]].x = pool.mean() + offset[k];
      }
    }
  }

  size_t nodes_;
  std::vector<Item> items_;
  std::vector<std::vector<size_t>> rows_, chains_;
};

}  // namespace

Layout lay_out(size_t nodes, const std::vector<std::pair<size_t, size_t>>& edges) {
  return Layouter(nodes, edges).run();
}

}  // namespace fewbits::report
