# 64-bit ARM on Debian's cross compiler; programs run under qemu, which takes the processor from QEMU_CPU in the environment (max when
# unset, cortex-a76, cortex-a72).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static;-L;/usr/aarch64-linux-gnu)
# The headers of header-only dependencies are the host's, reached through links so that no other host header is found.
set(header_links ${CMAKE_BINARY_DIR}/host-headers)
file(MAKE_DIRECTORY ${header_links})
foreach(folder fmt tl flatbuffers nlohmann gtest gmock)
  if(EXISTS /usr/include/${folder})
    file(CREATE_LINK /usr/include/${folder} ${header_links}/${folder} SYMBOLIC)
  endif()
endforeach()
include_directories(SYSTEM ${header_links})
