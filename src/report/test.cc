// Layout, histograms and pictures, against what can be said by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "report/advice.h"
#include "report/histogram.h"
#include "report/layout.h"
#include "report/picture.h"
#include "report/render.h"

namespace fewbits::report {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Layout, AChainIsOneColumn) {
  const Layout layout = lay_out(4, {{0, 1}, {1, 2}, {2, 3}});
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(layout.places[i].first, layout.places[0].first, 1e-6);
    EXPECT_DOUBLE_EQ(layout.places[i].second, (static_cast<double>(i) + 0.5) * kRowHeight);
  }
}

TEST(Layout, NodesOfARowDoNotOverlap) {
  // A fan of five that meets again, and an edge past it.
  std::vector<std::pair<size_t, size_t>> edges{{0, 6}};
  for (size_t i = 1; i <= 5; ++i) {
    edges.emplace_back(0, i);
    edges.emplace_back(i, 6);
  }
  const Layout layout = lay_out(7, edges);
  for (size_t i = 1; i <= 5; ++i) {
    EXPECT_DOUBLE_EQ(layout.places[i].second, layout.places[1].second);
    for (size_t j = i + 1; j <= 5; ++j) {
      EXPECT_GE(std::abs(layout.places[i].first - layout.places[j].first), kColumnWidth - 1e-6);
    }
  }
  EXPECT_NEAR(layout.places[0].first, layout.places[6].first, kColumnWidth);
}

TEST(Layout, ALongEdgeBendsInEveryRowThatItCrosses) {
  const Layout layout = lay_out(4, {{0, 1}, {1, 2}, {2, 3}, {0, 3}});
  for (const LayoutEdge& edge : layout.edges) {
    const bool is_long = edge.from == 0 && edge.to == 3;
    ASSERT_EQ(edge.points.size(), is_long ? 2u : 0u);
    for (const auto& point : edge.points) {
      const size_t crossed = point.second < 2 * kRowHeight ? 1 : 2;
      EXPECT_GE(std::abs(point.first - layout.places[crossed].first), (kColumnWidth + kBendWidth) / 2 - 1e-6);
    }
  }
}

TEST(Layout, EdgesGoDownWhateverTheirOrder) {
  const Layout layout = lay_out(5, {{3, 4}, {0, 3}, {2, 3}, {1, 2}, {0, 1}});
  for (const LayoutEdge& edge : layout.edges) {
    EXPECT_LT(layout.places[edge.from].second, layout.places[edge.to].second);
  }
}

// A mask that every layer reads took memory as the square of the depth.
TEST(Layout, EdgesPastAllOthersAreFew) {
  std::vector<std::pair<size_t, size_t>> edges;
  for (size_t i = 1; i < 3000; ++i) {
    edges.emplace_back(i - 1, i);
    if (i > 1) edges.emplace_back(0, i);
  }
  const Layout layout = lay_out(3000, edges);
  ASSERT_EQ(layout.edges.size(), edges.size());
  size_t bends = 0;
  for (const LayoutEdge& edge : layout.edges) bends += edge.points.size();
  EXPECT_LE(bends, 50u * 3000);
}

TEST(Layout, NothingIsNothing) { EXPECT_TRUE(lay_out(0, {}).places.empty()); }

TEST(Histogram, CountsWhatIsClipped) {
  HistogramBuilder builder(Range{-1, 1});
  const std::vector<float> values{-5, -1.2f, -1, 0, 0.5f, 1, 1.01f, std::numeric_limits<float>::quiet_NaN()};
  builder.add(values);
  const Activation result = builder.result();
  EXPECT_EQ(result.elements, 8u);
  EXPECT_EQ(result.clipped, 3u);
  EXPECT_EQ(result.values.below, 1u);  // beyond the margin, which -1.2 is within
  EXPECT_EQ(result.values.above, 0u);
  EXPECT_DOUBLE_EQ(result.values.low, -1 - 2 * 10.0 / 44);
  EXPECT_DOUBLE_EQ(result.values.min, -5);
  EXPECT_DOUBLE_EQ(result.values.max, double{1.01f});
  uint64_t inside = 0;
  for (const uint64_t count : result.values.counts) inside += count;
  EXPECT_EQ(inside, 6u);
}

