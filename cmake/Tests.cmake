# Where tests make their folders: in memory, so that thousands of syncs do not wait for a busy disk.
set(LOTTERY_TEST_ENVIRONMENT "")
if(IS_DIRECTORY /dev/shm)
  set(LOTTERY_TEST_ENVIRONMENT TMPDIR=/dev/shm)
endif()

# lottery_unit_test(name USES module...)
# One cmocka program per module: test_<name>.c, run as the test unit.<name>.
function(lottery_unit_test name)
  cmake_parse_arguments(T "" "" "USES" ${ARGN})
  add_executable(test_${name} test_${name}.c)
  target_link_libraries(test_${name} PRIVATE lottery_flags test_support ${T_USES} PkgConfig::cmocka)
  lottery_include_all(test_${name})
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES
    TIMEOUT 120 SKIP_RETURN_CODE 77 ENVIRONMENT "${LOTTERY_TEST_ENVIRONMENT}")
endfunction()

# lottery_fuzz_target(name USES module... [SOURCES file...])
# One libFuzzer program, fuzz_<name>.c. The test fuzz.<name> runs it over its corpus (the files and
# what was unpacked from the archive), then for a few seconds on its own, always with the same seed: a
# test must not turn red by chance, for somebody who has changed nothing that it is about. tools/fuzz.sh
# takes another one each time. The inputs that it finds go into the build folder.
function(lottery_fuzz_target name)
  cmake_parse_arguments(T "" "" "SOURCES;USES" ${ARGN})
  set(finds ${CMAKE_CURRENT_BINARY_DIR}/finds/${name})
  file(MAKE_DIRECTORY ${finds})
  if(NOT LOTTERY_HAS_FUZZER)
    add_test(NAME fuzz.${name} COMMAND ${CMAKE_COMMAND} -E echo "skipped: no fuzzer runtime of clang")
    set_tests_properties(fuzz.${name} PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped")
    return()
  endif()
  add_executable(fuzz_${name} fuzz_${name}.c ${T_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE lottery_flags fuzz_support ${T_USES})
  lottery_include_all(fuzz_${name})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz_${name} fuzz_corpus)
  add_test(NAME fuzz.${name}
           COMMAND fuzz_${name} -max_total_time=5 -seed=1 -timeout=60 -artifact_prefix=${finds}-
                   -print_final_stats=1 ${finds} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name}
                   ${CMAKE_CURRENT_BINARY_DIR}/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 300)
endfunction()
