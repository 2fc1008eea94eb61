// A promise to the vectorizer, for loops that may write over one of their inputs element by element.
#pragma once

// Put before a loop no step of which reads what another one writes.
#if defined(__clang__)
#define FB_INDEPENDENT_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define FB_INDEPENDENT_LOOP _Pragma("GCC ivdep")
#endif
