# Sourced by checks. needs_version TOOL VERSION: ends the check as skipped if TOOL is missing or has
# another version, because different versions have different findings, and the code cannot satisfy all
# of them. VERSION has as many numbers as matter.
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
