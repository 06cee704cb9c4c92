#!/bin/bash
# Makes a compose file: generar-compose.sh OUT N [options of tools/gen-compose.py]
# With --tls it also makes those certificates that are missing in certs/.
echo "Nombre del archivo de salida: ${1-}"
echo "Cantidad de clientes: ${2-}"
root=$(dirname "$0")
if [[ " $* " == *" --tls "* ]]; then
    crl=
    [ -e "$root/certs/ca.crl" ] || crl=--crl
    "$root/tools/make-certs.sh" "$root/certs" "${2-}" $crl || exit
fi
python3 "$root/tools/gen-compose.py" "$@" || exit
# Containers read the settings as another user, whatever the umask was when this was cloned.
chmod a+r "$root/server/config.ini" "$root/client/config.yaml" "$root/compose/prometheus.yml" 2>/dev/null || true