TEST(Histogram, WithoutARangeTheFirstSampleChooses) {
  HistogramBuilder builder(std::nullopt);
  builder.add(std::vector<float>{0, 2});
  builder.add(std::vector<float>{100});
  EXPECT_DOUBLE_EQ(builder.result().values.high, 2 + 2 * 10.0 / 44);
  EXPECT_EQ(builder.result().values.above, 1u);
  EXPECT_EQ(builder.result().clipped, 0u);
}

TEST(Histogram, OfWeights) {
  const Histogram histogram = histogram_of(std::vector<float>{-1, 0, 0, 1});
  EXPECT_EQ(histogram.counts.front(), 1u);
  EXPECT_EQ(histogram.counts.back(), 1u);
  EXPECT_EQ(histogram.counts[HistogramBuilder::kBins / 2], 2u);
  EXPECT_TRUE(histogram_of({}).empty());
  EXPECT_EQ(histogram_of(std::vector<float>{3, 3}).counts.front(), 2u);
}

TEST(Picture, IsAPngOfWhatLooksLikeOne) {
  std::vector<float> values(32 * 32 * 3);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const auto picture = [&](Shape shape) {
    return picture_of(make_array<float>("", DType::kFloat32, std::move(shape), values));
  };
  EXPECT_EQ(picture({1, 32, 32, 3}).substr(0, 4), "\x89PNG");
  EXPECT_EQ(picture({1, 3, 32, 32}).substr(0, 4), "\x89PNG");
  EXPECT_EQ(picture({1, 48, 64, 1}).substr(0, 4), "\x89PNG");
  EXPECT_TRUE(picture({3, 32, 32, 1}).empty());
  EXPECT_TRUE(picture({1, 32, 96}).empty());
}

