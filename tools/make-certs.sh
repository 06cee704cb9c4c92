#!/bin/sh
# Makes an authority and the certificates of a lottery with the openssl program; see usage() below.
#
# Killed at any moment, it leaves a folder that the next run completes. Files are made in a hidden
# folder inside DIR and renamed from there, each key before its certificate, and an old certificate is
# moved out of the way before a new key comes. So what has a certificate is whole, and a key without one
# is made again.
set -eu
unset CDPATH
umask 077
export LC_ALL=C

MAX_AGENCIES=10000
MAX_DAYS=36500
AUTHORITY_DAYS=3650 # or as long as what it signs
SOON_DAYS=30
DAY=86400

usage() {
  cat <<END
Usage: tools/make-certs.sh DIR N [options]

Makes what is missing in the folder DIR of
  ca.crt, ca.key               the authority
  server.crt, server.key       the server's, for localhost, server, 127.0.0.1 and ::1
  agency-1.crt, agency-1.key   and so on, up to agency N (0 to $MAX_AGENCIES)
Keys are ECDSA P-256, not encrypted, and only their owner can read them. A certificate that is there
stays as it is, also when its key was moved to where it is used, so agencies can be added at any time.
Whoever has ca.key can make certificates for everybody: keep it away from the machines that run the
lottery.

  --days D      new certificates are valid for D days, 1 to $MAX_DAYS (default: 365)
  --name HOST   the server is also called HOST, a name or an IP address; may be repeated
  --renew       new keys and certificates for the server and agencies 1 to N, from the same authority;
                the server keeps its names. The old ones stay valid until they expire or are revoked
  --revoke I    adds the certificate that agency I has to ca.crl, the list of those that are no longer
                valid; may be repeated. agency-I.crt has to be in DIR. With --renew the agency then gets
                another one
  --crl         makes ca.crl even if nobody is in it, and gives it a new date. It is valid for as long
                as new certificates are; --renew gives it a new date, too

Exit status: 0 all is there, 1 it is not, 2 bad arguments.
END
}

say() { echo "make-certs.sh: $*"; }

warn() { echo "make-certs.sh: warning: $*" >&2; }

fail() {
  echo "make-certs.sh: error: $*" >&2
  exit 1
}

bad_argument() {
  echo "make-certs.sh: error: $*; see --help" >&2
  exit 2
}

# check_number WHAT TEXT LEAST MOST
check_number() {
  case $2 in
    '' | *[!0-9]* | 0?*) bad_argument "$1: '$2' is not a whole number" ;;
  esac
  { [ ${#2} -le 9 ] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; } ||
    bad_argument "$1: $2 is not within $3..$4"
}

# is_ipv4 TEXT
is_ipv4() (
  IFS=.
  set -f
  # shellcheck disable=SC2086  # split at the dots
  set -- $1
  [ $# -eq 4 ] || return 1
  for part; do
    case $part in
      '' | *[!0-9]* | 0?* | ????*) return 1 ;;
    esac
    [ "$part" -le 255 ] || return 1
  done
)

# san_of HOST: prints it as an entry of a subjectAltName; fails if it is none.
san_of() {
  case $1 in
    '' | *[!0-9A-Za-z:._-]* | [.-]* | *..*) return 1 ;;
    *:*)
      case $1 in
        *[!0-9A-Fa-f:.]*) return 1 ;;
      esac
      echo "IP:$1"
      ;;
    *[!0-9.]*) echo "DNS:$1" ;;
    *) is_ipv4 "$1" && echo "IP:$1" ;;
  esac
}

