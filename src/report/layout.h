// Where a graph's nodes and edges are drawn.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace fewbits::report {

struct LayoutEdge {
  size_t from = 0, to = 0;
  std::vector<std::pair<double, double>> points;  // the bends between the two, from `from` on
};

struct Layout {
  std::vector<std::pair<double, double>> places;  // the middle of each node
  std::vector<LayoutEdge> edges;
};

inline constexpr double kNodeWidth = 150, kNodeHeight = 34, kRowHeight = 64, kColumnWidth = 170, kBendWidth = 26;

// Layers from top to bottom after Sugiyama: a node stands a row below the lowest node that it reads, long edges bend in every row
// that they cross, nodes are ordered by their neighbours' means and moved towards them. Every edge goes from a smaller node to a
// larger one, as operators in execution order do.
Layout lay_out(size_t nodes, const std::vector<std::pair<size_t, size_t>>& edges);

}  // namespace fewbits::report
