# lottery_flags: what every target of ours is compiled with. Generated code is compiled without it.
add_library(lottery_flags INTERFACE)
target_compile_definitions(lottery_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(lottery_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wcast-qual -Wpointer-arith
  -Wformat=2 -Wundef -Wvla -Wwrite-strings -Wswitch-enum -fno-common
  -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=) # __FILE__ is a path within the project
# Texts for humans are cut where they do not fit, on purpose.
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  target_compile_options(lottery_flags INTERFACE -Wno-format-truncation)
endif()
if(LOTTERY_WERROR)
  target_compile_options(lottery_flags INTERFACE -Werror)
endif()

if(LOTTERY_SANITIZE)
  add_compile_options(-fsanitize=${LOTTERY_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=${LOTTERY_SANITIZE})
else()
  # Hardening; _FORTIFY_SOURCE needs an optimizing build.
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(-fstack-protector-strong
                      $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
                      $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  add_link_options(-pie -Wl,-z,relro,-z,now)
endif()
