# Helpers that give every target the same language level, warnings, sanitizers and per-ISA flags.

# The flags of the ISA that a file's name ends in; everything else is built for the platform's baseline.
set(FB_ISA_avx2 -mavx2 -mfma -mf16c)
set(FB_ISA_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mavx2)
set(FB_ISA_avx512vnni -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma -mf16c -mavx2)
set(FB_ISA_avx512vbmi ${FB_ISA_avx512} -mavx512vbmi)
set(FB_ISA_amx ${FB_ISA_avx512vnni} -mavx512bf16 -mamx-tile -mamx-int8 -mamx-bf16)
# gcc's scheduler moves loads up until the sums of a product no longer fit ARM's registers (docs/arm.md).
set(FB_ISA_neon $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)
set(FB_ISA_neondot -march=armv8.2-a+dotprod ${FB_ISA_neon})
set(FB_X86_ISAS avx2 avx512 avx512vnni avx512vbmi amx)
set(FB_ARM_ISAS neon neondot)

function(fb_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  # No contraction: integer results must be equal on every ISA, and their float32 multiply must not become an fma.
  # Nobody reads floating-point exception flags; without that promise gcc does not vectorise a clamp.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
                         -ffp-contract=off -fno-math-errno -fno-trapping-math)
  # Without optimisation, clang says that it could not vectorize a loop whose independence we promise.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
  if(FEWBITS_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${FEWBITS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${FEWBITS_SANITIZE})
  endif()
  if(FEWBITS_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

function(fb_precompile target)
  if(FEWBITS_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/schema/tflite.h)
  endif()
endfunction()

# fb_sources(OUT folder...): the library sources of folders: *.cc but tests, benchmarks and ISAs of another processor.
function(fb_sources out)
  set(result)
  foreach(folder IN LISTS ARGN)
    file(GLOB found CONFIGURE_DEPENDS ${folder}/*.cc)
    list(FILTER found EXCLUDE REGEX "/(test|bench)\\.cc$|_(test|bench)\\.cc$")
    foreach(isa IN LISTS FB_X86_ISAS FB_ARM_ISAS)
      set(of_isa ${found})
      list(FILTER of_isa INCLUDE REGEX "[/_]${isa}\\.cc$")
      if((isa IN_LIST FB_X86_ISAS AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64") OR
         (isa IN_LIST FB_ARM_ISAS AND CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64"))
        set_source_files_properties(${of_isa} PROPERTIES COMPILE_OPTIONS "${FB_ISA_${isa}}" SKIP_PRECOMPILE_HEADERS ON)
      elseif(of_isa)
        list(REMOVE_ITEM found ${of_isa})
      endif()
    endforeach()
    list(APPEND result ${found})
  endforeach()
  set(${out} ${result} PARENT_SCOPE)
endfunction()

# fb_tests(target LIBS lib... FOLDERS folder...): one GoogleTest program of every test.cc and *_test.cc in the folders.
function(fb_tests target)
  cmake_parse_arguments(arg "" "" "LIBS;FOLDERS" ${ARGN})
  set(sources)
  foreach(folder IN LISTS arg_FOLDERS)
    file(GLOB found CONFIGURE_DEPENDS ${folder}/test.cc ${folder}/*_test.cc)
    list(APPEND sources ${found})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_executable(${target} ${sources})
  fb_compile_options(${target})
  # Tests compile for longer than they run.
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${arg_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE FB_SOURCE_DIR="${PROJECT_SOURCE_DIR}" FB_BINARY_DIR="${PROJECT_BINARY_DIR}")
  add_test(NAME ${target} COMMAND ${target})
endfunction()

# fb_lazy_library(target DEFINITION PACKAGE): the library of pkg-config's PACKAGE, loaded when it is first needed under the name that
# DEFINITION tells the code; linked where it is static or FEWBITS_LAZY_LIBRARIES is off. See src/base/lazy_library.h.
function(fb_lazy_library target definition package)
  list(GET ${package}_LINK_LIBRARIES 0 file)
  set(soname)
  if(FEWBITS_LAZY_LIBRARIES AND file MATCHES "\\.so$")
    execute_process(COMMAND ${CMAKE_READELF} -d ${file} OUTPUT_VARIABLE parts ERROR_QUIET)
    if(parts MATCHES "SONAME[^[]*\\[([^]]+)\\]")
      set(soname ${CMAKE_MATCH_1})
    endif()
  endif()
  if(NOT soname)
    target_link_libraries(${target} PRIVATE PkgConfig::${package})
    return()
  endif()
  target_include_directories(${target} SYSTEM PRIVATE ${${package}_INCLUDE_DIRS})
  target_compile_definitions(${target} PRIVATE ${definition}="${soname}")
endfunction()

# fb_protos(OUT file.proto...): C++ of protobuf definitions, paths below the current folder; include "formats/x/x.pb.h".
function(fb_protos out)
  set(result)
  foreach(proto IN LISTS ARGN)
    string(REPLACE ".proto" ".pb" stem ${CMAKE_CURRENT_BINARY_DIR}/${proto})
    add_custom_command(OUTPUT ${stem}.cc ${stem}.h
      COMMAND protobuf::protoc --proto_path=${CMAKE_CURRENT_SOURCE_DIR} --cpp_out=${CMAKE_CURRENT_BINARY_DIR} ${proto}
      WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} DEPENDS ${proto} VERBATIM)
    set_source_files_properties(${stem}.cc PROPERTIES COMPILE_OPTIONS "-w" SKIP_PRECOMPILE_HEADERS ON)  # generated: not ours to clean
    list(APPEND result ${stem}.cc ${stem}.h)
  endforeach()
  set(${out} ${result} PARENT_SCOPE)
endfunction()
