// Public calibration, in front of calibrate/.
#include "fewbits/calibrate.h"

#include "api/impl.h"
#include "api/runtime/guard.h"
#include "calibrate/statistics_file.h"

namespace fewbits {

struct Calibration::Impl {
  calibrate::StatisticsFile file;
};

Result<Calibration> Calibration::load(const std::string& path) {
  return api::guarded([&]() -> Result<Calibration> {
    FB_ASSIGN(auto file, calibrate::load_statistics(path));
    return Calibration(std::make_shared<const Impl>(Impl{std::move(file)}));
  });
}

Status Calibration::save(const std::string& path) const {
  return api::guarded([&] { return calibrate::save_statistics(impl_->file, path); });
}

Status Calibration::merge(const Calibration& later) {
  return api::guarded([&]() -> Status {
    if (impl_->file.preprocess != later.impl_->file.preprocess) {
      return fail(ErrorCode::kInvalidArgument, "these statistics come from differently prepared pictures");
    }
    Impl merged = *impl_;
    FB_TRY(merged.file.statistics.merge(later.impl_->file.statistics));
    impl_ = std::make_shared<const Impl>(std::move(merged));
    return {};
  });
}

uint64_t Calibration::samples() const noexcept { return impl_->file.statistics.samples; }
const PreprocessOptions& Calibration::preprocess() const noexcept { return impl_->file.preprocess; }
const Statistics& Calibration::statistics() const noexcept { return impl_->file.statistics; }

std::vector<TensorRange> Calibration::ranges() const {
  std::vector<TensorRange> out;
  for (const auto& [key, stats] : impl_->file.statistics.tensors) {
    out.push_back({stats.name, stats.samples, stats.min, stats.max, stats.average_min(), stats.average_max()});
  }
  return out;
}

Result<Calibration> calibrate_model(const ModelPtr& model, Dataset& data, const CalibrateOptions& options) {
  return api::guarded([&]() -> Result<Calibration> {
    FB_TRY(api::check_model(model));
    FB_TRY(api::check_threads(options.threads));
    FB_ASSIGN(calibrate::SampleWalk walk, api::chosen_samples(data, options.samples));
    calibrate::CollectOptions collect;
    collect.signature = options.signature;
    collect.threads = options.threads;
    collect.non_finite =
        options.ignore_nonfinite ? calibrate::NonFiniteRange::kIgnore : calibrate::NonFiniteRange::kError;
    collect.progress = options.progress;
    FB_ASSIGN(auto statistics, calibrate::collect(model, *data.impl().data, std::move(walk), collect));
    return Calibration(std::make_shared<const Calibration::Impl>(
        Calibration::Impl{calibrate::StatisticsFile{std::move(statistics), data.preprocess()}}));
  });
}

}  // namespace fewbits
