// Sound through libsndfile.
#include "calibrate/audio.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/file.h"
#include "calibrate/lazy_sndfile.h"

namespace fewbits::calibrate {
namespace {

// libsndfile's view of bytes in memory.
struct Cursor {
  std::span<const uint8_t> bytes;
  sf_count_t at = 0;
};

Cursor& cursor_of(void* user) noexcept { return *static_cast<Cursor*>(user); }

SF_VIRTUAL_IO memory_io() noexcept {
  SF_VIRTUAL_IO io{};
  io.get_filelen = [](void* user) { return static_cast<sf_count_t>(cursor_of(user).bytes.size()); };
  io.tell = [](void* user) { return cursor_of(user).at; };
  io.seek = [](sf_count_t offset, int whence, void* user) {
    Cursor& cursor = cursor_of(user);
    const auto size = static_cast<sf_count_t>(cursor.bytes.size());
    const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? cursor.at : size;
    cursor.at = std::clamp(offset, -base, size - base) + base;
    return cursor.at;
  };
  io.read = [](void* out, sf_count_t count, void* user) {
    Cursor& cursor = cursor_of(user);
    const sf_count_t part = std::clamp<sf_count_t>(count, 0, static_cast<sf_count_t>(cursor.bytes.size()) - cursor.at);
    if (part > 0) std::memcpy(out, cursor.bytes.data() + cursor.at, static_cast<size_t>(part));
    cursor.at += part;
    return part;
  };
  io.write = [](const void*, sf_count_t, void*) { return sf_count_t{0}; };
  return io;
}

struct Closer {
  void operator()(SNDFILE* file) const noexcept { sf_close(file); }
};

}  // namespace

Result<Audio> decode_audio(std::span<const uint8_t> bytes) {
  FB_TRY(load_sndfile());
  Cursor cursor{bytes};
  SF_VIRTUAL_IO io = memory_io();
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, Closer> file(sf_open_virtual(&io, SFM_READ, &info, &cursor));
  if (!file) return fail(ErrorCode::kInvalidData, "not a sound that can be read: {}", sf_strerror(nullptr));
  if (info.channels < 1) return fail(ErrorCode::kInvalidData, "the sound has no channels");

  // In pieces until the data ends: the number of frames in the header is only a claim.
  constexpr sf_count_t kFrames = 4096;
  const size_t channels = static_cast<size_t>(info.channels);
  std::vector<float> frames(static_cast<size_t>(kFrames) * channels);
  Audio audio{info.samplerate, {}};
  for (sf_count_t got; (got = sf_readf_float(file.get(), frames.data(), kFrames)) > 0;) {
    for (size_t i = 0; i < static_cast<size_t>(got); ++i) {
      double sum = 0;
      for (size_t c = 0; c < channels; ++c) sum += frames[i * channels + c];
      audio.samples.push_back(static_cast<float>(sum / static_cast<double>(channels)));
    }
  }
  if (sf_error(file.get()) != SF_ERR_NO_ERROR) {
    return fail(ErrorCode::kInvalidData, "broken sound: {}", sf_strerror(file.get()));
  }
  if (audio.samples.empty()) return fail(ErrorCode::kInvalidData, "the sound is empty");
  return audio;
}

Result<Audio> read_audio(const std::string& path, const AudioOptions& options) {
  FB_ASSIGN(const auto file, MappedFile::open(path));
  auto audio = decode_audio(file->bytes());
  if (!audio) return with_context(std::move(audio).error(), path);
  if (options.sample_rate > 0 && audio->sample_rate != options.sample_rate) {
    return fail(ErrorCode::kInvalidData, "{}: the sample rate is {} Hz, not {} Hz; resample the file", path,
                audio->sample_rate, options.sample_rate);
  }
  return audio;
}

void cut_or_pad(Audio& audio, size_t length) { audio.samples.resize(length, 0.0f); }

}  // namespace fewbits::calibrate
