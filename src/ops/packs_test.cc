// Packed weights that are shared, and kept in a file: what is made again, what is found, and what damage does.
#include "ops/packs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

namespace fewbits {
namespace {

struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / ("packs_test_" + std::to_string(::getpid()))).string();
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

// Asks for a pack of 100 bytes that all are `value`; counts how often it is made.
struct Asked {
  int made = 0;
  Packs::Bytes operator()(Packs& packs, const std::vector<uint8_t>& weights, const std::string& how,
                          bool lasting = true, char value = 'x', size_t bytes = 100) {
    return packs.get({weights.data(), weights.size(), lasting, how}, bytes, [&](std::byte* to) {
      std::memset(to, value, bytes);
      ++made;
    });
  }
};

const std::vector<uint8_t> kWeights = {1, 2, 3, 4, 5}, kOthers = {1, 2, 3, 4, 6};

TEST(Packs, AreSharedWhileSomebodyHoldsThem) {
  Packs packs;
  Asked ask;
  {
    const auto first = ask(packs, kWeights, "a"), same = ask(packs, kWeights, "a");
    EXPECT_EQ(first, same);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first.get()) % 64, 0u);
    EXPECT_NE(ask(packs, kWeights, "b"), first);
    EXPECT_NE(ask(packs, kOthers, "a"), first);
    EXPECT_NE(ask(packs, kWeights, "a", false), first);  // weights that may be others' tomorrow
    EXPECT_EQ(ask.made, 4);
  }
  ask(packs, kWeights, "a");
  EXPECT_EQ(ask.made, 5);
  EXPECT_TRUE(packs.save());  // without a file: nothing
}

TEST(Packs, AFileIsReadByTheNextAndGrows) {
  const Folder folder;
  const std::string path = folder.path + "/m.packs";
  Asked ask;
  {
    Packs packs(path);
    const auto a = ask(packs, kWeights, "a", true, 'a'), b = ask(packs, kOthers, "b", false, 'b', 333);
    ASSERT_TRUE(packs.save());
  }
  const auto written = std::filesystem::last_write_time(path);
  {
    Packs packs(path);
    const std::vector<uint8_t> elsewhere = kWeights;  // found by content, not by address
    const auto a = ask(packs, elsewhere, "a"), b = ask(packs, kOthers, "b", true, '?', 333);
    EXPECT_EQ(ask.made, 2);
    EXPECT_EQ(static_cast<char>(a.get()[99]), 'a');
    EXPECT_EQ(static_cast<char>(b.get()[332]), 'b');
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.get()) % 64, 0u);
    ASSERT_TRUE(packs.save());
    EXPECT_EQ(std::filesystem::last_write_time(path), written);
    ask(packs, kWeights, "a", true, 'c', 101);  // another size: packed anew
    const auto c = ask(packs, kWeights, "c", true, 'c');
    ASSERT_TRUE(packs.save());
  }
  Packs packs(path);
  ask(packs, kWeights, "c"), ask(packs, kOthers, "b", true, '?', 333);
  EXPECT_EQ(ask.made, 4);
}

TEST(Packs, WeightsInAModelsFileGoByTheirPlaceUntilItChanges) {
  const Folder folder;
  const std::string path = folder.path + "/m.packs", model_path = folder.path + "/m.tflite";
  Asked ask;
  size_t size = 0;
  for (int version = 0; version < 3; ++version) {
    std::ofstream(model_path, std::ios::binary) << "weights " << version;
    for (int start = 0; start < 2; ++start) {
      const auto model = *MappedFile::open(model_path);
      const std::vector<uint8_t> inside(model->bytes().begin() + 2, model->bytes().begin() + 8);
      Packs packs(path, model);
      const auto pack = packs.get({model->bytes().data() + 2, 6, true, "a"}, 100, [&](std::byte* to) {
        std::memset(to, version, 100);
        ++ask.made;
      });
      EXPECT_EQ(static_cast<int>(pack.get()[50]), version);
      const auto copy = ask(packs, inside, "a");  // the same content elsewhere: by content
      EXPECT_EQ(static_cast<char>(copy.get()[0]), 'x');
      ASSERT_TRUE(packs.save());
    }
    EXPECT_EQ(ask.made, 2 + version);                                         // the copy's content stays the same
    if (version > 0) EXPECT_LE(std::filesystem::file_size(path), size + 64);  // nothing of the old file is kept
    size = std::filesystem::file_size(path);
  }
}

TEST(Packs, ADamagedFileIsOneWithoutPacks) {
  const Folder folder;
  const std::string path = folder.path + "/m.packs";
  Asked ask;
  {
    Packs packs(path);
    const auto a = ask(packs, kWeights, "a");
    ASSERT_TRUE(packs.save());
  }
  std::ifstream in(path, std::ios::binary);
  const std::vector<uint8_t> whole((std::istreambuf_iterator<char>(in)), {});
  ASSERT_EQ(find_packs(whole).size(), 1u);
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(find_packs(std::span(whole).first(size)).empty()) << size;
  }
  const size_t index_end = 56 + 24 + find_packs(whole).begin()->first.size();
  for (size_t at = 0; at < index_end; ++at) {
    std::vector<uint8_t> damaged = whole;
    damaged[at] ^= 0x10;
    ASSERT_TRUE(find_packs(damaged).empty()) << at;
  }
  std::ofstream(path, std::ios::binary) << "not packs";
  Packs packs(path);
  const auto a = ask(packs, kWeights, "a");
  EXPECT_EQ(ask.made, 2);
  ASSERT_TRUE(packs.save());
  EXPECT_EQ(find_packs((*MappedFile::open(path))->bytes()).size(), 1u);
}

TEST(Packs, AFileThatCannotBeWrittenIsNamed) {
  const Folder folder;
  Packs packs(folder.path + "/no/such/folder");
  Asked ask;
  const auto a = ask(packs, kWeights, "a");
  const Status saved = packs.save();
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().message.find("no/such/folder"), std::string::npos) << saved.error().message;
}

}  // namespace
}  // namespace fewbits
