// Datasets: files, or samples that Python gives one at a time.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/variant.h>

#include <variant>

#include "bindings.h"

namespace fewbits::python {
namespace {

using Numbers = std::variant<float, std::vector<float>>;

std::vector<float> numbers(const std::optional<Numbers>& given) {
  if (!given) return {};
  if (const auto* one = std::get_if<float>(&*given)) return {*one};
  return std::get<std::vector<float>>(*given);
}

template <class Enum>
Enum chosen(const std::string& name, const char* what, std::initializer_list<std::pair<const char*, Enum>> choices) {
  std::string known;
  for (const auto& [text, value] : choices) {
    if (name == text) return value;
    known += (known.empty() ? "'" : ", '") + std::string(text) + "'";
  }
  raise({ErrorCode::kInvalidArgument, std::string(what) + " is one of " + known + ", not '" + name + "'"});
}

void make_preprocess(PreprocessOptions* self, int resize_short, int crop, const std::optional<Numbers>& mean,
                     const std::optional<Numbers>& std, float scale, const std::string& fit,
                     const std::string& interpolation, const std::string& channel_order, const std::string& layout) {
  PreprocessOptions options;
  options.resize_short = resize_short;
  options.crop = crop;
  options.mean = numbers(mean);
  options.std = numbers(std);
  options.scale = scale;
  options.fit = chosen<Fit>(fit, "fit", {{"crop", Fit::kCrop}, {"stretch", Fit::kStretch}});
  options.interpolation = chosen<Interpolation>(
      interpolation, "interpolation", {{"bilinear", Interpolation::kBilinear}, {"bicubic", Interpolation::kBicubic}});
  options.channel_order =
      chosen<ChannelOrder>(channel_order, "channel_order", {{"rgb", ChannelOrder::kRgb}, {"bgr", ChannelOrder::kBgr}});
  options.layout =
      chosen<ChannelLayout>(layout, "layout", {{"nhwc", ChannelLayout::kNhwc}, {"nchw", ChannelLayout::kNchw}});
  new (self) PreprocessOptions(std::move(options));
}

DatasetOptions dataset_options(const PreprocessOptions* preprocess, int sample_rate, bool skip_nonfinite) {
  DatasetOptions options;
  if (preprocess != nullptr) options.preprocess = *preprocess;
  options.audio.sample_rate = sample_rate;
  options.non_finite = skip_nonfinite ? NonFinite::kSkip : NonFinite::kError;
  return options;
}

// A sample as Python gives it: ([(name, array)...], label or None).
using PyItem = std::pair<std::vector<std::pair<std::string, ArrayIn>>, std::optional<int32_t>>;

DataItem to_item(const PyItem& item) {
  DataItem out;
  for (const auto& [name, array] : item.first) out.arrays.push_back(copy_in(array, name));
  out.label = item.second;
  return out;
}

const Error& stopped() {
  static const Error error{ErrorCode::kInvalidData, "the data raised an exception"};
  return error;
}

// Python objects inside the library's std::function: copied and freed with the GIL only.
std::shared_ptr<nb::object> hold(nb::object object) {
  return {new nb::object(std::move(object)), [](nb::object* held) {
            nb::gil_scoped_acquire gil;
            delete held;
          }};
}

std::unique_ptr<PyDataset> wrap(Result<Dataset>&& data, std::shared_ptr<PendingError> pending) {
  return std::unique_ptr<PyDataset>(new PyDataset{unwrap(std::move(data)), std::move(pending), {}});
}

std::unique_ptr<PyDataset> open(const std::string& path, const PreprocessOptions* preprocess, int sample_rate,
                                bool skip_nonfinite) {
  auto data = [&] {
    nb::gil_scoped_release release;
    return Dataset::open(path, dataset_options(preprocess, sample_rate, skip_nonfinite));
  }();
  return wrap(std::move(data), std::make_shared<PendingError>());
}

std::unique_ptr<PyDataset> from_callback(size_t count, nb::object read, const PreprocessOptions* preprocess,
                                         bool skip_nonfinite) {
  auto pending = std::make_shared<PendingError>();
  auto callback = [read = hold(std::move(read)), pending](size_t index) -> Result<DataItem> {
    DataItem item;
    if (!pending->run([&] { item = to_item(nb::cast<PyItem>((*read)(index))); }))
      return tl::unexpected<Error>(stopped());
    return item;
  };
  return wrap(Dataset::from_callback(count, std::move(callback), dataset_options(preprocess, 0, skip_nonfinite)),
              pending);
}

std::unique_ptr<PyDataset> from_stream(nb::object next, const PreprocessOptions* preprocess, bool skip_nonfinite) {
  auto pending = std::make_shared<PendingError>();
  auto callback = [next = hold(std::move(next)), pending]() -> Result<std::optional<DataItem>> {
    std::optional<DataItem> item;
    const bool good = pending->run([&] {
      const nb::object given = (*next)();
      if (!given.is_none()) item = to_item(nb::cast<PyItem>(given));
    });
    if (!good) return tl::unexpected<Error>(stopped());
    return item;
  };
  return wrap(Dataset::from_stream(std::move(callback), dataset_options(preprocess, 0, skip_nonfinite)), pending);
}

std::optional<size_t> size(const PyDataset& self) {
  if (self.data.size() == Dataset::kUnknownSize) return std::nullopt;
  return self.data.size();
}

}  // namespace

void bind_data(nb::module_& module) {
  nb::class_<PreprocessOptions>(module, "Preprocess",
                                "How a picture becomes the numbers of an input; the command line's flags.")
      .def("__init__", &make_preprocess, nb::kw_only(), nb::arg("resize_short") = 0, nb::arg("crop") = 0,
           nb::arg("mean") = nb::none(), nb::arg("std") = nb::none(), nb::arg("scale") = 1.0f, nb::arg("fit") = "crop",
           nb::arg("interpolation") = "bilinear", nb::arg("channel_order") = "rgb", nb::arg("layout") = "nhwc")
      .def_ro("resize_short", &PreprocessOptions::resize_short)
      .def_ro("crop", &PreprocessOptions::crop)
      .def_ro("mean", &PreprocessOptions::mean)
      .def_ro("std", &PreprocessOptions::std)
      .def_ro("scale", &PreprocessOptions::scale);
  nb::class_<PyDataset>(module, "Dataset", "Samples for calibration and evaluation. Use fewbits.dataset() to make one.")
      .def_static("open", &open, nb::arg("path"), nb::arg("preprocess").none() = nb::none(), nb::arg("sample_rate") = 0,
                  nb::arg("skip_nonfinite") = false)
      .def_static("from_callback", &from_callback, nb::arg("count"), nb::arg("read"),
                  nb::arg("preprocess").none() = nb::none(), nb::arg("skip_nonfinite") = false)
      .def_static("from_stream", &from_stream, nb::arg("next"), nb::arg("preprocess").none() = nb::none(),
                  nb::arg("skip_nonfinite") = false)
      .def_prop_ro("size", &size, "The number of samples, None for a stream.")
      .def_prop_ro("labeled", [](const PyDataset& d) { return d.data.labeled(); })
      .def("__repr__", [](const PyDataset& d) {
        const auto count = size(d);
        return "<fewbits.Dataset of " + (count ? std::to_string(*count) : std::string("a stream of")) + " samples>";
      });
}

}  // namespace fewbits::python
