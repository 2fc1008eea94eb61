// Sound as model inputs: WAV through libsndfile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "fewbits/data.h"

namespace fewbits::calibrate {

// Mono samples in [-1, 1] (float files may exceed it): the mean of the channels.
struct Audio {
  int sample_rate = 0;
  std::vector<float> samples;
};

using fewbits::AudioOptions;

// A WAV file in memory (whatever else libsndfile knows, too). kInvalidData for broken bytes; safe on any bytes.
Result<Audio> decode_audio(std::span<const uint8_t> bytes);
// The same for a file; errors name it, and a rate other than options.sample_rate.
Result<Audio> read_audio(const std::string& path, const AudioOptions& options);

// Exactly `length` samples from the start: longer sounds are cut at the end, shorter ones padded there with silence.
void cut_or_pad(Audio& audio, size_t length);

}  // namespace fewbits::calibrate
