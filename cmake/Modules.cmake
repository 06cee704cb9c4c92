# A module is one folder with headers and sources, and one static library that is named after it:
# common/base is common-base. layers.txt says which folders' headers it may include, and so which
# libraries it needs; any other include does not compile.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/layers.txt LOTTERY_LAYERS REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/layers.txt)

# Links `target`, whose sources are in this folder, with the libraries that the folder's line allows.
function(lottery_link target)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(line ${LOTTERY_LAYERS})
  list(FILTER line INCLUDE REGEX "^${folder}:")
  if(NOT line)
    message(FATAL_ERROR "cmake/layers.txt has no line for ${folder}")
  endif()
  string(REGEX REPLACE "^[^:]*: *" "" uses "${line}")
  string(REPLACE "/" "-" uses "${uses}")
  separate_arguments(uses)
  target_link_libraries(${target} PRIVATE lottery_flags ${uses})
endfunction()

# lottery_module(SOURCES ... [LIBRARIES ...]): the module of this folder. LIBRARIES are those of
# others that it needs; its users get them, too, as its headers may include theirs.
function(lottery_module)
  cmake_parse_arguments(M "" "" "SOURCES;LIBRARIES" ${ARGN})
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE "/" "-" name ${folder})
  add_library(${name} STATIC ${M_SOURCES})
  target_include_directories(${name} PUBLIC .)
  target_link_libraries(${name} PUBLIC ${M_LIBRARIES})
  lottery_link(${name})
  set_property(GLOBAL APPEND PROPERTY LOTTERY_FOLDERS ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()

# lottery_program(name): the program whose main.c lies in this folder.
function(lottery_program name)
  add_executable(${name} main.c)
  target_compile_definitions(${name} PRIVATE LOTTERY_VERSION="${PROJECT_VERSION}")
  lottery_link(${name})
  install(TARGETS ${name})
endfunction()

# Lets a test include the headers of every module.
function(lottery_include_all target)
  get_property(folders GLOBAL PROPERTY LOTTERY_FOLDERS)
  target_include_directories(${target} PRIVATE ${folders})
endfunction()
