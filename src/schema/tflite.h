// The generated reader, verifier and object API of the .tflite schema. Slow to compile: include it only where options are read.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>

namespace flatbuffers {

// flatbuffers 2.0.8 verifies that a vector lies in the buffer, but not that elements of 8 bytes are aligned, and then reads
// them as if they were. This is what the generated verifiers call for [long], the schema's only type of that size in vectors.
template <>
inline bool Verifier::VerifyVector<int64_t>(const Vector<int64_t>* const vector) const {
  if (vector == nullptr) return true;
  if (!VerifyVectorOrString(reinterpret_cast<const uint8_t*>(vector), sizeof(int64_t))) return false;
  return vector->size() == 0 || reinterpret_cast<uintptr_t>(vector->Data()) % alignof(int64_t) == 0;
}

}  // namespace flatbuffers

#include "schema/tflite_generated.h"
