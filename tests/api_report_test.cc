// Reports through the public API: what they hold, and where they go.
#include "fewbits/report.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api_support.h"
#include "fewbits/calibrate.h"
#include "fewbits/quantize.h"

namespace fewbits {
namespace {

using nlohmann::json;
using test::floats;
using test::shared;
using test::TemporaryFolder;

Dataset pictures(size_t count) {
  return *Dataset::from_callback(count, [](size_t i) -> Result<DataItem> {
    return DataItem{{floats("image", {1, 8, 8, 3}, test::noise(192, static_cast<uint32_t>(i)))}, 3};
  });
}

ModelPtr quantized(const ModelPtr& model) {
  Dataset data = pictures(8);
  const auto ranges = calibrate_model(model, data);
  return quantize_model(*model, {}, &*ranges)->model;
}

json report(const ModelPtr& model, const ModelPtr& other, const ReportOptions& options = {}) {
  Dataset data = pictures(8);
  const auto made = make_report(model, other, data, options);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return json::parse(made->json());
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ApiReport, MeasuresEveryOperator) {
  const ModelPtr model = shared(test::classifier());
  const json document = report(model, quantized(model));
  EXPECT_EQ(document["samples"], 8);
  EXPECT_GT(document["model"]["latency"]["median_ms"], 0);
  size_t errors = 0, histograms = 0;
  for (const json& op : document["operators"]) {
    errors += !op["error"].is_null();
    if (op["activation"].is_null()) continue;
    ++histograms;
    EXPECT_FALSE(op["error"].is_null()) << op["type"];
    uint64_t counted =
        op["activation"]["histogram"]["below"].get<uint64_t>() + op["activation"]["histogram"]["above"].get<uint64_t>();
    for (const json& count : op["activation"]["histogram"]["counts"]) counted += count.get<uint64_t>();
    EXPECT_EQ(counted, op["activation"]["elements"]);
  }
  EXPECT_GE(errors, 3u);
  EXPECT_EQ(errors, histograms + 1);  // the DEQUANTIZE at the end has that of the SOFTMAX
  const json& conv = *std::find_if(document["operators"].begin(), document["operators"].end(),
                                   [](const json& op) { return op["type"] == "CONV_2D"; });
  EXPECT_EQ(conv["precision"], "int8");
  EXPECT_EQ(conv["weights"]["scales"].size(), 8u);
  EXPECT_EQ(document["worst"].size(), 8u);
  EXPECT_EQ(document["worst"][0]["label"], 3);
  EXPECT_EQ(document["worst"][0]["picture"].get<std::string>().substr(0, 22), "data:image/png;base64,");
}

TEST(ApiReport, AModelBesideItselfIsExact) {
  const ModelPtr model = shared(test::classifier());
  ReportOptions options;
  options.runs = 0;
  options.worst_samples = 0;
  const json document = report(model, model, options);
  EXPECT_TRUE(document["outputs"][0]["exact"]);
  EXPECT_TRUE(document["model"]["latency"].is_null());
  EXPECT_TRUE(document["worst"].empty());
}

TEST(ApiReport, OneModelNeedsNoData) {
  const auto made = make_report(shared(test::classifier()));
  ASSERT_TRUE(made);
  const json document = json::parse(made->json());
  EXPECT_TRUE(document["reference"].is_null());
  EXPECT_FALSE(document["operators"].empty());
}

TEST(ApiReport, SavesThePageAndItsData) {
  const TemporaryFolder folder;
  const auto made = make_report(shared(test::classifier()));
  ASSERT_TRUE(made->save(folder / "page.v1.html"));
  EXPECT_EQ(content(folder / "page.v1.html"), made->html());
  EXPECT_EQ(content(folder / "page.v1.json"), made->json());
  ASSERT_TRUE(made->save(folder / "alone.json"));
  EXPECT_EQ(content(folder / "alone.json"), made->json());
  EXPECT_ERROR(made->save(folder / "no/such/folder.html"), ErrorCode::kNotFound, "no/such/folder.html");
}

TEST(ApiReport, ErrorsAreThoseOfCompare) {
  const ModelPtr model = shared(test::classifier());
  Dataset data = pictures(1);
  EXPECT_ERROR(make_report(model, nullptr, data), ErrorCode::kInvalidArgument, "null");
  ReportOptions options;
  options.threads = 0;
  EXPECT_ERROR(make_report(model, model, data, options), ErrorCode::kInvalidArgument, "threads");
}

}  // namespace
}  // namespace fewbits
