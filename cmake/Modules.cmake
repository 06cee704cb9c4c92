# lottery_module(SOURCES ... [USES ...] [PRIVATE_USES ...])
# One module is one folder with its headers beside its sources, one static library that is named
# after the folder (common/base is common-base), and one include folder of its own, so that an
# include the module did not declare does not compile.
function(lottery_module)
  cmake_parse_arguments(M "" "" "SOURCES;USES;PRIVATE_USES" ${ARGN})
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE "/" "-" name ${name})
  add_library(${name} STATIC ${M_SOURCES})
  target_include_directories(${name} PUBLIC .)
  target_link_libraries(${name} PUBLIC ${M_USES} PRIVATE lottery_flags ${M_PRIVATE_USES})
endfunction()
