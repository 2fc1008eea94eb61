// Option tables of TFLite operators as a Node holds them. Includes the generated schema: for .cc files that make operators.
#pragma once

#include <memory>
#include <utility>

#include "schema/tflite.h"

namespace fewbits::formats {

using OptionsPtr = std::shared_ptr<const tflite::BuiltinOptionsUnion>;

// options(tflite::GatherOptionsT{...}): what GraphBuilder::node takes.
template <class Table>
OptionsPtr options(Table table) {
  auto all = std::make_shared<tflite::BuiltinOptionsUnion>();
  all->Set(std::move(table));
  return all;
}

}  // namespace fewbits::formats
