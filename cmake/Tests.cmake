# lottery_unit_test(name USES module...)
# One cmocka program per module: test_<name>.c, run as the test unit.<name>.
function(lottery_unit_test name)
  cmake_parse_arguments(T "" "" "USES" ${ARGN})
  add_executable(test_${name} test_${name}.c)
  target_link_libraries(test_${name} PRIVATE lottery_flags test_support ${T_USES} PkgConfig::cmocka)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77)
  # Thousands of syncs: in memory they do not wait for whatever else the disk is doing.
  if(IS_DIRECTORY /dev/shm)
    set_tests_properties(unit.${name} PROPERTIES ENVIRONMENT TMPDIR=/dev/shm)
  endif()
endfunction()
