// WAV files as samples.
#include "calibrate/audio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "calibrate/dataset_test_files.h"

namespace fewbits::calibrate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using AudioTest = FolderTest;

TEST_F(AudioTest, ReadsMonoAsFractions) {
  write_wav(path("a.wav"), std::vector<float>{0, 0.5f, -1, 0.25f});
  const auto audio = read_audio(path("a.wav"), {});
  ASSERT_TRUE(audio) << message_of(audio);
  EXPECT_EQ(audio->sample_rate, 16000);
  // 16-bit numbers over 32768; libsndfile wrote the fractions times 32767.
  EXPECT_THAT(audio->samples, ElementsAre(0, testing::FloatNear(0.5f, 4e-5f), testing::FloatNear(-1, 4e-5f),
                                          testing::FloatNear(0.25f, 4e-5f)));
}

TEST_F(AudioTest, ChannelsAreAveraged) {
  write_wav(path("a.wav"), std::vector<float>{1, 0, -0.5f, 0.25f}, 2, 8000, SF_FORMAT_FLOAT);
  const auto audio = read_audio(path("a.wav"), {.sample_rate = 8000});
  ASSERT_TRUE(audio) << message_of(audio);
  EXPECT_THAT(audio->samples, ElementsAre(0.5f, -0.125f));
}

TEST_F(AudioTest, LongSoundsKeepTheirOrder) {
  std::vector<float> samples(10000);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(i) / 16384;
  write_wav(path("a.wav"), samples, 1, 16000, SF_FORMAT_FLOAT);
  const auto audio = read_audio(path("a.wav"), {});
  ASSERT_TRUE(audio);
  EXPECT_EQ(audio->samples, samples);
}

TEST_F(AudioTest, CutsAndPadsAtTheEnd) {
  Audio audio{16000, {1, 2, 3}};
  cut_or_pad(audio, 5);
  EXPECT_THAT(audio.samples, ElementsAre(1, 2, 3, 0, 0));
  cut_or_pad(audio, 2);
  EXPECT_THAT(audio.samples, ElementsAre(1, 2));
}

TEST_F(AudioTest, ErrorsNameTheFile) {
  write_wav(path("a.wav"), std::vector<float>{0, 0});
  EXPECT_THAT(message_of(read_audio(path("a.wav"), {.sample_rate = 44100})),
              HasSubstr(path("a.wav") + ": the sample rate is 16000 Hz, not 44100 Hz"));
  write("b.wav", Bytes{'R', 'I', 'F', 'F', 0, 0});
  EXPECT_THAT(message_of(read_audio(path("b.wav"), {})), HasSubstr(path("b.wav")));
  write_wav(path("c.wav"), {});
  EXPECT_THAT(message_of(read_audio(path("c.wav"), {})), HasSubstr("empty"));
}

TEST_F(AudioTest, AnyBytesAreSafe) {
  write_wav(path("a.wav"), std::vector<float>(64, 0.5f));
  const auto file = MappedFile::open(path("a.wav"));
  Bytes bytes((*file)->bytes().begin(), (*file)->bytes().end());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const uint8_t value : {0, 1, 0x7f, 0xff}) {
      const uint8_t old = std::exchange(bytes[i], value);
      const auto audio = decode_audio(bytes);
      EXPECT_LE(audio ? audio->samples.size() : 0, 8 * bytes.size());
      bytes[i] = old;
    }
    (void)decode_audio(std::span(bytes).first(i)).has_value();
  }
}

}  // namespace
}  // namespace fewbits::calibrate
