// HDF5 files as Keras writes them: groups, text attributes, arrays of numbers. Any bytes are safe to give.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/keras/archive.h"
#include "ir/model.h"

namespace fewbits::keras {

struct NumberArray {
  Shape shape;
  ConstData data;  // float32
};

// An open file. libhdf5 is not thread-safe: calls of all files are serialized. Copies share the file.
class Hdf5File {
 public:
  static Result<Hdf5File> open(const std::string& path);
  // From memory, which is never written to; `name` stands for the path in messages.
  static Result<Hdf5File> from_member(const Member& member, const std::string& name);

  const std::string& name() const noexcept { return name_; }
  // Objects are named by their path from the root, "/" for the root itself.
  bool has(const std::string& object) const;
  bool has_attribute(const std::string& object, const std::string& attribute) const;
  // A text attribute: one text, or a list of them.
  Result<std::vector<std::string>> texts(const std::string& object, const std::string& attribute) const;
  // The numbers of a dataset, as float32.
  Result<NumberArray> read(const std::string& dataset) const;

 private:
  struct Handle;
  std::string name_;
  std::shared_ptr<const Handle> handle_;
};

}  // namespace fewbits::keras
