# lottery_module(name SOURCES ... [USES ...] [PRIVATE_USES ...])
# One module is one folder, one static library and one include folder of its own, so that
# an include the module did not declare does not compile.
function(lottery_module name)
  cmake_parse_arguments(M "" "" "SOURCES;USES;PRIVATE_USES" ${ARGN})
  add_library(${name} STATIC ${M_SOURCES})
  target_include_directories(${name} PUBLIC include)
  target_link_libraries(${name} PUBLIC ${M_USES} PRIVATE lottery_flags ${M_PRIVATE_USES})
  set_property(GLOBAL APPEND PROPERTY LOTTERY_MODULES ${name})
endfunction()
