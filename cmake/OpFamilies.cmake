# The operator families, one folder under src/ops each, in alphabetical order: dispatch, tests, benchmarks and docs follow it.
set(FEWBITS_OP_FAMILIES
  control
  detection
  random
  rnn
  shape
  signal
  sparse
  variable
)