dir='' agencies='' days=365 renew='' crl='' revoke='' names=''
while [ $# -gt 0 ]; do
  case $1 in
    --days | --name | --revoke) [ $# -ge 2 ] || bad_argument "$1 needs a value" ;;
  esac
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --days)
      check_number "$1" "$2" 1 $MAX_DAYS
      days=$2
      shift
      ;;
    --name)
      san=$(san_of "$2") || bad_argument "--name: '$2' is neither a name nor an IP address"
      names="$names $san"
      shift
      ;;
    --revoke)
      check_number "$1" "$2" 1 $MAX_AGENCIES
      revoke="$revoke $2"
      shift
      ;;
    --renew) renew=yes ;;
    --crl) crl=yes ;;
    -?*) bad_argument "unknown option '$1'" ;;
    *)
      if [ -z "$dir" ]; then
        [ -n "$1" ] || bad_argument "DIR is empty"
        dir=$1
      elif [ -z "$agencies" ]; then
        check_number N "$1" 0 $MAX_AGENCIES
        agencies=$1
      else
        bad_argument "'$1' is too much"
      fi
      ;;
  esac
  shift
done
[ -n "$agencies" ] || bad_argument "DIR and N are needed"

case $(openssl version 2>/dev/null) in
  '') fail "there is no openssl program (Debian's package openssl)" ;;
  LibreSSL* | 'OpenSSL '[012].*) fail "$(openssl version) is too old: it has to be OpenSSL 3" ;;
esac

