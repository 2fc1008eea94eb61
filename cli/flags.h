// Groups of flags that several commands share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "command.h"
#include "fewbits/convert.h"
#include "fewbits/data.h"

namespace fewbits::cli {

// How pictures become inputs. See fewbits/data.h.
struct PreprocessFlags {
  PreprocessOptions options;
  AudioOptions audio;
  std::string mean, std;  // "a" or "a,b,c"
  std::string stats;      // a statistics file whose preprocessing is used instead
  bool ignore_nonfinite = false;

  void add(CLI::App& command);
  // Adds --stats with this help: for commands that take from it nothing but the preprocessing.
  void add_stats(CLI::App& command);
  // Opens DATA to be prepared so. Throws UsageError for lists that are no numbers, or --stats beside other flags.
  Result<Dataset> open(const std::string& data) const;
  bool given() const;  // any flag of preprocessing

 private:
  Result<DatasetOptions> dataset_options() const;
};

struct SampleFlags {
  size_t samples = 0;
  std::optional<uint64_t> seed;
  bool others = false;

  void add(CLI::App& command, bool with_others);
  SampleChoice choice() const { return {samples, seed, others}; }
};

struct ThreadFlag {
  int threads = default_threads();

  void add(CLI::App& command);
  static int default_threads();  // the machine's, at most 4
};

// How models of other formats are read. See fewbits/convert.h.
struct ImportFlags {
  std::string signature, tags;      // tags: "serve,gpu"
  std::vector<std::string> shapes;  // "name=1,3,224,224"
  bool keep_layout = false, fuse_recurrent = false;

  // `with_signature`: also --signature; other commands have one of their own.
  void add(CLI::App& command, bool with_signature);
  // Throws UsageError for shapes that are none.
  ConvertOptions options() const;
};
// The formats that IN may have, for help texts.
std::string import_formats();
// Reads IN of any format.
Result<ModelPtr> load_any(const std::string& path, const ImportFlags& flags);

void add_signature(CLI::App& command, std::string& signature);
void add_strict_fp32(CLI::App& command, bool& strict_fp32);
void add_pack_cache(CLI::App& command, std::string& pack_cache);

// What commands that set one model against another take: both, and the data to run them on.
struct ComparedFlags {
  std::string reference, other, data, signature;
  PreprocessFlags preprocess;
  SampleFlags samples;
  ThreadFlag threads;

  struct Opened {
    ModelPtr reference, other;
    Dataset data;
  };
  Result<Opened> open() const;  // throws as PreprocessFlags::open()
  // The models and --data; a command's own flags stand between these and the rest.
  void add_models(CLI::App& command);
  void add_rest(CLI::App& command);
};

// "1,224,224,3" to numbers; UsageError names the flag.
std::vector<double> parse_numbers(const std::string& text, const std::string& flag);

}  // namespace fewbits::cli
