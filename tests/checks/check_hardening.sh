#!/bin/sh
# The release programs are hardened. Usage: check_hardening.sh BIN_DIR
set -eu
faults=0

# holds TEXT PATTERN WHAT: some line of the text matches, else WHAT is wrong.
holds() {
    echo "$1" | grep -Eq "$2" && return
    echo "$program: $3"
    faults=$((faults + 1))
}

for program in lottery-server lottery-agency lottery-ctl; do
    file=$1/$program
    [ -e "$file" ] || {
        echo "skipped: $file is not built (cmake --build --preset release)"
        exit 77
    }
    dynamic=$(readelf -dW "$file")
    segments=$(readelf -lW "$file")
    symbols=$(readelf -W --dyn-syms "$file")
    holds "$dynamic" 'FLAGS_1.* PIE' 'not position independent'
    holds "$dynamic" 'BIND_NOW' 'symbols are not all bound at the start'
    holds "$segments" 'GNU_RELRO' 'nothing is read-only after relocation'
    holds "$segments" 'GNU_STACK.* RW +0x' 'the stack may be executed'
    holds "$symbols" ' __stack_chk_fail' 'no stack protector'
    holds "$symbols" ' __(memcpy|snprintf|vsnprintf)_chk' 'compiled without _FORTIFY_SOURCE'
done
echo "hardening: 3 programs, $faults faults"
[ $faults -eq 0 ]
