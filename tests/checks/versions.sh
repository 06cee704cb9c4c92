# Sourced by checks. needs_version TOOL VERSION: ends the check as skipped where TOOL is absent or of
# another version: each one wants other things, and the code cannot follow all of them. VERSION is
# as many of the first numbers as matter.
needs_version() {
    command -v "$1" > /dev/null || {
        echo "skipped: there is no $1"
        exit 77
    }
    here=$("$1" --version | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)
    case $here. in
        "$2".*) ;;
        *)
            echo "skipped: $1 is version $here here, and this check is written for $2"
            exit 77
            ;;
    esac
}
