#!/bin/sh
# After a change of a schema in proto/ a build is enough: then the C code has the new field. Nothing else
# changes gen/, whatever the times of the files are.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cd "$root"
cp -r CMakeLists.txt cmake proto gen common server client ctl "$copy"
cd "$copy"

# build: configures if need be, and compiles.
build() {
    cmake -S . -B build -DLOTTERY_BUILD_TESTS=OFF > log 2>&1 &&
        cmake --build build --target lottery_proto >> log 2>&1 || {
        cat log
        exit 1
    }
}

# gen_is_as_before WHEN: else the build has changed tracked files.
gen_is_as_before() {
    sha256sum --quiet --check before || {
        echo "changed by a build $1"
        exit 1
    }
}

# As if another protoc-c had made it: if a build makes it again, that shows.
mark_as_committed() {
    for file in gen/*.pb-c.*; do
        echo '/* as committed */' >> "$file"
    done
    sha256sum gen/* > before
}

# field_arrives SCHEMA MESSAGE: a field that is added to the message is in the code after a build. The
# other schemas' code stays.
field_arrives() {
    if grep -q luck "gen/$1.pb-c.h"; then
        echo "the field is there before it was added"
        exit 1
    fi
    sed -i "s/^message $2 .*{/&\n  uint32 luck_of_$1 = 100;/" "proto/$1.proto"
    # Only a build, without configuring again.
    cmake --build build --target lottery_proto > log 2>&1 || {
        cat log
        exit 1
    }
    grep -n "uint32_t luck_of_$1;" "gen/$1.pb-c.h"
    grep -q "luck_of_$1" build/gen/liblottery_proto.a || {
        echo "the new field is not in the compiled code"
        exit 1
    }
    grep -v -e " gen/$1\.pb-c\." -e ' gen/schema\.sha256$' before > others
    sha256sum --quiet --check others
    mark_as_committed
    build
    gen_is_as_before 'that came after the one that made it'
}

# bad_schema_fails SCHEMA: if the schema cannot be read, the build fails and changes nothing.
bad_schema_fails() {
    cp "proto/$1.proto" good
    echo 'message Half {' >> "proto/$1.proto"
    if cmake --build build --target lottery_proto > log 2>&1; then
        echo "built, from a schema that ends half way"
        exit 1
    fi
    grep -q "$1.proto:" log
    gen_is_as_before 'that failed'
    cp good "proto/$1.proto"
}

mark_as_committed
touch -d '2 days ago' gen/*
touch -d '1 day ago' proto/*
build
gen_is_as_before 'where proto/ is newer than gen/'
touch proto/* gen/CMakeLists.txt
build
gen_is_as_before 'after proto/ was touched'

field_arrives lottery Bet
field_arrives control Draw
bad_schema_fails lottery
bad_schema_fails control
