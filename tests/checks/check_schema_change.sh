#!/bin/sh
# After a change of proto/lottery.proto a build is enough: then the C code has the new field. Nothing
# else changes gen/, whatever the times of the files are.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cd "$root"
cp -r CMakeLists.txt cmake proto gen common server client "$copy"
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
echo '/* as committed */' | tee -a gen/lottery.pb-c.c >> gen/lottery.pb-c.h
sha256sum gen/* > before
touch -d '2 days ago' gen/*
touch -d '1 day ago' proto/*
build
gen_is_as_before 'where proto/ is newer than gen/'
touch proto/* gen/CMakeLists.txt
build
gen_is_as_before 'after proto/ was touched'

if grep -q luck gen/lottery.pb-c.h; then
    echo "the field is there before it was added"
    exit 1
fi
sed -i 's/^message Bet .*{/&\n  uint32 luck = 100;/' proto/lottery.proto
# Only a build, without configuring again.
cmake --build build --target lottery_proto > log 2>&1 || {
    cat log
    exit 1
}
grep -n 'uint32_t luck;' gen/lottery.pb-c.h
grep -q luck build/gen/liblottery_proto.a || {
    echo "the new field is not in the compiled code"
    exit 1
}
echo '/* as committed */' >> gen/lottery.pb-c.h
sha256sum gen/* > before
build
gen_is_as_before 'that came after the one that made it'

# If the schema cannot be read, the build fails and changes nothing.
echo 'message Half {' >> proto/lottery.proto
if cmake --build build --target lottery_proto > log 2>&1; then
    echo "built, from a schema that ends half way"
    exit 1
fi
grep -q 'lottery.proto:' log
gen_is_as_before 'that failed'
