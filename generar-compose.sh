#!/bin/bash
# Makes a compose file: generar-compose.sh OUT N [options of tools/gen-compose.py]
echo "Nombre del archivo de salida: ${1-}"
echo "Cantidad de clientes: ${2-}"
exec python3 "$(dirname "$0")/tools/gen-compose.py" "$@"