shown=$dir
case $dir in
  /*) ;;
  *) dir=./$dir ;; # "-" means something else to cd
esac
mkdir -p "$dir" 2>/dev/null || fail "the folder $shown cannot be made"
cd "$dir" 2>/dev/null || fail "$shown is not a folder that can be entered"
[ -z "$(find . -prune \( -perm -020 -o -perm -002 \))" ] ||
  fail "others can write to the folder $shown, so they could replace keys: chmod go-w '$shown'"

# One at a time. The lock goes with the processes that hold it, however they end.
exec 9<.
flock -n 9 || fail "another make-certs.sh is at work in $shown"
rm -rf .make-certs.* # of one that was killed
work=$(mktemp -d ./.make-certs.XXXXXX) || fail "nothing can be written to the folder $shown"
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

cat >"$work/openssl.cnf" <<END
[req]
distinguished_name = name
default_md = sha256
string_mask = utf8only
[name]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
# It is a client when it asks itself how it is (--health).
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
subjectAltName = \$ENV::LOTTERY_SAN
[agency]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
subjectAltName = \$ENV::LOTTERY_SAN
[ca]
default_ca = lists
[lists]
database = $work/index
crlnumber = $work/number
default_md = sha256
unique_subject = no
crl_extensions = list
[list]
authorityKeyIdentifier = keyid:always
END

# Shows what openssl said only if it fails; it never prints a key.
run_openssl() {
  LOTTERY_SAN=$san openssl "$@" >"$work/log" 2>&1 </dev/null || {
    cat "$work/log" >&2
    fail "'openssl $1' failed for $name"
  }
}

# make_pair NAME SUBJECT SAN DAYS EXTENSIONS [options of openssl req]: NAME.key and NAME.crt
make_pair() {
  name=$1 subject=$2 san=$3 valid=$4 extensions=$5
  shift 5
  (umask 022 && : >"$work/$name.crt") # openssl writes to it, and the mode stays
  run_openssl req -x509 -config "$work/openssl.cnf" -extensions "$extensions" -subj "$subject" \
    -days "$valid" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
    -keyout "$work/$name.key" -out "$work/$name.crt" "$@"
  [ ! -e "$name.crt" ] || mv -f "$name.crt" ".$name.crt"
  mv -f "$work/$name.key" "$work/$name.crt" .
  [ ! -e ".$name.crt" ] || rm -f ".$name.crt"
}

# sign_pair NAME SUBJECT SAN EXTENSIONS: the same, by the authority
sign_pair() {
  [ -e ca.key ] || fail "ca.key is missing, so $1.crt cannot be made"
  make_pair "$1" "/O=National Lottery/CN=$2" "$3" "$days" "$4" -CA ca.crt -CAkey ca.key
}

# Prints the certificates that are there and stay, one per line.
kept_certificates() {
  for file in server.crt agency-*.crt; do
    [ -e "$file" ] || continue
    number=${file#agency-} number=${number%.crt}
    case $number in
      server) [ -z "$renew" ] || continue ;;
      '' | *[!0-9]* | ??????*) continue ;;
      *) [ -z "$renew" ] || [ "$number" -gt "$agencies" ] || continue ;;
    esac
    echo "$file"
  done
}

# not_verified FILE OPTIONS: writes to FILE which of the kept certificates openssl does not take as the
# authority's, one per line
not_verified() {
  list=$1
  shift
  # shellcheck disable=SC2046  # one argument per line
  openssl verify -no-CApath -no-CAstore -CAfile ca.crt "$@" $(cat "$work/kept") 2>/dev/null |
    sed -n 's/: OK$//p' >"$work/verified"
  grep -vxF -f "$work/verified" "$work/kept" >"$list" || true
}

check_kept() {
  kept_certificates >"$work/kept"
  [ -s "$work/kept" ] || return 0
  not_verified "$work/foreign" -no_check_time
  while read -r file; do
    fail "$file is no certificate of the authority ca.crt: move it away, or make a new one with --renew"
  done <"$work/foreign"
  not_verified "$work/expired" -attime "$now"
  not_verified "$work/soon" -attime "$soon"
  while read -r file; do
    when="expires within $SOON_DAYS days"
    ! grep -qxF "$file" "$work/expired" || when='has expired'
    warn "$file $when; --renew makes a new one"
  done <"$work/soon"
}

check_authority() {
  if [ ! -e ca.crt ]; then
    for file in server.crt agency-*.crt ca.crl; do
      [ ! -e "$file" ] || fail "ca.crt is missing, but $file is there:" \
        "bring ca.crt and ca.key back, or use a new folder"
    done
    valid=$AUTHORITY_DAYS
    [ "$days" -lt "$valid" ] || valid=$((days + 1))
    make_pair ca '/O=National Lottery/CN=National Lottery authority' '' "$valid" authority
    made=', authority'
  elif ! openssl x509 -in ca.crt -noout >/dev/null 2>&1; then
    fail "ca.crt is no certificate"
  elif ! openssl x509 -in ca.crt -noout -checkend 0 >/dev/null; then
    fail "the authority ca.crt has expired: make a new one in a new folder"
  elif ! openssl x509 -in ca.crt -noout -checkend $((days * DAY)) >/dev/null; then
    warn "the authority ca.crt expires within $days days, and all its certificates with it"
  fi
}

# Prints the server's names, as entries of a subjectAltName: the usual ones, and those of its
# certificate or of the command line.
server_names() {
  set -- DNS:localhost DNS:server IP:127.0.0.1 IP:0:0:0:0:0:0:0:1
  # shellcheck disable=SC2046,SC2086  # entries have no blanks
  printf '%s\n' "$@" URI:lottery:server $(certificate_names) $names | awk '!seen[$0]++'
}

certificate_names() {
  for file in server.crt .server.crt; do # the second is of a run that was killed
    [ ! -e $file ] || openssl x509 -in $file -noout -ext subjectAltName 2>/dev/null ||
      warn "$file is no certificate; names that --name had added to it are lost"
  done |
    sed -n 's/IP Address:/IP:/g; s/, /\n/g; s/^ *//; /^\(DNS\|IP\|URI\):/p'
}

make_server() {
  if [ -e server.crt ] && [ -z "$renew" ]; then
    for san in $names; do
      host=${san#*:}
      case $san in
        DNS:*) set -- -checkhost "$host" ;;
        *) set -- -checkip "$host" ;;
      esac
      openssl x509 -in server.crt -noout "$@" | grep -q 'does match' ||
        fail "server.crt is not for $host: make a new one with --renew --name $host"
    done
    return
  fi
  sign_pair server server "$(server_names | paste -s -d , -)" server
  made="$made, server"
}

