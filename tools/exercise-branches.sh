#!/bin/sh
# Makes the branches ej1 to ej8 that the assignment asks for; see usage() below.
#
# Each is one commit on top of HEAD that changes only compose/defaults, which says what
# generar-compose.sh makes by default. The commits are written straight into git's database, so that the
# work tree, the index and the current branch stay as they are, whatever state they are in.
set -eu
cd "$(dirname "$0")/.."

BRANCHES='ej1 ej2 ej3 ej4 ej5 ej6 ej7 ej8'
FILE=compose/defaults

usage() {
  cat <<'END'
Usage: tools/exercise-branches.sh [--renew]

Makes the branches ej1 to ej8 from the current commit: generar-compose.sh makes an echo stack on ej1
to ej4, one bet per agency on ej5, and the draw on ej6 to ej8, where agencies wait 3 s at their start.

  --renew  also replaces branches that this tool has made before; one with other work is not touched

Exit status: 0 all are made, 1 none is, 2 bad arguments.
END
}

fail() {
  echo "exercise-branches.sh: error: $*" >&2
  exit 1
}

# settings_of BRANCH: its mode and its start delay
settings_of() {
  case $1 in
    ej[1-4]) echo 'echo 0s' ;;
    ej5) echo 'bet 0s' ;;
    ej[6-8]) echo 'lottery 3s' ;;
  esac
}

subject_of() { echo "compose: Set the defaults of exercise ${1#ej}"; }

defaults_of() {
  # shellcheck disable=SC2046  # two words
  set -- "$1" $(settings_of "$1")
  cat <<END
# What generar-compose.sh makes where neither an option nor LOTTERY_MODE says anything else: here the
# assignment's exercise ${1#ej}.
mode=$2
start_delay=$3
END
}

# Prints the commit of an existing branch, or nothing.
tip_of() { git rev-parse --quiet --verify "refs/heads/$1" || true; }

# is_ours BRANCH: did this tool make its last commit? If not, the branch has somebody's work.
is_ours() {
  [ "$(git log -1 --format=%s "refs/heads/$1")" = "$(subject_of "$1")" ] &&
    [ "$(git cat-file blob "refs/heads/$1:$FILE" 2>/dev/null)" = "$(defaults_of "$1")" ]
}

# make_commit BRANCH: writes the commit and prints its name.
make_commit() {
  blob=$(defaults_of "$1" | git hash-object -w --stdin)
  GIT_INDEX_FILE=$folder/index git read-tree "$head"
  GIT_INDEX_FILE=$folder/index git update-index --cacheinfo "100644,$blob,$FILE"
  tree=$(GIT_INDEX_FILE=$folder/index git write-tree)
  subject_of "$1" | git commit-tree "$tree" -p "$head"
}

renew=
case ${1-} in
  '') ;;
  --renew) renew=yes ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
esac
[ $# -le 1 ] || { usage >&2 && exit 2; }

# A hook or an alias may have set git's variables; here the repository is that of this folder.
# shellcheck disable=SC2046  # names, one a word
unset $(git rev-parse --local-env-vars) 2>/dev/null || true
[ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] ||
  fail "$(pwd -P) is not a git clone of the project"
head=$(git rev-parse --quiet --verify 'HEAD^{commit}') || fail 'there is no commit yet'
git cat-file -e "$head:$FILE" 2>/dev/null || fail "the current commit has no $FILE"
# A user who has no name in git's settings yet can make these commits nevertheless.
git var GIT_COMMITTER_IDENT >/dev/null 2>&1 || {
  export GIT_COMMITTER_NAME=exercise-branches GIT_COMMITTER_EMAIL=lottery@localhost
  export GIT_AUTHOR_NAME=exercise-branches GIT_AUTHOR_EMAIL=lottery@localhost
}

existing=
for branch in $BRANCHES; do
  [ -z "$(tip_of "$branch")" ] || existing="$existing $branch"
done
[ -z "$existing" ] || [ -n "$renew" ] ||
  fail "they exist already:$existing; --renew replaces what this tool has made"
checked_out=$(git worktree list --porcelain | sed -n 's/^branch //p')
for branch in $existing; do
  is_ours "$branch" ||
    fail "$branch has work that is not this tool's; to lose it: git branch -D $branch"
  case "
$checked_out
" in
    *"
refs/heads/$branch
"*) fail "$branch is checked out; switch to another branch first" ;;
  esac
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for branch in $BRANCHES; do
  commit=$(make_commit "$branch")
  old=$(tip_of "$branch")
  # All or none: git checks that each is still as it was seen here.
  echo "update refs/heads/$branch $commit ${old:-0000000000000000000000000000000000000000}"
done >"$folder/updates"
[ "$(grep -c . "$folder/updates")" -eq 8 ] || fail 'not all commits could be made'
git update-ref -m 'tools/exercise-branches.sh' --stdin <"$folder/updates" ||
  fail 'git does not take the branches'
for branch in $BRANCHES; do
  echo "$branch: $(settings_of "$branch" | sed 's/ /, start delay /')"
done
