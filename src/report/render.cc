// A report as JSON, and as a page around it.
#include "report/render.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "report/assets.inc"
#include "report/picture.h"

namespace fewbits::report {
namespace {

using Json = nlohmann::json;

constexpr int kSchema = 1;  // docs/report.schema.json; raised when a field changes its meaning or goes

// JSON has no infinity: null, with "exact" beside it.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }
// Six digits are more than a page shows, and keep it small.
Json brief(double value) {
  if (!std::isfinite(value) || value == 0) return number(value);
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::isfinite(scale) && scale > 0 ? Json(std::round(value * scale) / scale) : Json(value);
}

Json to_json(const TensorError& error) {
  return {{"sqnr_db", brief(error.sqnr_db)},
          {"exact", std::isinf(error.sqnr_db) && error.sqnr_db > 0 && error.nonfinite == 0},
          {"cosine", number(error.cosine)},
          {"max_abs", brief(error.max_abs)},
          {"mean_abs", brief(error.mean_abs)},
          {"reference_max_abs", brief(error.reference_max_abs)},
          {"elements", error.elements},
          {"nonfinite", error.nonfinite}};
}

Json to_json(const Histogram& histogram) {
  if (histogram.empty()) return nullptr;
  return {{"low", brief(histogram.low)}, {"high", brief(histogram.high)}, {"counts", histogram.counts},
          {"below", histogram.below},    {"above", histogram.above},      {"min", brief(histogram.min)},
          {"max", brief(histogram.max)}};
}

Json to_json(const Activation& activation) {
  Json range = nullptr;
  if (activation.range) range = {brief(activation.range->low), brief(activation.range->high)};
  return {{"histogram", to_json(activation.values)},
          {"range", range},
          {"elements", activation.elements},
          {"clipped", activation.clipped}};
}

Json to_json(const Weights& weights) {
  Json scales = Json::array();
  for (const float scale : weights.scales) scales.push_back(brief(scale));
  return {
      {"histogram", to_json(weights.values)}, {"dtype", weights.dtype}, {"bytes", weights.bytes}, {"scales", scales}};
}

Json to_json(const ModelSummary& model) {
  Json document = {{"path", model.path},
                   {"bytes", model.bytes},
                   {"constant_bytes", model.constant_bytes},
                   {"operators", model.operators},
                   {"latency", nullptr}};
  if (const auto& time = model.benchmark) {
    document["latency"] = {{"median_ms", time->median_ms}, {"min_ms", time->min_ms}, {"p90_ms", time->p90_ms},
                           {"plan_ms", time->plan_ms},     {"runs", time->runs},     {"peak_bytes", time->peak_bytes}};
  }
  return document;
}

template <class T>
Json optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json to_json(const OperatorView& op) {
  Json document = {{"index", op.index},
                   {"type", op.type},
                   {"output", op.output},
                   {"dtype", op.dtype},
                   {"shape", op.shape},
                   {"precision", precision_name(op.precision)},
                   {"reason", op.reason},
                   {"help", op.help},
                   {"kernel", op.kernel},
                   {"constant_bytes", op.constant_bytes},
                   {"ms", op.ms ? brief(*op.ms) : Json()},
                   {"reference_ms", op.reference_ms ? brief(*op.reference_ms) : Json()},
                   {"x", std::round(op.x)},
                   {"y", std::round(op.y)}};
  document["error"] = op.error ? to_json(*op.error) : Json();
  document["activation"] = op.activation ? to_json(*op.activation) : Json();
  document["weights"] = op.weights ? to_json(*op.weights) : Json();
  return document;
}

Json to_json(const Edge& edge) {
  Json points = Json::array();
  for (const auto& [x, y] : edge.points) points.push_back({std::round(x), std::round(y)});
  return {{"from", edge.from}, {"to", edge.to}, {"points", points}};
}

Json to_json(const WorstSample& sample) {
  return {{"source", sample.source},
          {"sqnr_db", brief(sample.sqnr_db)},
          {"label", optional(sample.label)},
          {"reference_class", optional(sample.reference_class)},
          {"other_class", optional(sample.other_class)},
          {"picture", sample.picture.empty() ? Json() : Json("data:image/png;base64," + base64(sample.picture))}};
}

template <class T>
Json list(const std::vector<T>& items) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(to_json(item));
  return array;
}

Json output_json(const OutputComparison& output) {
  Json document = {{"name", output.name},
                   {"other_name", output.other_name},
                   {"agreement", optional(output.agreement)},
                   {"rows", output.rows}};
  document.update(to_json(output.error));
  return document;
}

Json document_of(const Data& data) {
  Json outputs = Json::array(), advice = Json::array(), times = Json::array(), sizes = Json::array();
  for (const OutputComparison& output : data.outputs) outputs.push_back(output_json(output));
  for (const Advice& item : data.advice) advice.push_back({{"text", item.text}, {"command", item.command}});
  for (const OperatorTime& time : data.reference_times) {
    times.push_back(
        {{"operator", time.index}, {"type", time.type}, {"ms", brief(static_cast<double>(time.nanoseconds) / 1e6)}});
  }
  for (const OperatorSize& size : data.reference_sizes) {
    sizes.push_back({{"operator", size.index}, {"type", size.type}, {"bytes", size.bytes}});
  }
  return {{"schema", kSchema},
          {"fewbits", data.version},
          {"verdict", data.verdict},
          {"advice", advice},
          {"reference", data.reference ? to_json(*data.reference) : Json()},
          {"model", to_json(data.model)},
          {"samples", data.samples},
          {"skipped", data.skipped},
          {"threads", data.threads},
          {"outputs", outputs},
          {"operators", list(data.operators)},
          {"edges", list(data.edges)},
          {"unmatched_layers", data.unmatched_layers},
          {"reference_times", times},
          {"reference_sizes", sizes},
          {"worst", list(data.worst)}};
}

// Names come from files, and may hold bytes that are no UTF-8.
std::string dump(const Json& document, int indent) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// Inside <script>, "</" could end the element, and "<!--" could hide its end.
std::string inside_script(std::string json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) c == '<' ? out += "\\u003c" : out += c;
  return out;
}

}  // namespace

std::string to_json(const Data& data) { return dump(document_of(data), 1) + "\n"; }

std::string to_html(const Data& data) {
  const std::pair<std::string_view, std::string> parts[] = {
      {"@STYLE@", k_style_css}, {"@SCRIPT@", k_app_js}, {"@DATA@", inside_script(dump(document_of(data), -1))}};
  std::string_view page = k_page_html;
  std::string out;
  for (const auto& [mark, text] : parts) {
    const size_t at = page.find(mark);
    if (at == std::string_view::npos) continue;
    out += page.substr(0, at);
    out += text;
    page.remove_prefix(at + mark.size());
  }
  return out + std::string(page);
}

}  // namespace fewbits::report