make_agencies() {
  count=0 agency=1
  while [ $agency -le "$agencies" ]; do
    if [ -n "$renew" ] || [ ! -e "agency-$agency.crt" ]; then
      sign_pair "agency-$agency" "agency $agency" "URI:lottery:agency:$agency" agency
      count=$((count + 1))
    fi
    agency=$((agency + 1))
  done
  [ $count -eq 0 ] || made="$made, agencies ($count)"
}

# Writes what ca.crl has to the database that `openssl ca` reads, one line for each certificate.
read_list() {
  : >"$work/index"
  echo 01 >"$work/number"
  [ -e ca.crl ] || return 0
  openssl crl -in ca.crl -no-CApath -no-CAstore -CAfile ca.crt -noout 2>&1 | grep -q 'verify OK' ||
    fail "ca.crl is not a list of the authority ca.crt: move it away"
  openssl crl -in ca.crl -noout -text | awk '
    $1 == "Serial" { serial = $3 }
    $1 == "Revocation" {
      month = (index("JanFebMarAprMayJunJulAugSepOctNovDec", $3) + 2) / 3
      gsub(":", "", $5)
      printf "R\t491231235959Z\t%02d%02d%02d%sZ\t%s\tunknown\t/CN=%s\n", $6 % 100, month, $4, $5,
        serial, serial
    }' >"$work/index"
  number=$(openssl crl -in ca.crl -noout -crlnumber | sed 's/.*=\(0x\)*//')
  printf '%08X\n' $((0x$number + 1)) >"$work/number"
}

# Before anything is made: a new certificate would be revoked in place of the one that was meant.
check_revoked() {
  for agency in $revoke; do
    [ -e "agency-$agency.crt" ] ||
      fail "agency-$agency.crt, which is to be revoked, is not here: bring it back"
  done
}

# What --revoke names, as far as it is not in the list yet.
revoke_agencies() {
  for agency in $revoke; do
    serial=$(openssl x509 -in "agency-$agency.crt" -noout -serial) ||
      fail "agency-$agency.crt is no certificate"
    serial=${serial#serial=}
    if grep -q "	$serial	" "$work/index"; then
      say "the certificate of agency $agency is in ca.crl already"
    else
      printf 'R\t491231235959Z\t%s\t%s\tunknown\t/CN=%s\n' "$(date -u +%y%m%d%H%M%SZ)" "$serial" \
        "$serial" >>"$work/index"
      crl=yes
    fi
  done
}

make_list() {
  read_list
  revoke_agencies
  if [ -z "$crl" ] && { [ -z "$renew" ] || [ ! -e ca.crl ]; }; then
    return
  fi
  [ -e ca.key ] || fail "ca.key is missing, so ca.crl cannot be made"
  name=ca.crl san=''
  (umask 022 && : >"$work/ca.crl")
  run_openssl ca -gencrl -config "$work/openssl.cnf" -cert ca.crt -keyfile ca.key -crldays "$days" \
    -out "$work/ca.crl"
  mv -f "$work/ca.crl" .
  made="$made, ca.crl ($(grep -c . "$work/index" || true) revoked)"
}

# Nobody gets in with a list that is out of date.
check_list() {
  [ -e ca.crl ] && [ -z "$crl$renew" ] && [ -e server.crt ] || return 0
  # shellcheck disable=SC2016  # a pattern
  if openssl verify -no-CApath -no-CAstore -CAfile ca.crt -CRLfile ca.crl -crl_check -attime "$soon" \
    server.crt 2>&1 | grep -q 'CRL has expired'; then
    warn "ca.crl is out of date, or will be within $SOON_DAYS days; --crl gives it a new date"
  fi
}

made='' now=$(date +%s)
soon=$((now + SOON_DAYS * DAY))
check_revoked
check_authority
check_kept
# What is to be revoked is read before --renew replaces it.
[ -z "$renew" ] || make_list
make_server
make_agencies
[ -n "$renew" ] || make_list
check_list
if [ -n "$made" ]; then
  say "made in $shown:${made#,}"
else
  say "all is in $shown already"
fi