TEST(Picture, Base64) {  // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

Data two_models() {
  Data data;
  data.reference = ModelSummary{"float.tflite", 4000000, 3900000, 2, std::nullopt};
  data.model = ModelSummary{"small.tflite", 1000000, 900000, 2, std::nullopt};
  data.samples = 10;
  OutputComparison output;
  output.name = "scores";
  output.error.sqnr_db = 9;
  output.agreement = 0.9;
  output.rows = 10;
  data.outputs = {output};
  OperatorView conv;
  conv.type = "CONV_2D";
  conv.output = "block/conv_int8";
  conv.precision = Precision::kInt8;
  conv.error = TensorError{};
  conv.error->sqnr_db = 8;
  OperatorView softmax;
  softmax.type = "SOFTMAX";
  softmax.precision = Precision::kFloat32;
  softmax.reason = "it was excluded";
  data.operators = {conv, softmax};
  return data;
}

TEST(Words, TheVerdictSaysSizeAgreementAndWhatStayedFloat) {
  EXPECT_EQ(
      verdict_of(two_models()),
      "4.0 times smaller (4.0 MB to 1.0 MB); the largest score is at the same place in 90 % of 10 samples. 1 of 2 "
      "operators stayed in float (SOFTMAX): it was excluded.");
}

TEST(Words, TheCommonestReasonSpeaksForOthers) {
  Data data = two_models();
  OperatorView pow;
  pow.type = "POW";
  pow.precision = Precision::kFloat32;
  pow.reason = "no kernel takes integers";
  data.operators.push_back(pow);
  data.operators.push_back(pow);
  EXPECT_THAT(verdict_of(data),
              HasSubstr("3 of 4 operators stayed in float (2 POW, SOFTMAX): no kernel takes integers; the table of "
                        "operators has 1 more reason."));
}

TEST(Words, WeightsAloneAreSaidToBeInt8) {
  Data data = two_models();
  data.operators[0].precision = Precision::kHybrid;
  EXPECT_THAT(verdict_of(data), testing::EndsWith(" The weights of 1 operator are int8, activations stay in float."));
}

// Corners of boxes, four a row, were taken for a detector's scores when they came first.
TEST(Words, ScoresAreTheLongestRows) {
  Data data = two_models();
  OutputComparison boxes = data.outputs[0];
  boxes.name = "boxes";
  boxes.agreement = 0.5;
  boxes.rows = data.outputs[0].rows = 490;
  boxes.error.elements = 4 * 490;
  data.outputs[0].error.elements = 90 * 490;
  data.outputs.insert(data.outputs.begin(), boxes);
  EXPECT_THAT(verdict_of(data), HasSubstr("the largest score of scores is at the same place in 90 % of 490 rows"));
}

TEST(Words, RowsOfADetectorAreNoSamples) {
  Data data = two_models();
  data.outputs[0].rows = 490;
  EXPECT_THAT(verdict_of(data), HasSubstr("same place in 90 % of 490 rows of scores, from 10 samples."));
}

// The end of a model, where all errors meet, was named.
TEST(Words, AdviceNamesWhatAddsError) {
  Data data = two_models();
  data.operators.clear();
  for (const auto& [name, db] : {std::pair("early", 30.0), {"culprit", 12.0}, {"reshape", 12.0}, {"late", 11.9}}) {
    OperatorView op;
    op.output = name;
    op.precision = Precision::kInt8;
    op.error = TensorError{};
    op.error->sqnr_db = db;
    data.operators.push_back(op);
  }
  data.edges = {{0, 1, {}}, {1, 2, {}}, {2, 3, {}}};
  EXPECT_THAT(advice_for(data, "x")[0].command, testing::EndsWith("--exclude culprit --exclude late --exclude early"));
}

TEST(Words, PathsOfDataAreQuoted) {
  EXPECT_EQ(data_words("", "--mean 1"), "");
  EXPECT_EQ(data_words("pictures/", "--mean 1"), "pictures/ --mean 1");
  EXPECT_EQ(data_words("my pictures; rm -r x", ""), "'my pictures; rm -r x'");
}

TEST(Words, AModelInMemoryHasNoPath) {
  Data data = two_models();
  data.reference->path.clear();
  EXPECT_THAT(advice_for(data, "")[0].command, HasSubstr("fewbits quantize MODEL -o better.tflite"));
}

TEST(Words, AdviceHoldsCommands) {
  const auto advice = advice_for(two_models(), "pictures/ --mean 127.5");
  ASSERT_GE(advice.size(), 3u);
  EXPECT_EQ(advice[0].command,
            "fewbits quantize float.tflite -o better.tflite --mode int8 --calibrate pictures/ --mean 127.5 --exclude "
            "block/conv");
  EXPECT_THAT(advice[1].command, HasSubstr("--mode int16x8"));
  Data odd = two_models();
  odd.reference->path = "my model's.tflite";
  odd.operators[0].output = "a b;c;d_int8";
  EXPECT_THAT(advice_for(odd, "x")[0].command, HasSubstr("quantize 'my model'\\''s.tflite' -o"));
  EXPECT_THAT(advice_for(odd, "x")[0].command, HasSubstr("--exclude 'a b;*'"));
  Data good = two_models();
  good.outputs[0].error.sqnr_db = 40;
  EXPECT_THAT(advice_for(good, "").front().command, HasSubstr("fewbits eval small.tflite --data LABELLED_DATA"));
}

TEST(Render, NamesCannotBecomeMarkup) {
  Data data = two_models();
  data.operators[0].output = "</script><script>alert(1)</script><!--\xff";
  const std::string html = to_html(data);
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  const auto json = nlohmann::json::parse(to_json(data));
  EXPECT_EQ(json["operators"][0]["error"]["sqnr_db"], 8);
  EXPECT_EQ(json["schema"], 1);
}

TEST(Render, NothingIsLoaded) {
  const std::string html = to_html(two_models());
  for (const char* part :
       {"http-equiv", "src=\"http", "href=\"http", "@import", "url(", "fetch(", "@DATA@", "@STYLE@"}) {
    EXPECT_THAT(html, Not(HasSubstr(part)));
  }
}

}  // namespace
}  // namespace fewbits::report
