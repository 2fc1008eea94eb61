// A report: two models side by side on data, or one model by itself, as a page to look at and as JSON to compute with.
#pragma once

#include <memory>
#include <string>

#include "fewbits/data.h"
#include "fewbits/model.h"

namespace fewbits {

struct ReportOptions {
  std::string signature;
  SampleChoice samples;
  int threads = 1;
  int runs = 20;             // of each model, to time it; 0: no times
  size_t worst_samples = 8;  // that are shown, those whose answers moved the most
  // For the commands that the report suggests: where the data lies, and the flags that prepare it ("--mean 127.5"). May be empty.
  std::string data_path, data_flags;
  // After each sample, and again, with the same numbers, after each run that is timed; false stops with an error.
  ProgressCallback progress;
};

// A value; copies share what it holds.
class Report {
 public:
  // One file that needs no other and no network.
  std::string html() const;
  // The same data: docs/report.schema.json describes it.
  std::string json() const;
  // The page at `path`, and the JSON beside it, with .json for the path's ending; a path that ends in .json gets that alone. Each
  // file is old or complete.
  Status save(const std::string& path) const;
  const std::string& verdict() const noexcept;  // a sentence or two

  struct Impl;  // no part of the API

 private:
  friend Result<Report> make_report(const ModelPtr&, const ModelPtr&, Dataset&, const ReportOptions&);
  friend Result<Report> make_report(const ModelPtr&, const ReportOptions&);
  explicit Report(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// Runs both models on the data in one pass, layer by layer, and times them. Errors as compare_models().
Result<Report> make_report(const ModelPtr& reference, const ModelPtr& other, Dataset& data,
                           const ReportOptions& options = {});
// One model by itself: its graph, weights, sizes and times.
Result<Report> make_report(const ModelPtr& model, const ReportOptions& options = {});

}  // namespace fewbits
