// The generated reader, verifier and object API of the .tflite schema. Slow to compile: include it only where options are read.
#pragma once

#include "schema/tflite_generated.h"
