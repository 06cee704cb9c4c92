# Debian packages, see tools/install-deps.sh. On other systems they have other names, so all that is
# missing is listed at once, by what is looked for and by Debian's name.
set(lottery_missing "")

# lottery_need(FOUND WHAT PACKAGE): notes what is missing if FOUND is false.
macro(lottery_need found what package)
  if(NOT ${found})
    string(APPEND lottery_missing "\n  ${what} (in Debian: ${package})")
  endif()
endmacro()

# lottery_need_library(NAME MODULE PACKAGE): a library that pkg-config knows.
macro(lottery_need_library name module package)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
  endif()
  lottery_need(${name}_FOUND "the library ${module}, with its .pc file" ${package})
endmacro()

find_package(PkgConfig QUIET)
find_package(Threads REQUIRED)
lottery_need(PKG_CONFIG_FOUND "the program pkg-config" pkg-config)
lottery_need_library(protobuf_c libprotobuf-c libprotobuf-c-dev)
lottery_need_library(libuv libuv libuv1-dev)
lottery_need_library(libyaml yaml-0.1 libyaml-dev)
lottery_need_library(libinih inih libinih-dev)
lottery_need_library(jansson jansson libjansson-dev)
lottery_need_library(libcrypto "libcrypto>=3.0" libssl-dev) # part of OpenSSL
lottery_need_library(libssl "libssl>=3.0" libssl-dev)       # part of it, too
if("server" IN_LIST LOTTERY_PROGRAMS)
  lottery_need_library(libmicrohttpd libmicrohttpd libmicrohttpd-dev)
endif()
find_program(PROTOC_C protoc-c)
lottery_need(PROTOC_C "the program protoc-c" protobuf-c-compiler)

# libcsv ships no .pc file.
find_path(LIBCSV_INCLUDE_DIR csv.h)
find_library(LIBCSV_LIBRARY csv)
lottery_need(LIBCSV_INCLUDE_DIR "the header csv.h of libcsv" libcsv-dev)
lottery_need(LIBCSV_LIBRARY "the library libcsv" libcsv-dev)

if(LOTTERY_BUILD_TESTS)
  lottery_need_library(cmocka cmocka libcmocka-dev)
endif()
if(lottery_missing)
  message(FATAL_ERROR "To build this, install what is missing:${lottery_missing}")
endif()

add_library(libcsv INTERFACE)
target_include_directories(libcsv SYSTEM INTERFACE ${LIBCSV_INCLUDE_DIR})
target_link_libraries(libcsv INTERFACE ${LIBCSV_LIBRARY})

if(LOTTERY_BUILD_TESTS)
  # Debian's own interpreter: python3-protobuf is installed for that one.
  find_program(LOTTERY_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
endif()
